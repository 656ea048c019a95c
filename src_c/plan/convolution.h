/* Convolutions of one sample: positions are cut into tiles, and a tile is multiplied by W as a tile of
 * samples is in a linear step. x (channels, height, width), y (rows, positions). */
#ifndef SNN_CONVOLUTION_H
#define SNN_CONVOLUTION_H

#include "graph/op.h"
#include "plan/plan.h"

#include <stdatomic.h>

/* A convolution, a depthwise one or a pool, and where its operands lie. */
typedef struct snn_convolution {
    const snn_plan *plan;
    const snn_step *step;
    const snn_window *window; /* the step's, or that of a band of its rows */
    const snn_choice *choice;
    const float *x, *addend; /* addend (rows, positions) comes before the activation; or NULL */
    int64_t addend_plane;    /* floats from a row of it to the next */
    float *y;
    int spare;         /* kernels may write some rows behind y (snn_place.spare) */
    float *scratch;    /* snn_convolution_scratch */
    atomic_int *taken; /* (members) chunks of each part: turns.h; NULL: each thread does its own */
} snn_convolution;

static inline int64_t snn_window_positions(const snn_window *window)
{
    return window->out_height * window->out_width;
}
/* Positions are the samples of a kernel: how many tiles of them there are. */
static inline int64_t snn_window_tiles(const snn_window *window, const snn_kernel *kernel)
{
    return (snn_window_positions(window) + kernel->samples - 1) / kernel->samples;
}

/* The part of member: some tiles, the first and the last perhaps for some of the rows alone. */
void snn_convolution_run(const snn_convolution *c, int member, int members);
/* Tiles [first, end). */
void snn_convolution_run_tiles(const snn_convolution *c, int64_t first, int64_t end);
/* All of it by the weights that are not 0 alone, without what comes after the sums: for exact.c. */
void snn_convolution_exact(const snn_convolution *c);
/* step.c: the part of member of a convolution, a depthwise one or a pool. */
void snn_window_run(const snn_convolution *c, int member, int members);
/* Floats of scratch for a step with a kernel of so many samples. */
int64_t snn_convolution_scratch(const snn_plan *plan, const snn_step *step, int64_t samples);

#endif
