/* What the tests of the vector words share. Such a test is built once for each ISA, with that ISA's flags
 * and SNN_WORDS naming its header; built without, it tests the scalar words. */
#ifndef SNN_VECTOR_TEST_H
#define SNN_VECTOR_TEST_H

#include <stdio.h>
#include <string.h>

#ifndef SNN_WORDS
#define SNN_WORDS "isa/words_scalar.h"
#endif
#include SNN_WORDS

#define SNN_TEXT_OF(x) #x
#define SNN_TEXT(x) SNN_TEXT_OF(x)

/* 0 to go on; otherwise the exit code: 77 (skipped) where the processor lacks what this file was built
 * for, 1 when argv[1] names another ISA than the words that were compiled in. */
static inline int vector_test_begin(int argc, char **argv)
{
    const char *isa = SNN_TEXT(SNN_ISA);
    if (argc > 1 && strcmp(argv[1], isa) != 0) {
        fprintf(stderr, "built for %s, asked to test %s\n", isa, argv[1]);
        return 1;
    }
    int supported = 1;
#if defined(__AVX512F__)
    supported = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#elif defined(__AVX2__)
    supported = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    printf("%s: %s\n", isa, supported ? "tested" : "SKIPPED, this processor lacks it");
    return supported ? 0 : 77;
}

#endif
