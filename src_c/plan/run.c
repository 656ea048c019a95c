/* Running a plan: one parallel region, no allocation. Nearly all time goes to the kernels.
 *
 * Kernels multiply what they read beside the weights by 0, which makes a false NaN where that is infinite or
 * NaN. Every op keeps NaN, so a false one that matters is seen in an output: then exact.c runs those samples
 * again. */
#include "plan/tile.h"

#include "base/status.h"
#include "base/threads.h"

#include <string.h>

static void run_thread(void *argument, int thread, int threads)
{
    snn_run *r = argument;
    for (int s = 0; s < r->segment_count; s++) {
        const snn_segment *segment = &r->segments[s];
        const int64_t width = r->plan->buckets[segment->bucket].samples;
        if (segment->split) {
            for (int64_t t = 0; t < segment->tiles; t++)
                snn_tile_run_split(r, segment->bucket, segment->first_sample + t * width, thread, threads,
                                   t > 0   ? SNN_SAME_SEGMENT
                                   : s > 0 ? SNN_OTHER_SEGMENT
                                           : SNN_NOTHING);
        } else {
            // Tiles next to each other go to one thread: their samples are next to each other in x and y.
            const int64_t share = segment->tiles / (8 * (int64_t)threads), together = share > 1 ? share : 1;
            for (int64_t t; (t = atomic_fetch_add(&r->workspace->next_tile[s], together)) < segment->tiles;)
                for (int64_t end = t + together; t < end && t < segment->tiles; t++)
                    snn_tile_run(r, segment->bucket, segment->first_sample + t * width, thread);
        }
    }
}

/* Nobody has taken a turn yet, nor come anywhere. */
static void clear_turns(const snn_run *r)
{
    const snn_extent *e = &r->workspace->extent;
    atomic_int *turns = (atomic_int *)(void *)(r->workspace->memory + e->turns_at);
    for (size_t i = 0; i < 2 * e->turns; i++)
        atomic_store_explicit(&turns[i], 0, memory_order_relaxed);
    snn_arrival *arrivals = snn_arrivals(r);
    for (size_t i = 0; i < e->arrivals; i++)
        atomic_store_explicit(&arrivals[i].count, 0, memory_order_relaxed);
}

static void run_segments(snn_run *r)
{
    clear_turns(r);
    int64_t useful = 1; // threads that have something to do
    double one_thread_us = 0.0;
    for (int s = 0; s < r->segment_count; s++) {
        const snn_segment *segment = &r->segments[s];
        if (!segment->split)
            atomic_store_explicit(&r->workspace->next_tile[s], 0, memory_order_relaxed);
        const int64_t busy = segment->split ? r->plan->threads : segment->tiles;
        if (busy > useful)
            useful = busy;
        one_thread_us += (double)segment->tiles * r->plan->buckets[segment->bucket].tile_us;
    }
    const int threads = useful < r->plan->threads ? (int)useful : r->plan->threads;
    if (threads == 1 || !r->crowd) {
        snn_parallel(threads, run_thread, r);
        return;
    }
    const snn_crowd_visit visit = snn_crowd_enter(r->crowd, threads, one_thread_us);
    snn_parallel(visit.threads, run_thread, r);
    snn_crowd_leave(r->crowd, &visit, threads);
}

/* What was written into outputs directly and not looked at by the thread that did: split tiles, and a batch
 * of one tile, where a thread would wait for its own stores, which the workspace's return has waited for. */
static void watch_direct(snn_run *r)
{
    for (int s = 0; s < r->segment_count; s++) {
        const snn_segment *segment = &r->segments[s];
        const snn_bucket *bucket = &r->plan->buckets[segment->bucket];
        const int64_t left = r->batch - segment->first_sample, samples = segment->tiles * bucket->samples;
        const int later = segment->split || bucket->samples == r->batch;
        if (bucket->layout != SNN_LAYOUT_COLUMN || !later)
            continue;
        for (int64_t i = 0; i < r->plan->out_count; i++) {
            const snn_port *port = &r->plan->ports_out[i];
            if (port->direct && !port->seen)
                snn_run_watch(r, r->y[i] + segment->first_sample * port->features,
                              (samples < left ? samples : left) * port->features);
        }
    }
}

/* After the region and without its workspace: samples with a NaN once more. */
static snn_status make_exact(snn_run *r)
{
    if (r->y_order == SNN_SAMPLES_FIRST)
        watch_direct(r);
    return atomic_load_explicit(&r->nan, memory_order_relaxed) ? snn_run_exact(r) : SNN_OK;
}

/* Inputs and outputs that lie one after the other, as pointers in the workspace. */
static void spread(snn_run *r, const float *x, float *y)
{
    const snn_plan *plan = r->plan;
    for (int64_t i = 0; i < plan->in_count; x += plan->ports_in[i++].features * r->batch)
        r->workspace->x[i] = x;
    for (int64_t i = 0; i < plan->out_count; y += plan->ports_out[i++].features * r->batch)
        r->workspace->y[i] = y;
    r->x = r->workspace->x;
    r->y = r->workspace->y;
}

