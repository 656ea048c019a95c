/* Running a plan for dims that come with the run. */
#include "base/status.h"
#include "graph/model_build.h"
#include "plan/shapes.h"

#include <string.h>

static snn_status check_plan(const snn_plan *plan)
{
    return plan ? SNN_OK : snn_fail(SNN_ERROR_ARGUMENT, "plan must not be NULL");
}

/* The specialisation that runs dims, to be left; NULL where the plan itself does. */
static snn_status enter(const snn_plan *plan, const int64_t *const *dims, snn_special **special)
{
    *special = NULL;
    return plan->shapes ? snn_shapes_enter(plan, dims, special) : snn_model_check_dims(plan->shape, dims);
}

snn_status snn_plan_run_shaped(const snn_plan *plan, const float *const *x, const int64_t *const *dims,
                               int64_t batch, float *const *y)
{
    snn_special *special;
    snn_status status = check_plan(plan);
    if (status)
        return status;
    if (batch < 0)
        return snn_fail(SNN_ERROR_ARGUMENT, "batch must be at least 0, got %lld", (long long)batch);
    if (batch == 0)
        return snn_model_check_dims(plan->shape, dims);
    status = enter(plan, dims, &special);
    if (status)
        return status;
    status = snn_plan_run_many(special ? special->plan : plan, x, batch, y);
    if (special)
        snn_shapes_leave(special);
    return status;
}

snn_status snn_plan_specialise(const snn_plan *plan, const int64_t *const *dims)
{
    snn_special *special;
    snn_status status = check_plan(plan);
    if (!status)
        status = enter(plan, dims, &special);
    if (!status && special)
        snn_shapes_leave(special);
    return status;
}

/* ---- dims of the outputs ---- */

static snn_status read_dims(const snn_model *shape, int64_t index, int64_t *output_dims)
{
    snn_value_info info;
    const snn_status status = snn_model_output(shape, index, &info);
    if (!status && info.rank > 1)
        memcpy(output_dims, info.dims + 1, (info.rank - 1) * sizeof *output_dims);
    return status;
}

static snn_status read_dynamic(const snn_plan *plan, const int64_t *const *dims, int64_t index,
                               int64_t *output_dims)
{
    snn_special *ready = snn_shapes_enter_ready(plan, dims);
    snn_model *bound = NULL;
    snn_status status = ready ? SNN_OK : snn_model_bind(plan->shape, dims, &bound);
    if (!status)
        status = read_dims(ready ? ready->plan->shape : bound, index, output_dims);
    if (ready)
        snn_shapes_leave(ready);
    snn_model_free(bound);
    return status;
}

snn_status snn_plan_output_dims(const snn_plan *plan, const int64_t *const *dims, int64_t index,
                                int64_t *output_dims)
{
    snn_value_info info;
    snn_status status = snn_plan_output(plan, index, &info); // whether it is there
    if (!status && !output_dims)
        status = snn_fail(SNN_ERROR_ARGUMENT, "output_dims must not be NULL");
    if (!status)
        status = snn_model_check_dims(plan->shape, dims);
    if (status)
        return status;
    return plan->shapes ? read_dynamic(plan, dims, index, output_dims)
                        : read_dims(plan->shape, index, output_dims);
}
