/* Dense convolutions: packing, and the sums of a target (dense.h). */
#include "train/dense.h"

#include "base/memory.h"
#include "base/minmax.h"

#include <string.h>

int snn_dense_pack(snn_field *f, int64_t count, const int32_t *rows, const int32_t *columns,
                   const int32_t *numbers, int32_t *position)
{
    const int64_t all = snn_field_columns(f), floats = snn_panels_of(f->rows) * all * SNN_TRAIN_ROWS;
    if (floats > INT32_MAX)
        return 0;
    f->weights = snn_alloc((size_t)floats, sizeof *f->weights);
    if (!f->weights)
        return 0;
    for (int64_t i = 0; i < count; i++)
        position[numbers[i]] = (int32_t)((rows[i] / SNN_TRAIN_ROWS * all + columns[i]) * SNN_TRAIN_ROWS +
                                         rows[i] % SNN_TRAIN_ROWS);
    return 1;
}

/* The part of a run that lies in the source: its first float, where its columns begin, how many they are. */
typedef struct part {
    const float *x;
    int64_t first, columns;
} part;

static part part_of(const snn_field *f, const float *source, int64_t number, int64_t i, int64_t j)
{
    const snn_run *run = &f->runs[number];
    const int64_t h = i * f->step_h + run->dh, w = j * f->step_w + run->dw;
    const int64_t from = w < 0 ? snn_min(-w, f->run_places) : 0, end = snn_min(f->width - w, f->run_places);
    if (h < 0 || h >= f->height || end <= from)
        return (part){source, 0, 0};
    return (part){source + (h * f->width + w + from) * f->channels * f->kernel->samples,
                  number * f->run_columns + from * f->channels, (end - from) * f->channels};
}

/* By the weights that are not 0 alone, where the products gave a NaN. */
static void sum_exactly(const snn_isa *isa, const snn_field *f, const float *source, int64_t i, int64_t j,
                        const float *bias, int64_t row, float *y)
{
    const int64_t samples = f->kernel->samples, all = snn_field_columns(f);
    const float *weights = f->weights + row / SNN_TRAIN_ROWS * all * SNN_TRAIN_ROWS + row % SNN_TRAIN_ROWS;
    for (int64_t s = 0; s < samples; s++)
        y[s] = bias[row];
    for (int64_t r = 0; r < f->run_count; r++) {
        const part p = part_of(f, source, r, i, j);
        for (int64_t k = 0; k < p.columns; k++)
            isa->scaled_add(weights[(p.first + k) * SNN_TRAIN_ROWS], p.x + k * samples, y, samples);
    }
}

void snn_dense_target(const snn_isa *isa, const snn_field *f, const float *source, int64_t i, int64_t j,
                      const float *bias, float *y)
{
    const int64_t samples = f->kernel->samples, stride = snn_field_columns(f) * SNN_TRAIN_ROWS;
    const int64_t block = SNN_DENSE_BLOCK(samples);
    const float *begin = bias;
    for (int64_t r = 0; r < f->run_count; r++) {
        const part p = part_of(f, source, r, i, j);
        for (int64_t k = 0; k < p.columns; k += block) {
            isa->dense_sum(f->weights + (p.first + k) * SNN_TRAIN_ROWS, stride, p.x + k * samples,
                           snn_min(block, p.columns - k), begin, y, f->rows);
            begin = NULL;
        }
    }
    if (begin)
        isa->dense_sum(f->weights, stride, source, 0, begin, y, f->rows);
    else if (isa->has_nan(y, f->rows * samples))
        for (int64_t row = 0; row < f->rows; row++)
            sum_exactly(isa, f, source, i, j, bias, row, y + row * samples);
}
