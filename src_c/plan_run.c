/* Running a plan: one parallel region, no allocation. Nearly all time goes to the kernels. */
#include "plan.h"

#include "memory.h"
#include "status.h"
#include "threads.h"

#include <string.h>

/* ---- workspaces ---- */

static int largest_tile(const snn_plan *plan)
{
    int samples = 1;
    for (int b = 0; b < plan->bucket_count; b++)
        if (plan->buckets[b].samples > samples)
            samples = plan->buckets[b].samples;
    return samples;
}

snn_workspace *snn_workspace_create(const snn_plan *plan)
{
    snn_workspace *workspace = snn_alloc(1, sizeof *workspace);
    if (!workspace)
        return NULL;
    // Rows past the widest layer take what panels write for rows that do not exist: one a share.
    const size_t rows = (size_t)snn_column_stride(plan->widest) + (size_t)plan->threads;
    workspace->buffer_floats = (rows * (size_t)largest_tile(plan) + 15) / 16 * 16;
    workspace->memory = snn_alloc(2 * (size_t)plan->threads * workspace->buffer_floats, sizeof(float));
    if (!workspace->memory) {
        snn_free(workspace);
        return NULL;
    }
    return workspace;
}

void snn_workspace_free(snn_workspace *workspace)
{
    if (!workspace)
        return;
    snn_free(workspace->memory);
    snn_free(workspace);
}

/* An idle workspace, or a new one when all are in use; NULL when memory is out. */
static snn_workspace *take_workspace(const snn_plan *plan)
{
    for (int i = 0; i < SNN_POOL; i++) {
        if (!atomic_load_explicit(&plan->pool[i], memory_order_relaxed))
            continue;
        snn_workspace *idle = atomic_exchange(&plan->pool[i], NULL);
        if (idle)
            return idle;
    }
    return snn_workspace_create(plan);
}

static void return_workspace(const snn_plan *plan, snn_workspace *workspace)
{
    for (int i = 0; i < SNN_POOL; i++) {
        snn_workspace *empty = NULL;
        if (atomic_compare_exchange_strong(&plan->pool[i], &empty, workspace))
            return;
    }
    snn_workspace_free(workspace);
}

/* ---- one tile ---- */

typedef struct run {
    const snn_plan *plan;
    const float *x;
    float *y;
    int64_t batch;
    snn_workspace *workspace;
    snn_segment segments[SNN_MAX_SEGMENTS];
    int segment_count;
} run;

/* x (samples, inputs) row by row -> a tile of the bucket's width; samples past the end are zero. */
static void load_tile(const snn_plan *plan, const snn_bucket *bucket, const float *x, int64_t samples,
                      float *tile)
{
    const int64_t width = bucket->samples, inputs = plan->inputs;
    if (bucket->layout == SNN_LAYOUT_COLUMN) {
        const int64_t stride = snn_column_stride(inputs);
        for (int64_t s = 0; s < width; s++) {
            if (s < samples)
                memcpy(tile + s * stride, x + s * inputs, (size_t)inputs * sizeof(float));
            else
                memset(tile + s * stride, 0, (size_t)inputs * sizeof(float));
        }
        return;
    }
    plan->isa->transpose(x, inputs, tile, width, samples, inputs);
    if (samples < width)
        for (int64_t k = 0; k < inputs; k++)
            memset(tile + k * width + samples, 0, (size_t)(width - samples) * sizeof(float));
}

