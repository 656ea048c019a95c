/* Random CSR matrices of odd sizes, and kernel sets for them. */
#ifndef SNN_TEST_PERTURBED_CSR_H
#define SNN_TEST_PERTURBED_CSR_H

#include "base/cpu.h"
#include "base/memory.h"
#include "kernels/kernel.h"
#include "pack/pack.h"
#include "perturbed_threads.h"

enum { WIDEST = 257 };

/* Below, at and above widths of tiles, panels and windows. */
static inline int64_t odd_size(void)
{
    static const int sizes[] = {1, 2, 3, 7, 15, 16, 17, 31, 33, 47, 63, 64, 65, 100, 129, WIDEST};
    return sizes[chance(chance(4) ? 14 : 16)];
}

/* A random pattern and values; in one of three the rows stand in groups of eight that share their columns, so
 * that panels of rows are candidates. dense: (rows, cols) or NULL. */
static inline snn_csr random_csr(int64_t rows, int64_t cols, int percent, float *dense)
{
    const size_t room = (size_t)(rows * cols);
    int64_t *indptr = snn_alloc((size_t)rows + 1, sizeof *indptr);
    int32_t *indices = snn_alloc(room, sizeof *indices);
    float *data = snn_alloc(room, sizeof *data);
    static unsigned char kept[WIDEST];
    const int group = chance(3) ? 1 : 8;
    int64_t at = 0;
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < cols; c++) {
            if (r % group == 0)
                kept[c] = chance(100) < percent;
            const float value = chance_value();
            if (!kept[c] || value == 0.0f)
                continue;
            indices[at] = (int32_t)c;
            data[at++] = value;
            if (dense)
                dense[r * cols + c] = value;
        }
        indptr[r + 1] = at;
    }
    return (snn_csr){rows, cols, indptr, indices, data};
}

static inline void free_csr(const snn_csr *csr)
{
    snn_free((void *)csr->indptr);
    snn_free((void *)csr->indices);
    snn_free((void *)csr->data);
}

/* The name of a kernel set that this machine has. */
static inline const char *random_isa(void)
{
    const char *usable[8];
    int count = 0;
    for (const snn_isa *const *isa = snn_isa_table(); *isa; isa++)
        if (snn_cpu_supports((*isa)->name))
            usable[count++] = (*isa)->name;
    return usable[chance(count)];
}

#endif
