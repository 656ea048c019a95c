/* What the tests of training share: random patterns, and tiles of samples, for the ISA that is set. */
#ifndef SNN_TEST_TRAIN_PATTERN_H
#define SNN_TEST_TRAIN_PATTERN_H

#include "check.h"

#include "base/cpu.h"
#include "base/memory.h"
#include "kernels/kernel.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

static uint64_t state = 88172645463325252u;
static inline double uniform(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) / 9007199254740992.0;
}

static int64_t compared;

static inline int near(const char *what, double got, double wanted, double bound)
{
    compared++;
    if (fabs(got - wanted) <= bound)
        return 1;
    printf("%s: %.9g, wanted %.9g, bound %.3g\n", what, got, wanted, bound);
    return 0;
}

typedef struct pattern {
    int64_t rows, cols, *indptr;
    int32_t *indices;
    float *data, *bias;
} pattern;

/* sparsity below 0: every weight; else some rows are empty. */
static inline pattern make_pattern(int64_t rows, int64_t cols, double sparsity)
{
    pattern p = {rows,
                 cols,
                 snn_alloc((size_t)rows + 1, 8),
                 snn_alloc((size_t)(rows * cols), 4),
                 snn_alloc((size_t)(rows * cols), 4),
                 snn_alloc((size_t)rows, 4)};
    int64_t at = 0;
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < cols; c++) {
            if ((rows > 2 && r % 7 == 3 && sparsity >= 0) || uniform() < sparsity)
                continue;
            p.indices[at] = (int32_t)c;
            p.data[at++] = (float)(uniform() - 0.5);
        }
        p.indptr[r + 1] = at;
        p.bias[r] = (float)(uniform() - 0.5);
    }
    return p;
}

static inline snn_tiles make_tiles(int64_t batch, int64_t features, int threads, float fill)
{
    const int64_t width = snn_tile_samples(), count = (batch + width - 1) / width,
                  stride = features + threads;
    snn_tiles tiles = {snn_alloc((size_t)(count * stride * width), sizeof(float)), count, stride};
    for (int64_t i = 0; i < count * stride * width; i++)
        tiles.values[i] = fill;
    return tiles;
}

static inline float *at(snn_tiles tiles, int64_t feature, int64_t sample)
{
    const int64_t width = snn_tile_samples();
    return tiles.values + (sample / width * tiles.stride + feature) * width + sample % width;
}

/* Random values for the samples, zero behind the last one. */
static inline void fill(snn_tiles tiles, int64_t features, int64_t batch)
{
    const int64_t samples = tiles.count * snn_tile_samples();
    for (int64_t f = 0; f < features; f++)
        for (int64_t s = 0; s < samples; s++)
            *at(tiles, f, s) = s < batch ? (float)(2 * uniform() - 1) : 0.0f;
}

/* Runs tests with each ISA that this machine can run as the default one. */
static inline void on_every_isa(void (*tests)(const snn_isa *isa))
{
    for (int i = 0; snn_isa_table()[i]; i++) {
        const snn_isa *isa = snn_isa_table()[i];
        if (!snn_cpu_supports(isa->name)) {
            printf("skipped: %s, which this processor does not support\n", isa->name);
            continue;
        }
        CHECK(setenv("SPARSENN_ISA", isa->name, 1) == 0);
        compared = 0;
        tests(isa);
        printf("%s: %lld values compared\n", isa->name, (long long)compared);
    }
}

#endif
