#!/bin/sh
# Makes the source distribution in dist/ and tries it as a stranger would: check_sdist.sh PYTHON.
#
# It holds every file of the repository, where that is at hand; unpacked into build/sdist it builds, and the tests in it
# pass. SDIST_TESTS (all) names test files. PYTHON has the packages build and twine.
set -eu
cd "$(dirname "$0")/.."
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")

say() { echo "==> $*"; }

rm -rf build/sdist
mkdir -p build/sdist dist
"$python" -m build --sdist --outdir build/sdist . >build/sdist/log 2>&1 || { cat build/sdist/log; exit 1; }
archive=$(ls build/sdist/*.tar.gz)
cp "$archive" dist/
"$python" -m twine check --strict "$archive"
tar -xzf "$archive" -C build/sdist
tree=${archive%.tar.gz}
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files | grep -v '^\.git' | while read -r file; do
        [ -e "$tree/$file" ] || { say "missing in the source distribution: $file"; exit 1; }
    done
fi
say "dist/$(basename "$archive"): building and testing it in $tree"
cd "$tree"
make test PYTHON="$python" PYTEST="${PYTEST:--n 2 --dist loadfile} ${SDIST_TESTS:-}"
