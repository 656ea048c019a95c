/* Recurrent plans by tiles of samples: values (steps, features) of several samples lie as any value does in
 * the tile layout, so that the rows of a step are a tile of their own. */
#ifndef SNN_SEQUENCE_H
#define SNN_SEQUENCE_H

#include "plan/step.h"

/* Finds the products of steps: a matrix turned, a convolution of one place and the result turned back, of
 * which the step that reads the result (a cell), or turns it back, takes over all in a tile. Sets
 * plan->by_tiles where every step of the plan can run on tiles then. Before arena.c. 0 when memory is out. */
int snn_sequence_find(snn_plan *plan, int64_t slots);

/* The shares of member of the product that a step took over, of one step -> z (rows and those that fill
 * panels up, lanes). */
void snn_sequence_product(const snn_plan *plan, const snn_step *step, const snn_frame *frame, int64_t at,
                          float *z, int member, int members);
/* Of all steps -> y, by a step that turned it back. */
void snn_sequence_multiply(const snn_plan *plan, const snn_step *step, const snn_frame *frame, float *y,
                           int member, int members);
/* Floats of scratch that this takes, in tiles of so many samples. */
int64_t snn_sequence_scratch(const snn_plan *plan, const snn_step *step, int samples);

/* Whether samples of a bucket are the lanes of a tile, in a plan by sample. */
static inline int snn_is_sequence(const snn_plan *plan, const snn_bucket *bucket)
{
    return plan->by_sample && bucket->layout == SNN_LAYOUT_TILE;
}
/* Whether the tiles of a step's kernels are positions of a sample. */
static inline int snn_takes_positions(const snn_step *step, const snn_bucket *bucket)
{
    return step->type == SNN_STEP_CONVOLUTION && bucket->layout == SNN_LAYOUT_COLUMN && !step->by_column;
}
/* Whether steps take over what they can in tiles of a bucket, and in a frame. */
static inline int snn_takes_over_in(const snn_plan *plan, const snn_step *step, const snn_bucket *bucket)
{
    return step->by_column || snn_is_sequence(plan, bucket);
}
static inline int snn_takes_over(const snn_plan *plan, const snn_step *step, const snn_frame *frame)
{
    return !frame->exact && snn_takes_over_in(plan, step, frame->bucket);
}

#endif
