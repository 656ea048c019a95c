/* Running a plan: one parallel region, no allocation. Nearly all time goes to the kernels.
 *
 * Kernels multiply what they read beside the weights by 0, which makes a false NaN where that is infinite or
 * NaN. Every op keeps NaN, so a false one that matters is seen in y: then exact.c runs those samples again.
 */
#include "plan/plan.h"

#include "base/status.h"
#include "base/threads.h"

#include <string.h>

/* ---- one tile ---- */

typedef struct run {
    const snn_plan *plan;
    const float *x;
    float *y;
    snn_order x_order, y_order;
    int64_t batch;
    snn_workspace *workspace;
    snn_segment segments[SNN_MAX_SEGMENTS];
    int segment_count;
    snn_crowd *crowd; /* NULL: threads are not watched */
    atomic_int nan;   /* set by whoever stores one in y */
} run;

/* Samples [first, first + the bucket's width) of a batch. */
typedef struct tile {
    const snn_bucket *bucket;
    int64_t first;
    int64_t samples; /* that are there; the tile may be wider */
    float *buffers[2];
    int in_place; /* x is the tile already */
    int direct;   /* the last step writes y itself */
} tile;

/* Features [first, end) of the tile's samples of x -> to, in the bucket's layout and width; samples past the
 * end are zero. */
static void load_tile(const run *r, const tile *t, int64_t first, int64_t end, float *to)
{
    SNN_PAUSE();
    const snn_isa *isa = r->plan->isa;
    const int64_t inputs = r->plan->inputs, width = t->bucket->samples, count = end - first;
    const int column = t->bucket->layout == SNN_LAYOUT_COLUMN;
    const int64_t stride = column ? snn_column_stride(inputs) : width;
    const float *from = r->x + t->first * inputs + first, *turned = r->x + first * r->batch + t->first;
    to += column ? first : first * width;
    if (r->x_order == SNN_SAMPLES_FIRST && !column) {
        isa->transpose(from, inputs, to, stride, t->samples, count, width);
        return;
    }
    if (t->samples < width && !column)
        memset(to, 0, (size_t)(count * width) * sizeof(float));
    for (int64_t s = t->samples; s < width && column; s++)
        memset(to + s * stride, 0, (size_t)count * sizeof(float));
    if (r->x_order == SNN_SAMPLES_FIRST)
        isa->copy(from, inputs, to, stride, t->samples, count);
    else if (column)
        isa->transpose(turned, r->batch, to, stride, count, t->samples, count);
    else
        isa->copy(turned, r->batch, to, stride, count, t->samples);
}

/* Notes whether there is a NaN among count values of y. */
static void watch(run *r, const float *y, int64_t count)
{
    if (r->plan->isa->has_nan(y, count))
        atomic_store_explicit(&r->nan, 1, memory_order_relaxed);
}

/* The other way: outputs [first, end) of a tile -> y. */
static void store_tile(run *r, const tile *t, const float *from, int64_t first, int64_t end)
{
    SNN_PAUSE();
    const snn_isa *isa = r->plan->isa;
    const int64_t outputs = r->plan->outputs, width = t->bucket->samples, count = end - first;
    const int column = t->bucket->layout == SNN_LAYOUT_COLUMN;
    const int64_t stride = column ? snn_column_stride(outputs) : width;
    const int64_t rows = column ? t->samples : count, columns = column ? count : t->samples;
    const int turned = column == (r->y_order == SNN_FEATURES_FIRST);
    const int64_t y_stride = r->y_order == SNN_SAMPLES_FIRST ? outputs : r->batch;
    float *y = r->y_order == SNN_SAMPLES_FIRST ? r->y + t->first * outputs + first
                                               : r->y + first * r->batch + t->first;
    from += column ? first : first * width;
    for (int64_t s = 0; s < (column ? t->samples : 1); s++)
        watch(r, from + s * stride, column ? count : count * width);
    if (turned)
        isa->transpose(from, stride, y, y_stride, rows, columns, rows);
    else
        isa->copy(from, stride, y, y_stride, rows, columns);
}