/* The other way: a tile of outputs -> y (samples, outputs). */
static void store_tile(const snn_plan *plan, const snn_bucket *bucket, const float *tile, int64_t samples,
                       float *y)
{
    const int64_t outputs = plan->outputs, stride = snn_column_stride(outputs);
    if (bucket->layout == SNN_LAYOUT_TILE)
        plan->isa->transpose(tile, bucket->samples, y, outputs, outputs, samples);
    else
        for (int64_t s = 0; s < samples; s++)
            memcpy(y + s * outputs, tile + s * stride, (size_t)outputs * sizeof(float));
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

/* Samples [first, first + the bucket's width) through all steps, by one thread or by all of them. */
static void run_tile(const run *r, int bucket, int64_t first, int split, int thread, int threads)
{
    const snn_plan *plan = r->plan;
    const snn_bucket *tile = &plan->buckets[bucket];
    const int column = tile->layout == SNN_LAYOUT_COLUMN;
    const int owner = split ? 0 : thread; // whose buffers
    const int member = split ? thread : 0, members = split ? threads : 1;
    const int64_t samples = r->batch - first < tile->samples ? r->batch - first : tile->samples;
    const size_t size = r->workspace->buffer_floats;
    float *buffers[2] = {r->workspace->memory + (size_t)(2 * owner) * size,
                         r->workspace->memory + (size_t)(2 * owner + 1) * size};
    const float *x = r->x + first * plan->inputs;
    float *y = r->y + first * plan->outputs;
    const int direct = column && samples == tile->samples; // the last step may write y itself
    // In the column layout each thread makes its own copy of x, which saves waiting for another's.
    float *input = column ? r->workspace->memory + (size_t)(2 * thread) * size : buffers[0];
    if (column || member == 0)
        load_tile(plan, tile, x, samples, input);
    if (!column && split)
        snn_barrier();
    for (int64_t i = 0; i < plan->step_count; i++) {
        const snn_step *step = &plan->steps[i];
        const int to_y = direct && i == plan->step_count - 1;
        run_step(plan, step, bucket, i == 0 ? input : buffers[step->input_buffer],
                 to_y ? y : buffers[step->output_buffer],
                 to_y ? step->outputs : snn_column_stride(step->outputs), member, members);
        if (split)
            snn_barrier();
    }
    if (direct)
        return;
    if (member == 0)
        store_tile(plan, tile, buffers[plan->step_count % 2], samples, y);
    if (split)
        snn_barrier();
}

static void run_thread(void *argument, int thread, int threads)
{
    run *r = argument;
    for (int s = 0; s < r->segment_count; s++) {
        const snn_segment *segment = &r->segments[s];
        const int64_t width = r->plan->buckets[segment->bucket].samples;
        if (segment->split) {
            snn_barrier(); // buffers are shared from here on
            for (int64_t t = 0; t < segment->tiles; t++)
                run_tile(r, segment->bucket, segment->first_sample + t * width, 1, thread, threads);
        } else {
            // Tiles next to each other go to one thread: their samples are next to each other in x and y.
            const int64_t share = segment->tiles / (8 * (int64_t)threads), together = share > 1 ? share : 1;
            for (int64_t t; (t = atomic_fetch_add(&r->workspace->next_tile[s], together)) < segment->tiles;)
                for (int64_t end = t + together; t < end && t < segment->tiles; t++)
                    run_tile(r, segment->bucket, segment->first_sample + t * width, 0, thread, threads);
        }
    }
}

static void run_segments(run *r)
{
    int64_t useful = 1; // threads that have something to do
    for (int s = 0; s < r->segment_count; s++) {
        atomic_store(&r->workspace->next_tile[s], 0);
        const int64_t busy = r->segments[s].split ? r->plan->threads : r->segments[s].tiles;
        if (busy > useful)
            useful = busy;
    }
    snn_parallel(useful < r->plan->threads ? (int)useful : r->plan->threads, run_thread, r);
}

void snn_plan_run_bucket(const snn_plan *plan, snn_workspace *workspace, const float *x, int64_t batch,
                         float *y, int bucket, int split)
{
    const int64_t width = plan->buckets[bucket].samples;
    run r = {.plan = plan, .x = x, .y = y, .batch = batch, .workspace = workspace, .segment_count = 1};
    r.segments[0] = (snn_segment){bucket, split, 0, (batch + width - 1) / width};
    run_segments(&r);
}

snn_status snn_plan_run(const snn_plan *plan, const float *x, int64_t batch, float *y)
{
    if (!plan)
        return snn_fail(SNN_ERROR_ARGUMENT, "plan must not be NULL");
    if (batch < 0)
        return snn_fail(SNN_ERROR_ARGUMENT, "batch must be at least 0, got %lld", (long long)batch);
    if (batch == 0)
        return SNN_OK;
    if (!x || !y)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL", x ? "y" : "x");
    run r = {.plan = plan, .x = x, .y = y, .batch = batch, .workspace = take_workspace(plan)};
    if (!r.workspace)
        return snn_fail(SNN_ERROR_MEMORY, "out of memory for a workspace");
    r.segment_count = snn_schedule(plan, batch, r.segments);
    run_segments(&r);
    return_workspace(plan, r.workspace);
    return SNN_OK;
}
