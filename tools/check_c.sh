#!/bin/sh
# The heavy checks of the C core; make fuzz, make sanitize, make valgrind, make tsan and make perturbed run them.
#
#     tools/check_c.sh fuzz      altered model files: libFuzzer where clang has it, then in-process mutations
#     tools/check_c.sh sanitize  all C tests and examples under AddressSanitizer and UBSan
#     tools/check_c.sh valgrind  all C tests and examples under valgrind
#     tools/check_c.sh tsan      threads at once under ThreadSanitizer, OpenMP left out: it knows nothing of it
#     tools/check_c.sh perturbed plans and training on threads held up at random, against one thread bit for bit
#
# CC chooses the compiler. FUZZ_RUNS (1000000) says how many inputs each harness tries, FUZZ_SECONDS (600)
# when libFuzzer stops at the latest; PERTURBED_RUNS (100000) how many runs of plans perturbed makes, and a
# quarter as many of training and a hundredth of convolutions in training, PERTURBED_SEED (1) which. Build folders
# are build/check-*.
set -eu
cd "$(dirname "$0")/.."
golden=tests/golden
chains=$(find "$golden" -name '*.safetensors' ! -name 'graph-*') # with one input and one output

say() { echo "==> $*"; }
fail() { echo "==> $*" >&2; exit 1; }
need() { command -v "$1" >/dev/null || fail "$1 is not installed: $2"; }

# can_link COMPILER FLAG: whether a program built so links, the sanitizer's runtime included.
can_link() {
    command -v "$1" >/dev/null || return 1
    mkdir -p build
    echo 'int LLVMFuzzerTestOneInput(const unsigned char *b, unsigned long n) { return b && n > 9; }' >build/probe.c
    [ "$2" = -fsanitize=fuzzer ] || echo 'int main(void) { return 0; }' >>build/probe.c
    "$1" "$2" build/probe.c -o build/probe 2>/dev/null
}

# choose_compiler FLAG: sets $compiler to CC, gcc or clang, the first that has that sanitizer.
choose_compiler() {
    for compiler in ${CC:-gcc clang cc}; do
        can_link "$compiler" "$1" && return
    done
    fail "no compiler here links $1: sudo apt-get install gcc (or clang)"
}

# build NAME FLAGS [CMAKE OPTIONS]: builds core, tests and examples with $compiler in build/check-NAME.
build() {
    need cmake "sudo apt-get install cmake, or pip install cmake"
    folder=build/check-$1
    flags=$2
    shift 2
    say "building in $folder with $compiler $flags"
    cmake -S src_c -B "$folder" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER="$compiler" \
        -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags" "$@" >/dev/null
    cmake --build "$folder" --parallel "$(getconf _NPROCESSORS_ONLN)" >/dev/null
}

# run_examples PREFIX: every example on every golden model, under the command PREFIX.
run_examples() {
    $1 "$folder/embed_memory" >/dev/null
    for model in $chains; do
        $1 "$folder/embed" "$model" >/dev/null
        $1 "$folder/embed_graph" "$model" >/dev/null
        if [ -x "$folder/embed_cpp" ]; then $1 "$folder/embed_cpp" "$model" >/dev/null; fi
    done
    $1 "$folder/threads" "$golden/csr.safetensors"
    $1 "$folder/threads" "$golden/activations.safetensors"
}

check_sanitize() {
    choose_compiler -fsanitize=address,undefined
    build sanitize "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g"
    ctest --test-dir "$folder" --output-on-failure --no-tests=error
    run_examples ""
    say "AddressSanitizer and UBSan: clean"
}

check_valgrind() {
    need valgrind "sudo apt-get install valgrind"
    compiler=${CC:-cc}
    build valgrind "-g"
    # Threads that wait must sleep: valgrind runs one at a time.
    export OMP_WAIT_POLICY=passive OMP_NUM_THREADS=2
    strict="valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect
        --errors-for-leak-kinds=definite,indirect"
    for test in "$folder"/test_* "$folder/fuzz_format"; do
        say "valgrind $(basename "$test")"
        arguments=
        case $test in
        */fuzz_format) arguments="1 2000" ;;
        */test_perturbed*) arguments=150 ;;
        esac
        $strict "$test" $arguments || [ $? = 77 ] || fail "valgrind found something in $test"
    done
    run_examples "$strict"
    say "valgrind: clean"
}

check_tsan() {
    choose_compiler -fsanitize=thread
    build tsan "-fsanitize=thread -g" -DSNN_OPENMP=OFF
    export TSAN_OPTIONS="halt_on_error=1 ${TSAN_OPTIONS:-}"
    run_threads=
    # Address randomisation of recent kernels is more than older runtimes can bear.
    "$folder/embed_memory" >/dev/null 2>&1 || run_threads="setarch $(uname -m) --addr-no-randomize"
    $run_threads "$folder/test_threads"
    $run_threads "$folder/test_shapes"
    $run_threads "$folder/test_perturbed"
    $run_threads "$folder/test_perturbed_train"
    $run_threads "$folder/test_train_conv"
    $run_threads "$folder/test_train_channels"
    $run_threads "$folder/test_train_pool"
    for model in $chains; do $run_threads "$folder/threads" "$model"; done
    say "ThreadSanitizer: clean"
}

check_perturbed() {
    runs=${PERTURBED_RUNS:-100000}
    seed=${PERTURBED_SEED:-1}
    compiler=${CC:-cc}
    build perturbed "-g" -DSNN_BUILD_EXAMPLES=OFF
    "$folder/test_perturbed" "$runs" "$seed"
    "$folder/test_perturbed_train" "$((runs / 4))" "$seed"
    "$folder/test_train_conv" "$((runs / 100))" "$seed"
    say "perturbed: clean"
}

check_fuzz() {
    seconds=${FUZZ_SECONDS:-600}
    runs=${FUZZ_RUNS:-1000000}
    if can_link "${CC:-clang}" -fsanitize=fuzzer; then
        compiler=${CC:-clang}
        build fuzz "-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -g" \
            -DSNN_OPENMP=OFF -DSNN_BUILD_EXAMPLES=OFF
        mkdir -p "$folder/corpus"
        "$compiler" -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -DSNN_LIBFUZZER -UNDEBUG \
            -Isrc_c -Isrc_c/include src_c/tests/fuzz_format.c "$folder/libsparsenn_testable.a" -lm -pthread \
            -o "$folder/libfuzzer_format"
        say "libFuzzer: $runs runs or $seconds s; what it finds stays in $folder"
        # No input over 1 s, no allocation of more than twice the largest input and 16 MB (fuzz_format checks
        # each input's own bound).
        "$folder/libfuzzer_format" -max_total_time="$seconds" -runs="$runs" -timeout=1 -max_len=65536 \
            -malloc_limit_mb=17 -artifact_prefix="$folder/" -print_final_stats=1 "$folder/corpus" "$golden"
    else
        say "no libFuzzer here (clang has it: sudo apt-get install clang): in-process mutations alone"
        choose_compiler -fsanitize=address,undefined
        build fuzz "-fsanitize=address,undefined -fno-sanitize-recover=all -g" -DSNN_BUILD_EXAMPLES=OFF
    fi
    say "in-process: $runs mutations"
    "$folder/fuzz_format" "${FUZZ_SEED:-1}" "$runs"
    say "fuzzing: clean"
}

case ${1:-} in
fuzz | sanitize | valgrind | tsan | perturbed) "check_$1" ;;
*) fail "usage: tools/check_c.sh fuzz|sanitize|valgrind|tsan|perturbed" ;;
esac
