#!/bin/sh
# The checks of every change and those that need large packages, in two stages; the last line is pytest's own.
#
# 1. README's command, make test: the whole suite in a clean set-up.
# 2. All that did not pass there, in an environment that has PyTorch, Keras, ONNX Runtime and the others of packages.txt.
#    A test that is skipped there as well fails the run, unless allowed_skips.txt has it. What can be installed while
#    stage 1 runs is. Coverage: of Python by both stages, of C by the tests of the core.
cd "$(dirname "$0")/.." || exit 1
root=$PWD
work=$root/build/ci
second=$work/venv
rm -rf "$work"
mkdir -p "$work/models"
say() { echo "==> $*"; }
fail() { say "$1"; tail_line "$work/first.log" "$work/second.log"; exit 1; }
tail_line() { cat "$@" 2>/dev/null | grep -E '^=+ .*(passed|failed|error|no tests ran).* in ' | tail -n 1; }
# sh has no pipefail: the status goes through a file.
logged() { log=$1; shift; { "$@" 2>&1; echo $? >"$log.status"; } | tee "$log"; return "$(cat "$log.status")"; }

say "first stage: make test"
make .venv/.installed-test && .venv/bin/python -m pip install --quiet pytest-cov==7.1.0 || exit 1
say "installing for the second stage, beside the first; its output is shown after that"
{
    .venv/bin/python -m venv "$second" &&
        site=$("$second/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])') &&
        .venv/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])' >"$site/first_stage.pth" &&
        "$second/bin/python" .ci/install.py .ci/packages.txt "$work/models" "$work/missing.txt"
    echo $? >"$work/install.status"
    # A recording for tests/test_real_speech.py, where there is an apt-get.
    (cd "$work/models" && apt-get -qq -o APT::Sandbox::User=root download codec2-examples &&
        dpkg -x codec2-examples_*.deb .) >/dev/null 2>&1
} >"$work/install.log" 2>&1 &
installing=$!

export PYTHONPATH="$root/.ci" PYTEST_ADDOPTS="-p outcomes --cov=sparsenn --cov-report="
COVERAGE_FILE=$work/coverage.first CI_OUTCOMES=$work/first.json \
    logged "$work/first.log" make test
first=$?

say "second stage: what did not pass, with all packages"
wait $installing
grep -v '^WARNING: Location' "$work/install.log"
[ "$(cat "$work/install.status")" = 0 ] || fail "the second stage cannot be set up: nothing was installed"
export PATH="$second/bin:$root/.venv/bin:$PATH"
COVERAGE_FILE=$work/coverage.second CI_OUTCOMES=$work/second.json CI_PASSED=$work/first.json SPARSENN_MODELS=$work/models \
    logged "$work/second.log" "$second/bin/python" .venv/bin/pytest -n 2 --dist loadfile
second_status=$?
unset PYTHONPATH PYTEST_ADDOPTS

"$second/bin/python" .ci/check_skips.py "$work/first.json" "$work/second.json" "$work/missing.txt"
skips=$?
.ci/coverage.sh "$work" || say "no coverage was measured"
tail_line "$work/first.log" "$work/second.log"
[ $first = 0 ] && [ $second_status = 0 ] && [ $skips = 0 ]