snn_status snn_plan_run_cut(const snn_plan *plan, snn_workspace *workspace, const float *x, snn_order x_order,
                            int64_t batch, float *y, snn_order y_order, const snn_segment *segments,
                            int count)
{
    snn_run r = {.plan = plan,
                 .x_order = x_order,
                 .y_order = y_order,
                 .batch = batch,
                 .workspace = workspace,
                 .segment_count = count};
    memcpy(r.segments, segments, (size_t)count * sizeof *segments);
    spread(&r, x, y);
    run_segments(&r);
    return make_exact(&r);
}

void snn_plan_run_bucket(const snn_plan *plan, snn_workspace *workspace, const float *x, int64_t batch,
                         float *y, int bucket, int split)
{
    const int64_t width = plan->buckets[bucket].samples;
    snn_run r = {.plan = plan, .batch = batch, .workspace = workspace, .segment_count = 1};
    r.segments[0] = (snn_segment){bucket, split, 0, (batch + width - 1) / width};
    spread(&r, x, y);
    run_segments(&r);
}

void snn_plan_time_steps(const snn_plan *plan, snn_workspace *workspace, const float *x, float *y,
                         clockid_t clock, double *us)
{
    snn_run r = {.plan = plan, .batch = plan->buckets[0].samples, .workspace = workspace};
    spread(&r, x, y);
    snn_tile_time(&r, clock, us);
}

/* ---- public ---- */

static snn_status check_order(const char *name, snn_order order)
{
    if (order != SNN_SAMPLES_FIRST && order != SNN_FEATURES_FIRST)
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "%s must be SNN_SAMPLES_FIRST (0) or SNN_FEATURES_FIRST (1), got %d", name,
                        (int)order);
    return SNN_OK;
}

static snn_status check_batch(const snn_plan *plan, int64_t batch)
{
    if (!plan)
        return snn_fail(SNN_ERROR_ARGUMENT, "plan must not be NULL");
    if (plan->shapes)
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "plan has inputs of dynamic dims: snn_plan_run_shaped takes them");
    if (batch < 0)
        return snn_fail(SNN_ERROR_ARGUMENT, "batch must be at least 0, got %lld", (long long)batch);
    return SNN_OK;
}

static const snn_states no_states;

/* x (inputs) and y (outputs): none of them NULL. */
static snn_status run_arrays(const snn_plan *plan, const float *const *x, snn_order x_order, int64_t batch,
                             float *const *y, snn_order y_order, const snn_states *states)
{
    snn_run r; // without zeroing its segments, which takes longer than scheduling one sample
    r.plan = plan;
    r.x = plan->in_count == 1 ? &r.one_x : x;
    r.one_x = x[0];
    r.y = plan->out_count == 1 ? &r.one_y : y;
    r.one_y = y[0];
    r.x_order = batch == 1 ? SNN_SAMPLES_FIRST : x_order; // the same, and it needs no turning
    r.y_order = batch == 1 ? SNN_SAMPLES_FIRST : y_order;
    r.batch = batch;
    r.workspace = snn_workspace_take(plan);
    r.crowd = plan->crowd;
    r.states = *states;
    atomic_init(&r.nan, 0);
    if (!r.workspace)
        return snn_fail(SNN_ERROR_MEMORY, "out of memory for a workspace");
    r.segment_count = snn_schedule(plan, batch, r.segments);
    run_segments(&r);
    snn_workspace_return(plan, r.workspace);
    return make_exact(&r);
}

snn_status snn_plan_run_ordered(const snn_plan *plan, const float *x, snn_order x_order, int64_t batch,
                                float *y, snn_order y_order)
{
    if (check_batch(plan, batch) || check_order("x_order", x_order) || check_order("y_order", y_order))
        return SNN_ERROR_ARGUMENT;
    if (plan->in_count != 1 || plan->out_count != 1)
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "plan has %lld inputs and %lld outputs: snn_plan_run_many takes them",
                        (long long)plan->in_count, (long long)plan->out_count);
    if (batch == 0)
        return SNN_OK;
    if (!x || !y)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL", x ? "y" : "x");
    return run_arrays(plan, &x, x_order, batch, &y, y_order, &no_states);
}

snn_status snn_plan_run(const snn_plan *plan, const float *x, int64_t batch, float *y)
{
    return snn_plan_run_ordered(plan, x, SNN_SAMPLES_FIRST, batch, y, SNN_SAMPLES_FIRST);
}

snn_status snn_plan_run_states(const snn_plan *plan, const float *const *x, int64_t batch, float *const *y,
                               const snn_states *states)
{
    if (check_batch(plan, batch))
        return SNN_ERROR_ARGUMENT;
    if (batch == 0)
        return SNN_OK;
    if (!x || !y)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL", x ? "y" : "x");
    for (int64_t i = 0; i < plan->in_count; i++)
        if (!x[i])
            return snn_fail(SNN_ERROR_ARGUMENT, "x[%lld] must not be NULL", (long long)i);
    for (int64_t i = 0; i < plan->out_count; i++)
        if (!y[i])
            return snn_fail(SNN_ERROR_ARGUMENT, "y[%lld] must not be NULL", (long long)i);
    return run_arrays(plan, x, SNN_SAMPLES_FIRST, batch, y, SNN_SAMPLES_FIRST, states);
}

snn_status snn_plan_run_many(const snn_plan *plan, const float *const *x, int64_t batch, float *const *y)
{
    return snn_plan_run_states(plan, x, batch, y, &no_states);
}