/* A step on a whole tile without weights: an activation or a softmax. */
static void run_plain(const snn_plan *plan, const snn_step *step, const snn_bucket *tile, const float *x,
                      float *y, int64_t y_stride)
{
    const int64_t features = step->outputs, x_stride = snn_column_stride(features);
    if (tile->layout == SNN_LAYOUT_TILE) {
        if (step->type == SNN_STEP_ACTIVATE)
            plan->isa->activate(x, y, features * tile->samples, &step->epilogue);
        else
            plan->isa->softmax_tile(x, y, features, tile->samples);
        return;
    }
    for (int s = 0; s < tile->samples; s++) {
        if (step->type == SNN_STEP_ACTIVATE)
            plan->isa->activate(x + s * x_stride, y + s * y_stride, features, &step->epilogue);
        else
            plan->isa->softmax_column(x + s * x_stride, y + s * y_stride, features);
    }
}

/* Shares [thread, thread + threads, ...) of one step. Without a split, thread 0 of 1 takes all of them. */
static void run_step(const snn_plan *plan, const snn_step *step, int bucket, const float *x, float *y,
                     int64_t y_stride, int thread, int threads)
{
    if (step->type == SNN_STEP_LINEAR) {
        const snn_choice *choice = &step->chosen[bucket];
        for (int share = thread; share < choice->packing->share_count; share += threads)
            choice->kernel->run(snn_share(choice->packing, share), x, y, y_stride, &step->epilogue);
    } else if (thread == 0) {
        run_plain(plan, step, &plan->buckets[bucket], x, y, y_stride);
    }
}

/* A vector load that straddles two cache lines costs twice, and x is read many times: one that begins between
 * lines is copied. */
static int on_line(const float *x) { return (uintptr_t)x % 64 == 0; }

/* owner: the thread whose buffers are used. */
static tile begin_tile(const run *r, int bucket, int64_t first, int owner)
{
    const size_t size = r->workspace->buffer_floats;
    float *buffer = r->workspace->memory + (size_t)(2 * owner) * size;
    tile t = {.bucket = &r->plan->buckets[bucket], .first = first, .buffers = {buffer, buffer + size}};
    const int64_t width = t.bucket->samples;
    const int column = t.bucket->layout == SNN_LAYOUT_COLUMN;
    t.samples = r->batch - first < width ? r->batch - first : width;
    t.in_place =
        !column && r->x_order == SNN_FEATURES_FIRST && first == 0 && r->batch == width && on_line(r->x);
    t.direct = column && r->y_order == SNN_SAMPLES_FIRST && t.samples == width;
    return t;
}

/* One step of a tile, for one thread of several or for the only one. */
static void tile_step(const run *r, const tile *t, int64_t i, const float *x, int member, int members)
{
    SNN_PAUSE();
    const snn_step *step = &r->plan->steps[i];
    const int to_y = t->direct && i == r->plan->step_count - 1;
    run_step(r->plan, step, (int)(t->bucket - r->plan->buckets), x,
             to_y ? r->y + t->first * r->plan->outputs : t->buffers[step->output_buffer],
             to_y ? step->outputs : snn_column_stride(step->outputs), member, members);
}

/* A tile through all steps by one thread. */
static void run_tile(run *r, int bucket, int64_t first, int thread)
{
    const snn_plan *plan = r->plan;
    const tile t = begin_tile(r, bucket, first, thread);
    if (!t.in_place)
        load_tile(r, &t, 0, plan->inputs, t.buffers[0]);
    tile_step(r, &t, 0, t.in_place ? r->x : t.buffers[0], 0, 1);
    for (int64_t i = 1; i < plan->step_count; i++)
        tile_step(r, &t, i, t.buffers[plan->steps[i].input_buffer], 0, 1);
    if (!t.direct)
        store_tile(r, &t, t.buffers[plan->step_count % 2], 0, plan->outputs);
    else if (t.samples < r->batch)
        watch(r, r->y + first * plan->outputs, t.samples * plan->outputs);
}

/* With few threads each makes its own copy of x: cheaper than waiting for parts made by the others. */
#define OWN_COPY_THREADS 4

/* Whole vectors of features for each of several threads: where those of member begin. */
static int64_t part(int64_t features, int member, int members)
{
    const int64_t vectors = (features + 15) / 16, first = vectors * member / members * 16;
    return first < features ? first : features;
}

