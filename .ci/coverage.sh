#!/bin/sh
# Says what share of the lines is reached: of the package by both stages, whose records are in FOLDER, of the core by its
# own tests, built anew for that. coverage.sh FOLDER. Needs coverage, cmake, ninja and gcovr.
set -eu
export COVERAGE_FILE="$1/coverage"
build=$1/covered
if python -m coverage combine --keep "$1/coverage.first" "$1/coverage.second" >"$1/combined" 2>&1 &&
    ! grep -q errored "$1/combined"; then
    echo "==> coverage of Python, by both stages, the least covered first:"
    python -m coverage report --sort=cover >"$1/coverage.txt"
    sed -n '1,12p;$p' "$1/coverage.txt"
else
    echo "==> no coverage of Python: the records of both stages cannot be read together"
fi
cmake -S src_c -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSNN_BUILD_EXAMPLES=OFF \
    -DCMAKE_C_FLAGS=--coverage -DCMAKE_C_FLAGS_RELEASE=-O1 >/dev/null
ninja --quiet -C "$build" >"$build/log" 2>&1 || { tail "$build/log"; exit 1; }
ctest --test-dir "$build" -j 2 --output-on-failure >"$build/log" || { tail "$build/log"; exit 1; }
echo "==> coverage of C, by the tests of the core:"
gcovr --root . --filter 'src_c/' --exclude 'src_c/tests/' --gcov-ignore-errors all --print-summary --txt /dev/null "$build"
