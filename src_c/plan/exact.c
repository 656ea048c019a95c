/* Samples whose outputs have a NaN, run again by the weights that are not 0 alone (kernels/exact.inl): what
 * is NaN then is so by the weights that read it. All of such a sample's outputs are written, and every NaN as
 * the same one, so their bits are the same in every batch and tuning. */
#include "plan/band.h"
#include "plan/recurrent.h"
#include "plan/step.h"
#include "plan/tile.h"

#include "base/status.h"
#include "base/threads.h"
#include "graph/op.h"

#include <math.h>

#define BLOCK 64 /* samples looked at together */

typedef struct rerun {
    const snn_run *run;
    snn_workspace *workspace;
    snn_bucket bucket; /* a tile of one vector; by sample, the first of the plan */
} rerun;

/* Value k of a sample in an array of batch samples. */
static int64_t place_of(snn_order order, int64_t batch, int64_t features, int64_t sample, int64_t k)
{
    return order == SNN_SAMPLES_FIRST ? sample * features + k : k * batch + sample;
}

/* A bit for each of count samples from first on: whether it has a NaN in an output. */
static uint64_t find_nan(const snn_run *run, int64_t first, int count)
{
    uint64_t found = 0;
    for (int64_t i = 0; i < run->plan->out_count; i++) {
        const int64_t features = run->plan->ports_out[i].features;
        for (int64_t o = 0; o < features; o++)
            for (int s = 0; s < count; s++) {
                const int64_t at = place_of(run->y_order, run->batch, features, first + s, o);
                found |= (uint64_t)(isnan(run->y[i][at]) != 0) << s;
            }
    }
    return found;
}

void snn_step_multiply(const snn_plan *plan, const snn_step *step, const float *x, float *y)
{
    const snn_csr *csr = step->weights;
    for (int64_t r = 0; r < csr->rows; r++) {
        y[r] = step->epilogue.bias[r];
        for (int64_t p = csr->indptr[r]; p < csr->indptr[r + 1]; p++)
            plan->isa->scaled_add(csr->data[p], x + csr->indices[p], y + r, 1);
    }
}

/* The sums of a step and their activation; those that are 0 are +0, as everywhere (epilogue.inl). */
static void end_sums(const snn_isa *isa, float *y, int64_t count, const snn_epilogue *epilogue)
{
    for (int64_t i = 0; i < count; i++)
        y[i] += 0.0f;
    isa->activate(y, y, count, epilogue);
}

/* A convolution, what is added to it and its activation, or a pool. */
static void run_window(void *context, const snn_convolution *c, int64_t index)
{
    (void)context;
    (void)index;
    if (c->step->type != SNN_STEP_CONVOLUTION) {
        snn_window_run(c, 0, 1);
        return;
    }
    snn_convolution_exact(c);
    for (int64_t r = 0; r < c->step->rows; r++)
        end_sums(c->plan->isa, c->y + r * c->window->y_plane, snn_window_positions(c->window),
                 &c->step->epilogue);
}

static void run_step(const snn_plan *plan, int64_t index, const snn_frame *frame)
{
    const snn_isa *isa = plan->isa;
    const snn_step *step = &plan->steps[index], *last = step + snn_together(step) - 1;
    float *y = snn_frame_result(frame, &last->result);
    if (step->band) {
        snn_band_run(plan, index, frame, y, 0, 1, run_window, NULL);
        return;
    }
    if (step->window) {
        const snn_convolution c = snn_frame_convolution(plan, step, frame, y);
        run_window(NULL, &c, index);
        return;
    }
    if (!snn_has_weights(step)) {
        snn_step_run(plan, step, frame, y, 0, 0, 1);
        return;
    }
    if (plan->by_sample) {
        if (step->type == SNN_STEP_RECURRENT) {
            snn_recurrent_exact(plan, step, frame, y);
            return;
        }
        snn_step_multiply(plan, step, snn_frame_operand(frame, &step->operands[0]), y);
        end_sums(isa, y, step->outputs, &step->epilogue);
        return;
    }
    const snn_choice *choice = snn_single_choice(step);
    const float *x = snn_frame_operand(frame, &step->operands[0]);
    for (int share = 0; share < choice->packing->share_count; share++)
        isa->exact(choice->kernel, snn_share(choice->packing, share), x, y, step->epilogue.bias, isa->lanes);
    end_sums(isa, y, step->outputs * isa->lanes, &step->epilogue);
}

/* count samples, at most the lanes of the bucket, through all steps; lanes without one repeat the first. */
static void run_samples(const snn_run *run, const int64_t *samples, int count, const snn_frame *frame)
{
    const snn_plan *plan = run->plan;
    const int lanes = frame->bucket->samples;
    for (int64_t i = 0; i < plan->in_count; i++) {
        const snn_port *port = &plan->ports_in[i];
        float *to = snn_frame_result(frame, &port->place);
        for (int64_t k = 0; k < port->features; k++)
            for (int l = 0; l < lanes; l++)
                to[k * lanes + l] = run->x[i][place_of(run->x_order, run->batch, port->features,
                                                       samples[l < count ? l : 0], k)];
    }
    for (int64_t i = 0; i < plan->step_count; i += snn_together(&plan->steps[i]))
        run_step(plan, i, frame);
    for (int64_t i = 0; i < plan->out_count; i++) {
        const snn_port *port = &plan->ports_out[i];
        const float *from = snn_frame_result(frame, &port->place);
        for (int64_t k = 0; k < port->features; k++)
            for (int l = 0; l < count; l++) {
                const float value = from[k * lanes + l];
                run->y[i][place_of(run->y_order, run->batch, port->features, samples[l], k)] =
                    isnan(value) ? NAN : value;
            }
    }
}

/* Blocks of samples, in turn. */
static void run_thread(void *argument, int thread, int threads)
{
    const rerun *r = argument;
    const int64_t batch = r->run->batch;
    float *arena = r->workspace->memory + (size_t)thread * r->workspace->extent.arena_floats;
    snn_frame frame = {.bucket = &r->bucket,
                       .exact = 1,
                       .row_floats = r->workspace->extent.row_floats,
                       .arena = arena,
                       .inputs = arena,
                       .scratch = arena + r->workspace->extent.scratch_at};
    for (int64_t first = thread * (int64_t)BLOCK; first < batch; first += threads * (int64_t)BLOCK) {
        uint64_t found = find_nan(r->run, first, batch - first < BLOCK ? (int)(batch - first) : BLOCK);
        while (found) {
            int64_t samples[BLOCK];
            int count = 0;
            for (int s = 0; s < BLOCK && count < r->bucket.samples; s++) {
                if (!(found >> s & 1))
                    continue;
                samples[count++] = first + s;
                found &= ~((uint64_t)1 << s);
            }
            snn_frame_set_states(&frame, &r->run->states, samples[0]); // a plan of cells takes one at a time
            run_samples(r->run, samples, count, &frame);
        }
    }
}

snn_status snn_run_exact(const snn_run *run)
{
    const snn_plan *plan = run->plan;
    rerun r = {.run = run,
               .workspace = snn_workspace_take(plan),
               .bucket = {.layout = SNN_LAYOUT_TILE, .samples = plan->isa->lanes}};
    if (!r.workspace)
        return snn_fail(SNN_ERROR_MEMORY, "out of memory for a workspace");
    if (plan->by_sample)
        r.bucket = plan->buckets[0];
    const int64_t blocks = (run->batch + BLOCK - 1) / BLOCK;
    snn_parallel(blocks < plan->threads ? (int)blocks : plan->threads, run_thread, &r);
    snn_workspace_return(plan, r.workspace);
    return SNN_OK;
}
