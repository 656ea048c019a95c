/* Samples whose outputs have a NaN, run again by the weights that are not 0 alone (kernels/exact.inl): what
 * is NaN then is so by the weights that read it. All of such a sample's outputs are written, and every NaN as
 * the same one, so their bits are the same in every batch and tuning. */
#include "plan/plan.h"

#include "base/status.h"
#include "base/threads.h"

#include <math.h>

#define BLOCK 64 /* samples looked at together */

typedef struct rerun {
    const snn_plan *plan;
    snn_workspace *workspace;
    const float *x;
    float *y;
    int64_t batch;
    int64_t x_sample, x_feature; /* floats from one to the next */
    int64_t y_sample, y_feature;
} rerun;

/* A bit for each of count samples from first on: whether it has a NaN in y. */
static uint64_t find_nan(const rerun *r, int64_t first, int count)
{
    uint64_t found = 0;
    for (int64_t o = 0; o < r->plan->outputs; o++)
        for (int s = 0; s < count; s++)
            found |= (uint64_t)(isnan(r->y[(first + s) * r->y_sample + o * r->y_feature]) != 0) << s;
    return found;
}

/* x and y are in the tile layout, a sample a lane. */
static void run_step(const snn_isa *isa, const snn_step *step, const float *x, float *y)
{
    const int64_t values = step->outputs * isa->lanes;
    if (step->type == SNN_STEP_SOFTMAX) {
        isa->softmax_tile(x, y, step->outputs, isa->lanes);
    } else if (step->type == SNN_STEP_ACTIVATE) {
        isa->activate(x, y, values, &step->epilogue);
    } else {
        const snn_choice *choice = snn_single_choice(step);
        for (int share = 0; share < choice->packing->share_count; share++)
            isa->exact(choice->kernel, snn_share(choice->packing, share), x, y, step->epilogue.bias,
                       isa->lanes);
        isa->activate(y, y, values, &step->epilogue);
    }
}

/* count samples, at most the lanes of a vector, through all steps; lanes without one repeat the first. */
static void run_samples(const rerun *r, const int64_t *samples, int count, float *const buffers[2])
{
    const snn_plan *plan = r->plan;
    const int lanes = plan->isa->lanes;
    for (int64_t k = 0; k < plan->inputs; k++)
        for (int l = 0; l < lanes; l++)
            buffers[0][k * lanes + l] = r->x[samples[l < count ? l : 0] * r->x_sample + k * r->x_feature];
    for (int64_t i = 0; i < plan->step_count; i++)
        run_step(plan->isa, &plan->steps[i], buffers[i % 2], buffers[(i + 1) % 2]);
    const float *out = buffers[plan->step_count % 2];
    for (int64_t o = 0; o < plan->outputs; o++)
        for (int l = 0; l < count; l++)
            r->y[samples[l] * r->y_sample + o * r->y_feature] =
                isnan(out[o * lanes + l]) ? NAN : out[o * lanes + l];
}

/* Blocks of samples, in turn. */
static void run_thread(void *argument, int thread, int threads)
{
    const rerun *r = argument;
    float *buffer = r->workspace->memory + (size_t)(2 * thread) * r->workspace->buffer_floats;
    float *const buffers[2] = {buffer, buffer + r->workspace->buffer_floats};
    for (int64_t first = thread * (int64_t)BLOCK; first < r->batch; first += threads * (int64_t)BLOCK) {
        const int64_t left = r->batch - first;
        uint64_t found = find_nan(r, first, left < BLOCK ? (int)left : BLOCK);
        while (found) {
            int64_t samples[BLOCK];
            int count = 0;
            for (int s = 0; s < BLOCK && count < r->plan->isa->lanes; s++) {
                if (!(found >> s & 1))
                    continue;
                samples[count++] = first + s;
                found &= ~((uint64_t)1 << s);
            }
            run_samples(r, samples, count, buffers);
        }
    }
}

snn_status snn_plan_run_exact(const snn_plan *plan, const float *x, snn_order x_order, int64_t batch,
                              float *y, snn_order y_order)
{
    const int x_turned = x_order == SNN_FEATURES_FIRST, y_turned = y_order == SNN_FEATURES_FIRST;
    rerun r = {.plan = plan,
               .workspace = snn_workspace_take(plan),
               .x = x,
               .y = y,
               .batch = batch,
               .x_sample = x_turned ? 1 : plan->inputs,
               .x_feature = x_turned ? batch : 1,
               .y_sample = y_turned ? 1 : plan->outputs,
               .y_feature = y_turned ? batch : 1};
    if (!r.workspace)
        return snn_fail(SNN_ERROR_MEMORY, "out of memory for a workspace");
    const int64_t blocks = (batch + BLOCK - 1) / BLOCK;
    snn_parallel(blocks < plan->threads ? (int)blocks : plan->threads, run_thread, &r);
    snn_workspace_return(plan, r.workspace);
    return SNN_OK;
}