/* A bucket's last packing, where the rows that each thread computes of it are a run; else NULL. */
static const snn_packing *last_rows(const snn_plan *plan, int bucket)
{
    const snn_step *last = &plan->steps[plan->step_count - 1];
    const snn_packing *packing = last->type == SNN_STEP_LINEAR ? last->chosen[bucket].packing : NULL;
    return packing && packing->bounds ? packing : NULL;
}

/* What comes before a split tile in the same run, and may keep other threads busy in the buffers. */
typedef enum before { NOTHING, SAME_SEGMENT, OTHER_SEGMENT } before;

/* Whether a split tile begins with a barrier. Several steps, or x made in parts, write where others may be
 * busy. One step writes into y, which is nobody else's, or its thread's own rows of a buffer: those were its
 * own in the tile before as well, if that had the same bounds and used the buffer at all. */
static int must_wait(const run *r, const tile *t, before before, int shared)
{
    if (before == NOTHING)
        return 0;
    if (r->plan->step_count > 1 || shared)
        return 1;
    if (t->direct)
        return 0;
    const int direct_before = t->bucket->layout == SNN_LAYOUT_COLUMN && r->y_order == SNN_SAMPLES_FIRST;
    return before == OTHER_SEGMENT || direct_before ||
           !last_rows(r->plan, (int)(t->bucket - r->plan->buckets));
}

/* A tile through all steps by all threads, each taking some rows of every layer. Threads wait for each other
 * between steps alone: what a thread stores of y is what it computed where its rows are a run. */
static void run_split_tile(run *r, int bucket, int64_t first, int thread, int threads, before before)
{
    const snn_plan *plan = r->plan;
    const int64_t steps = plan->step_count;
    const tile t = begin_tile(r, bucket, first, 0);
    const int shared = !t.in_place && t.bucket->layout == SNN_LAYOUT_TILE && threads > OWN_COPY_THREADS;
    if (must_wait(r, &t, before, shared))
        snn_barrier();
    const float *x = t.in_place ? r->x : t.buffers[0];
    if (shared) {
        load_tile(r, &t, part(plan->inputs, thread, threads), part(plan->inputs, thread + 1, threads),
                  t.buffers[0]);
        snn_barrier();
    } else if (!t.in_place) {
        // Not in the buffers that all threads share: writing lines that another core has read is slow.
        const int place = thread == 0 ? 2 * plan->threads : 2 * thread;
        float *own = r->workspace->memory + (size_t)place * r->workspace->buffer_floats;
        load_tile(r, &t, 0, plan->inputs, own);
        x = own;
    }
    for (int64_t i = 0; i < steps; i++) {
        if (i > 0)
            snn_barrier();
        tile_step(r, &t, i, i == 0 ? x : t.buffers[plan->steps[i].input_buffer], thread, threads);
    }
    if (t.direct)
        return;
    const snn_packing *rows = last_rows(plan, bucket);
    const float *out = t.buffers[steps % 2];
    if (rows) {
        for (int share = thread; share < rows->share_count; share += threads)
            store_tile(r, &t, out, rows->bounds[share], rows->bounds[share + 1]);
    } else {
        snn_barrier();
        store_tile(r, &t, out, part(plan->outputs, thread, threads),
                   part(plan->outputs, thread + 1, threads));
    }
}

static void run_thread(void *argument, int thread, int threads)
{
    run *r = argument;
    for (int s = 0; s < r->segment_count; s++) {
        const snn_segment *segment = &r->segments[s];
        const int64_t width = r->plan->buckets[segment->bucket].samples;
        if (segment->split) {
            for (int64_t t = 0; t < segment->tiles; t++)
                run_split_tile(r, segment->bucket, segment->first_sample + t * width, thread, threads,
                               t > 0   ? SAME_SEGMENT
                               : s > 0 ? OTHER_SEGMENT
                                       : NOTHING);
        } else {
            // Tiles next to each other go to one thread: their samples are next to each other in x and y.
            const int64_t share = segment->tiles / (8 * (int64_t)threads), together = share > 1 ? share : 1;
            for (int64_t t; (t = atomic_fetch_add(&r->workspace->next_tile[s], together)) < segment->tiles;)
                for (int64_t end = t + together; t < end && t < segment->tiles; t++)
                    run_tile(r, segment->bucket, segment->first_sample + t * width, thread);
        }
    }
}

