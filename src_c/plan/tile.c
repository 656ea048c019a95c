/* Running tiles. */
#include "plan/tile.h"

#include "base/threads.h"
#include "plan/band.h"
#include "plan/problem.h"
#include "plan/sequence.h"
#include "plan/step.h"

#include <string.h>

/* Samples [first, first + the bucket's width) of a batch. */
typedef struct tile {
    snn_frame frame;
    int64_t first;
    int64_t samples; /* that are there; the tile may be wider */
    int direct;      /* steps write y themselves where they can */
} tile;

/* ---- in and out ---- */

/* Features [first, end) of the tile's samples of an input -> to, in the bucket's layout and width; samples
 * past the end are zero. */
static void load_input(const snn_run *r, const tile *t, int64_t input, int64_t first, int64_t end, float *to)
{
    SNN_PAUSE();
    const snn_isa *isa = r->plan->isa;
    const int64_t inputs = r->plan->ports_in[input].features, width = t->frame.bucket->samples;
    const int64_t count = end - first;
    const int column = t->frame.bucket->layout == SNN_LAYOUT_COLUMN;
    const int64_t stride = column ? snn_column_stride(inputs) : width;
    const float *x = r->x[input];
    const float *from = x + t->first * inputs + first, *turned = x + first * r->batch + t->first;
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

/* The part of member of all inputs -> an arena. */
static void load_tile(const snn_run *r, const tile *t, float *arena, int member, int members)
{
    for (int64_t i = 0; i < r->plan->in_count; i++) {
        const snn_port *port = &r->plan->ports_in[i];
        load_input(r, t, i, snn_part(port->features, member, members),
                   snn_part(port->features, member + 1, members),
                   arena + (size_t)port->place.row * t->frame.row_floats);
    }
}

/* The other way: features [first, end) of an output of the tile -> y. */
static void store_output(snn_run *r, const tile *t, int64_t output, int64_t first, int64_t end)
{
    SNN_PAUSE();
    const snn_isa *isa = r->plan->isa;
    const snn_port *port = &r->plan->ports_out[output];
    const int64_t outputs = port->features, width = t->frame.bucket->samples, count = end - first;
    const int column = t->frame.bucket->layout == SNN_LAYOUT_COLUMN;
    const int64_t stride = column ? snn_column_stride(outputs) : width;
    const int64_t rows = column ? t->samples : count, columns = column ? count : t->samples;
    const int turned = column == (r->y_order == SNN_FEATURES_FIRST);
    const int64_t y_stride = r->y_order == SNN_SAMPLES_FIRST ? outputs : r->batch;
    float *y = r->y[output] +
               (r->y_order == SNN_SAMPLES_FIRST ? t->first * outputs + first : first * r->batch + t->first);
    const float *from = snn_frame_result(&t->frame, &port->place) + (column ? first : first * width);
    if (turned) {
        if (isa->transpose(from, stride, y, y_stride, rows, columns, rows))
            snn_run_found(r);
        return;
    }
    for (int64_t s = 0; s < (column ? t->samples : 1); s++)
        snn_run_watch(r, from + s * stride, column ? count : count * width);
    isa->copy(from, stride, y, y_stride, rows, columns);
}

/* Whether a step has written the output in place already. */
static int is_stored(const snn_run *r, const tile *t, int64_t output)
{
    return t->direct && r->plan->ports_out[output].direct;
}

/* Outputs that were written in place, by the thread that did. A batch of one tile is looked at after the
 * region: here a thread would wait for its own stores. */
static void watch_stored(snn_run *r, const tile *t)
{
    for (int64_t i = 0; i < r->plan->out_count && t->samples < r->batch; i++) {
        const int64_t features = r->plan->ports_out[i].features;
        if (is_stored(r, t, i) && !r->plan->ports_out[i].seen)
            snn_run_watch(r, r->y[i] + t->first * features, t->samples * features);
    }
}

/* The part of member of all outputs that are not there yet. */
static void store_tile(snn_run *r, const tile *t, int member, int members)
{
    for (int64_t i = 0; i < r->plan->out_count; i++) {
        const int64_t features = r->plan->ports_out[i].features;
        if (!is_stored(r, t, i))
            store_output(r, t, i, snn_part(features, member, members),
                         snn_part(features, member + 1, members));
    }
}

/* ---- one tile ---- */

/* Whether a tile from the first sample on can read x where it is: it is all of x and in the bucket's layout.
 * A vector load that straddles two cache lines costs twice, and x is read many times: where samples or
 * features begin between lines, it is copied, and so it is in plans by sample, some kernels of which read
 * behind the end. */
static int reads_in_place(const snn_run *r, const snn_bucket *bucket)
{
    const int column = bucket->layout == SNN_LAYOUT_COLUMN;
    int all =
        r->batch == bucket->samples && column == (r->x_order == SNN_SAMPLES_FIRST) && !r->plan->by_sample;
    for (int64_t i = 0; i < r->plan->in_count && all; i++)
        all = (uintptr_t)r->x[i] % 64 == 0 && (!column || r->plan->ports_in[i].features % 16 == 0);
    return all;
}

static float *arena_of(const snn_run *r, int thread)
{
    return r->workspace->memory + (size_t)thread * r->workspace->extent.arena_floats;
}

/* owner: the thread whose arena is used. */
static tile begin_tile(const snn_run *r, int bucket, int64_t first, int owner)
{
    float *arena = arena_of(r, owner);
    tile t = {.frame = {.bucket = &r->plan->buckets[bucket],
                        .row_floats = snn_is_sequence(r->plan, &r->plan->buckets[bucket])
                                          ? (size_t)r->plan->buckets[bucket].samples
                                          : r->workspace->extent.row_floats,
                        .arena = arena,
                        .inputs = arena,
                        .scratch = arena + r->workspace->extent.scratch_at},
              .first = first};
    snn_frame_set_states(&t.frame, &r->states, first);
    const int64_t width = t.frame.bucket->samples;
    const int column = t.frame.bucket->layout == SNN_LAYOUT_COLUMN;
    t.frame.samples = t.samples = r->batch - first < width ? r->batch - first : width;
    if (first == 0 && reads_in_place(r, t.frame.bucket))
        t.frame.x = r->x;
    t.direct = column && r->y_order == SNN_SAMPLES_FIRST && t.samples == width;
    return t;
}

static void run_window(void *context, const snn_convolution *c, int64_t index)
{
    (void)context;
    (void)index;
    SNN_PAUSE();
    snn_window_run(c, 0, 1);
}

/* A step of a tile and what runs together with it, for one thread of several or for the only one. */
static void run_step(snn_run *r, const tile *t, int64_t index, int member, int members)
{
    const snn_step *step = &r->plan->steps[index], *last = step + snn_together(step) - 1;
    if (step->taken_over && snn_takes_over(r->plan, step, &t->frame))
        return;
    const int direct = t->direct && last->output >= 0;
    float *y =
        direct ? r->y[last->output] + t->first * last->outputs : snn_frame_result(&t->frame, &last->result);
    SNN_PAUSE();
    if (step->band)
        snn_band_run(r->plan, index, &t->frame, y, member, members, run_window, NULL);
    else if (snn_step_run(r->plan, step, &t->frame, y,
                          direct ? step->outputs : snn_column_stride(step->outputs), member, members) &&
             direct)
        snn_run_found(r);
}

void snn_tile_run(snn_run *r, int bucket, int64_t first, int thread)
{
    const snn_plan *plan = r->plan;
    const tile t = begin_tile(r, bucket, first, thread);
    if (!t.frame.x)
        load_tile(r, &t, t.frame.arena, 0, 1);
    for (int64_t i = 0; i < plan->step_count; i += snn_together(&plan->steps[i]))
        run_step(r, &t, i, 0, 1);
    store_tile(r, &t, 0, 1);
    watch_stored(r, &t);
}

/* What the steps of a band take, all its parts together. */
typedef struct stopwatch {
    clockid_t clock;
    int64_t first;
    double us[SNN_BAND_STEPS];
} stopwatch;

static void time_window(void *context, const snn_convolution *c, int64_t index)
{
    stopwatch *watch = context;
    const double start = snn_clock_us(watch->clock);
    snn_window_run(c, 0, 1);
    watch->us[index - watch->first] += snn_clock_us(watch->clock) - start;
}

void snn_tile_time(snn_run *r, clockid_t clock, double *us)
{
    const snn_plan *plan = r->plan;
    const tile t = begin_tile(r, 0, 0, 0);
    if (!t.frame.x)
        load_tile(r, &t, t.frame.arena, 0, 1);
    for (int64_t i = 0; i < plan->step_count; i += snn_together(&plan->steps[i])) {
        const snn_step *step = &plan->steps[i];
        stopwatch watch = {.clock = clock, .first = i};
        if (step->band) {
            snn_band_run(plan, i, &t.frame, snn_frame_result(&t.frame, &step[step->together - 1].result), 0,
                         1, time_window, &watch);
        } else {
            const double start = snn_clock_us(clock);
            run_step(r, &t, i, 0, 1);
            watch.us[0] = snn_clock_us(clock) - start;
        }
        for (int64_t k = 0; k < snn_together(step); k++)
            us[i + k] = watch.us[k] < us[i + k] ? watch.us[k] : us[i + k];
    }
}

/* ---- one tile by all threads ---- */

/* With few threads each makes its own copy of x: cheaper than waiting for parts made by the others. */
#define OWN_COPY_THREADS 4

/* Whether a split tile begins with a barrier. Several steps, a cell, whose state lies in the arena, or x made
 * in parts write where others may be busy. Any other single step writes into y, which is nobody else's, or
 * its thread's own rows of the arena: those were its own in the tile before as well, if that had the same
 * bounds and used the arena at all. */
static int must_wait(const snn_run *r, const tile *t, snn_before before, int shared)
{
    if (before == SNN_NOTHING)
        return 0;
    const int keeps_state = r->plan->step_count == 1 && r->plan->steps[0].type == SNN_STEP_RECURRENT;
    if (r->plan->step_count > 1 || r->plan->out_count > 1 || keeps_state || shared)
        return 1;
    if (is_stored(r, t, 0))
        return 0;
    const int direct_before = t->frame.bucket->layout == SNN_LAYOUT_COLUMN && r->y_order == SNN_SAMPLES_FIRST;
    return before == SNN_OTHER_SEGMENT || direct_before || !snn_last_rows(r->plan, t->frame.bucket);
}

/* Two lists, one for every other tile: what the tile before has counted is forgotten when all are done with
 * it. One step alone may begin before that. */
static void take_turns(const snn_run *r, tile *t, int thread)
{
    const snn_extent *e = &r->workspace->extent;
    if (!e->turns || r->plan->step_count == 1)
        return;
    atomic_int *lists = (atomic_int *)(void *)(r->workspace->memory + e->turns_at);
    const int64_t list = t->first / t->frame.bucket->samples % 2;
    t->frame.turns = lists + (size_t)list * e->turns;
    for (size_t i = 0; thread == 0 && i < e->turns; i++)
        atomic_store_explicit(&lists[(size_t)!list * e->turns + i], 0, memory_order_relaxed);
}

/* The inputs where the thread finds them. shared: made in parts, in the arena of all. */
static void load_split(const snn_run *r, tile *t, int shared, int thread, int threads)
{
    if (shared) {
        load_tile(r, t, t->frame.arena, thread, threads);
        snn_barrier();
    } else if (!t->frame.x) {
        // Not in the arena that all threads share: writing lines that another core has read is slow.
        t->frame.inputs = arena_of(r, thread == 0 ? r->plan->threads : thread);
        load_tile(r, t, t->frame.inputs, 0, 1);
    }
}

/* Threads wait for each other between steps alone: what a thread stores of y is what it computed where its
 * rows are a run. */
static void store_split(snn_run *r, const tile *t, int thread, int threads)
{
    const snn_packing *rows = snn_last_rows(r->plan, t->frame.bucket);
    int stored = 1;
    for (int64_t i = 0; i < r->plan->out_count; i++)
        stored &= is_stored(r, t, i);
    if (stored)
        return; // looked at by what made it, or after the region
    if (rows) {
        for (int share = thread; share < rows->share_count; share += threads)
            store_output(r, t, 0, rows->bounds[share], rows->bounds[share + 1]);
    } else {
        snn_barrier();
        store_tile(r, t, thread, threads);
    }
}

void snn_tile_run_split(snn_run *r, int bucket, int64_t first, int thread, int threads, snn_before before)
{
    const snn_plan *plan = r->plan;
    tile t = begin_tile(r, bucket, first, 0);
    const int shared = !t.frame.x && t.frame.bucket->layout == SNN_LAYOUT_TILE && threads > OWN_COPY_THREADS;
    t.frame.scratch = arena_of(r, thread) + r->workspace->extent.scratch_at;
    t.frame.arrivals = snn_arrivals(r);
    if (must_wait(r, &t, before, shared))
        snn_barrier();
    take_turns(r, &t, thread);
    load_split(r, &t, shared, thread, threads);
    for (int64_t i = 0; i < plan->step_count; i += snn_together(&plan->steps[i])) {
        if (plan->steps[i].wait)
            snn_barrier();
        run_step(r, &t, i, thread, threads);
    }
    store_split(r, &t, thread, threads);
}
