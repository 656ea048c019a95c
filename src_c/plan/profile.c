/* What each step of a plan takes, one thread alone: where the time of a network goes. */
#include "plan/problem.h"
#include "plan/shapes.h"

#include "base/memory.h"
#include "base/status.h"

#include <float.h>

enum { LEAST_RUNS = 3, MOST_RUNS = 20 };
#define ENOUGH_US 50000.0 /* of runs, when the least have been made */

/* Numbers in [0, 1), as arbitrary as values are: zeros would be quicker in some steps. */
static void fill(float *x, int64_t count)
{
    uint32_t state = 1;
    for (int64_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 8) * 0x1p-24f;
    }
}

static void time_steps(const snn_plan *plan, snn_workspace *workspace, const float *x, float *y,
                       double *step_us)
{
    const clockid_t clock = snn_tuning_clock();
    const double start = snn_microseconds();
    for (int64_t i = 0; i < plan->step_count; i++)
        step_us[i] = DBL_MAX;
    for (int i = 0; i < MOST_RUNS && (i < LEAST_RUNS || snn_microseconds() < start + ENOUGH_US); i++)
        snn_plan_time_steps(plan, workspace, x, y, clock, step_us);
}

/* Of a plan of fixed dims. */
static snn_status profile(const snn_plan *plan, double *step_us, int64_t count)
{
    if (count != plan->step_count)
        return snn_fail(SNN_ERROR_ARGUMENT, "count must be the plan's %lld steps, got %lld",
                        (long long)plan->step_count, (long long)count);
    const size_t samples = (size_t)plan->buckets[0].samples;
    float *x = snn_alloc((size_t)plan->inputs * samples, sizeof *x);
    float *y = snn_alloc((size_t)plan->outputs * samples, sizeof *y);
    snn_workspace *workspace = snn_workspace_take(plan);
    const int made = x && y && workspace;
    if (made) {
        fill(x, plan->inputs * (int64_t)samples);
        time_steps(plan, workspace, x, y, step_us);
    }
    if (workspace)
        snn_workspace_return(plan, workspace);
    snn_free(x);
    snn_free(y);
    return made ? SNN_OK : snn_fail(SNN_ERROR_MEMORY, "out of memory for a profile");
}

snn_status snn_plan_profile(const snn_plan *plan, double *step_us, int64_t count)
{
    if (!plan || (!step_us && count))
        return snn_fail(SNN_ERROR_ARGUMENT, "%s must not be NULL", plan ? "step_us" : "plan");
    if (!plan->shapes)
        return profile(plan, step_us, count);
    snn_special *last = snn_shapes_enter_ready(plan, NULL);
    if (!last)
        return snn_fail(SNN_ERROR_ARGUMENT, "plan of dynamic dims has no shape ready that could be timed");
    const snn_status status = profile(last->plan, step_us, count);
    snn_shapes_leave(last);
    return status;
}
