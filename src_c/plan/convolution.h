/* Convolutions of one sample: positions are cut into tiles, and a tile is multiplied by W as a tile of
 * samples is in a linear step. x (channels, height, width), y (rows, positions). */
#ifndef SNN_CONVOLUTION_H
#define SNN_CONVOLUTION_H

#include "graph/op.h"
#include "plan/plan.h"

/* A convolution and where its operands lie. */
typedef struct snn_convolution {
    const snn_plan *plan;
    const snn_step *step;
    const snn_choice *choice;
    const float *x, *addend; /* addend (rows, positions) comes before the activation; or NULL */
    float *y;
    int spare;      /* y lies in the arena: kernels may write the rows behind it (snn_place.spare) */
    float *scratch; /* snn_convolution_scratch */
} snn_convolution;

static inline int64_t snn_convolution_positions(const snn_step *step)
{
    return step->window->out_height * step->window->out_width;
}
/* Positions are the samples of a kernel: how many tiles of them a step has. */
static inline int64_t snn_convolution_tiles(const snn_step *step, const snn_kernel *kernel)
{
    return (snn_convolution_positions(step) + kernel->samples - 1) / kernel->samples;
}

/* The part of member: some tiles, the first and the last perhaps for some of the rows alone. */
void snn_convolution_run(const snn_convolution *c, int member, int members);
/* Tiles [first, end). */
void snn_convolution_run_tiles(const snn_convolution *c, int64_t first, int64_t end);
/* All of it by the weights that are not 0 alone, without what comes after the sums: for exact.c. */
void snn_convolution_exact(const snn_convolution *c);
/* Floats of scratch for a step with a kernel of so many samples. */
int64_t snn_convolution_scratch(const snn_plan *plan, const snn_step *step, int64_t samples);

#endif
