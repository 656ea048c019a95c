/* Running tiles: samples next to each other, through all steps. */
#ifndef SNN_TILE_H
#define SNN_TILE_H

#include "plan/step.h"

/* Of a stream: what the cells of each sample go on from, and where they leave it (batch, size); or NULL. */
typedef struct snn_states {
    const float *state;
    float *next;
    int64_t size;
} snn_states;
static inline void snn_frame_set_states(snn_frame *frame, const snn_states *states, int64_t sample)
{
    if (!states->state)
        return;
    frame->state = states->state + sample * states->size;
    frame->next = states->next + sample * states->size;
    frame->state_size = states->size;
}

/* What every thread reads for each tile comes first: two cache lines, which another core has to fetch. */
typedef struct snn_run {
    const snn_plan *plan;
    const float *const *x; /* the inputs */
    float *const *y;       /* the outputs */
    snn_order x_order, y_order;
    int64_t batch;
    snn_workspace *workspace;
    snn_crowd *crowd; /* NULL: threads are not watched */
    snn_states states;
    int segment_count;
    atomic_int nan;     /* set by whoever stores one in an output */
    const float *one_x; /* what x and y point to where there is one of each */
    float *one_y;
    snn_segment segments[SNN_MAX_SEGMENTS];
} snn_run;

static inline snn_arrival *snn_arrivals(const snn_run *r)
{
    return (snn_arrival *)(void *)(r->workspace->memory + r->workspace->extent.arrivals_at);
}

/* What comes before a split tile in the same run, and may keep other threads busy in the arena. */
typedef enum snn_before { SNN_NOTHING, SNN_SAME_SEGMENT, SNN_OTHER_SEGMENT } snn_before;

/* The tile of the bucket that begins with sample first, by one thread in its own arena. */
void snn_tile_run(snn_run *r, int bucket, int64_t first, int thread);
/* The same by all threads, each taking a part of every step. */
void snn_tile_run_split(snn_run *r, int bucket, int64_t first, int thread, int threads, snn_before before);
/* The first tile of the first bucket, by one thread: the least time so far of each step, by a clock -> us. */
void snn_tile_time(snn_run *r, clockid_t clock, double *us);

/* A bucket's last packing where its step gives the only output, and the rows that each thread computes of it
 * are a run; else NULL. */
static inline const snn_packing *snn_last_rows(const snn_plan *plan, const snn_bucket *bucket)
{
    const snn_step *last = &plan->steps[plan->step_count - 1];
    if (last->type != SNN_STEP_LINEAR || plan->out_count != 1 ||
        last->result.row != plan->ports_out[0].place.row)
        return NULL;
    const snn_packing *packing = last->chosen[bucket - plan->buckets].packing;
    return packing->bounds ? packing : NULL;
}

/* Notes that an output has a NaN. */
static inline void snn_run_found(snn_run *r) { atomic_store_explicit(&r->nan, 1, memory_order_relaxed); }
/* Notes whether there is a NaN among count values of an output. */
static inline void snn_run_watch(snn_run *r, const float *y, int64_t count)
{
    if (r->plan->isa->has_nan(y, count))
        snn_run_found(r);
}

/* exact.c: the samples with a NaN in an output once more, by the weights that are not 0 alone; takes a
 * workspace of its own. */
snn_status snn_run_exact(const snn_run *run);

/* run.c: snn_plan_run_many of a plan of fixed dims, from and to states. */
snn_status snn_plan_run_states(const snn_plan *plan, const float *const *x, int64_t batch, float *const *y,
                               const snn_states *states);

#endif