static void run_segments(run *r)
{
    int64_t useful = 1; // threads that have something to do
    double one_thread_us = 0.0;
    for (int s = 0; s < r->segment_count; s++) {
        const snn_segment *segment = &r->segments[s];
        atomic_store(&r->workspace->next_tile[s], 0);
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

/* What was written into y directly and not looked at by the thread that did: of split tiles no thread knows
 * all rows of a sample, and a batch of one tile would wait for its own stores, which the workspace's return
 * has waited for. */
static void watch_direct(run *r)
{
    for (int s = 0; s < r->segment_count; s++) {
        const snn_segment *segment = &r->segments[s];
        const snn_bucket *bucket = &r->plan->buckets[segment->bucket];
        const int64_t left = r->batch - segment->first_sample, samples = segment->tiles * bucket->samples;
        if (bucket->layout == SNN_LAYOUT_COLUMN && (segment->split || bucket->samples == r->batch))
            watch(r, r->y + segment->first_sample * r->plan->outputs,
                  (samples < left ? samples : left) * r->plan->outputs);
    }
}

/* After the region and without a workspace: samples with a NaN once more. */
static snn_status make_exact(run *r)
{
    if (r->y_order == SNN_SAMPLES_FIRST)
        watch_direct(r);
    if (!atomic_load_explicit(&r->nan, memory_order_relaxed))
        return SNN_OK;
    return snn_plan_run_exact(r->plan, r->x, r->x_order, r->batch, r->y, r->y_order);
}

snn_status snn_plan_run_cut(const snn_plan *plan, snn_workspace *workspace, const float *x, snn_order x_order,
                            int64_t batch, float *y, snn_order y_order, const snn_segment *segments,
                            int count)
{
    run r = {.plan = plan,
             .x = x,
             .y = y,
             .x_order = x_order,
             .y_order = y_order,
             .batch = batch,
             .workspace = workspace,
             .segment_count = count};
    memcpy(r.segments, segments, (size_t)count * sizeof *segments);
    run_segments(&r);
    return make_exact(&r);
}

void snn_plan_run_bucket(const snn_plan *plan, snn_workspace *workspace, const float *x, int64_t batch,
                         float *y, int bucket, int split)
{
    const int64_t width = plan->buckets[bucket].samples;
    run r = {.plan = plan, .x = x, .y = y, .batch = batch, .workspace = workspace, .segment_count = 1};
    r.segments[0] = (snn_segment){bucket, split, 0, (batch + width - 1) / width};
    run_segments(&r);
}

static snn_status check_order(const char *name, snn_order order)
{
    if (order != SNN_SAMPLES_FIRST && order != SNN_FEATURES_FIRST)
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "%s must be SNN_SAMPLES_FIRST (0) or SNN_FEATURES_FIRST (1), got %d", name,
                        (int)order);
    return SNN_OK;
}

snn_status snn_plan_run_ordered(const snn_plan *plan, const float *x, snn_order x_order, int64_t batch,
                                float *y, snn_order y_order)
{
    if (!plan)
        return snn_fail(SNN_ERROR_ARGUMENT, "plan must not be NULL");
    if (batch < 0)
        return snn_fail(SNN_ERROR_ARGUMENT, "batch must be at least 0, got %lld", (long long)batch);
    if (check_order("x_order", x_order) || check_order("y_order", y_order))
        return SNN_ERROR_ARGUMENT;
    if (batch == 0)
        return SNN_OK;
    if (!x || !y)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL", x ? "y" : "x");
    if (batch == 1)
        x_order = y_order = SNN_SAMPLES_FIRST; // the same, and it needs no turning
    run r = {.plan = plan,
             .x = x,
             .y = y,
             .x_order = x_order,
             .y_order = y_order,
             .batch = batch,
             .workspace = snn_workspace_take(plan),
             .crowd = plan->crowd};
    if (!r.workspace)
        return snn_fail(SNN_ERROR_MEMORY, "out of memory for a workspace");
    r.segment_count = snn_schedule(plan, batch, r.segments);
    run_segments(&r);
    snn_workspace_return(plan, r.workspace);
    return make_exact(&r);
}

snn_status snn_plan_run(const snn_plan *plan, const float *x, int64_t batch, float *y)
{
    return snn_plan_run_ordered(plan, x, SNN_SAMPLES_FIRST, batch, y, SNN_SAMPLES_FIRST);
}
