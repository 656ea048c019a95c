/* Running one step on one tile. */
#ifndef SNN_STEP_H
#define SNN_STEP_H

#include "base/meeting.h"
#include "plan/plan.h"

/* Where the values of a tile lie. */
typedef struct snn_frame {
    const snn_bucket *bucket;
    size_t row_floats;
    float *arena;          /* of what steps give */
    float *inputs;         /* the arena that the inputs were copied into */
    float *scratch;        /* by sample: this thread's */
    const float *const *x; /* the inputs are the tile already: they are read here; or NULL */
    int exact;             /* by the weights that are not 0 alone: exact.c */
    int64_t samples;       /* that are there; the tile may be wider */
    const float *state;    /* of a stream: what the cells of the samples go on from; or NULL */
    float *next;           /* where they leave it */
    int64_t state_size;    /* floats of a sample */
    atomic_int *turns;     /* (steps, threads) chunks taken: turns.h; NULL: each thread does its own part */
    snn_arrival *arrivals; /* (threads) where those that share the tile meet within a step */
} snn_frame;

static inline float *snn_frame_result(const snn_frame *frame, const snn_place *place)
{
    return frame->arena + (size_t)place->row * frame->row_floats;
}

/* The convolution, or pool, of a step in a frame -> y. */
struct snn_convolution snn_frame_convolution(const snn_plan *plan, const snn_step *step,
                                             const snn_frame *frame, float *y);

static inline const float *snn_frame_operand(const snn_frame *frame, const snn_place *place)
{
    if (place->constant)
        return place->constant;
    if (place->input < 0)
        return snn_frame_result(frame, place);
    return frame->x ? frame->x[place->input] : frame->inputs + (size_t)place->row * frame->row_floats;
}

/* Whole vectors of features for each of several threads: where those of member begin. */
static inline int64_t snn_part(int64_t features, int member, int members)
{
    const int64_t vectors = (features + 15) / 16, first = vectors * member / members * 16;
    return first < features ? first : features;
}

/* The part of member, of so many members, of a step -> y, whose samples lie y_stride apart in the column
 * layout. Returns whether it saw a NaN: products in the column layout alone look. */
int snn_step_run(const snn_plan *plan, const snn_step *step, const snn_frame *frame, float *y,
                 int64_t y_stride, int member, int members);

/* exact.c: W x + b of one sample by the weights that are not 0 alone, of a plan by sample. */
void snn_step_multiply(const snn_plan *plan, const snn_step *step, const float *x, float *y);
/* lookup.c: rows of a table. */
void snn_lookup_run(const snn_step *step, const snn_frame *frame, float *y, int member, int members);
/* axes.c: softmaxes, normalisations, reductions and resizing. */
void snn_axes_run(const snn_plan *plan, const snn_step *step, const snn_frame *frame, float *y,
                  int64_t y_stride, int member, int members);
/* pool.c: the part of member of the channels -> y. scratch: (snn_pool_scratch). */
void snn_pool_run(const struct snn_convolution *c, int member, int members);
int64_t snn_pool_scratch(const snn_step *step, int lanes);

#endif
