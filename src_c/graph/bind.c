/* A model for dims of its inputs that are known only when it runs. */
#include "base/status.h"
#include "graph/model_build.h"
#include "graph/value.h"

#include <inttypes.h>
#include <stdio.h>

static const snn_value *input_of(const snn_model *model, int64_t index)
{
    return &model->values[model->input_values[index]];
}

static snn_value with_dims(const snn_value *value, const int64_t *dims)
{
    snn_value given = *value;
    for (int i = 1; i < value->rank; i++)
        given.dims[i] = dims[i - 1];
    return given;
}

static int fits(const snn_value *value, const int64_t *dims)
{
    for (int i = 1; i < value->rank; i++)
        if (dims[i - 1] < 1 || (value->dims[i] != SNN_DYNAMIC && value->dims[i] != dims[i - 1]))
            return 0;
    return 1;
}

snn_status snn_model_check_dims(const snn_model *model, const int64_t *const *dims)
{
    if (!dims)
        return snn_fail(SNN_ERROR_ARGUMENT, "dims must not be NULL");
    for (int64_t i = 0; i < model->input_count; i++) {
        const snn_value *value = input_of(model, i);
        if (value->rank > 1 && !dims[i])
            return snn_fail(SNN_ERROR_ARGUMENT, "dims[%" PRId64 "] must not be NULL", i);
        const snn_value given = with_dims(value, dims[i]);
        if (!fits(value, dims[i]))
            return snn_fail(SNN_ERROR_ARGUMENT, "input \"%.60s\": dims must fit %s, got %s", value->name,
                            snn_dims_show(value).text, snn_dims_show(&given).text);
        char name[80];
        snprintf(name, sizeof name, "input \"%.60s\"", value->name);
        const snn_status status = snn_dims_check(name, &given);
        if (status)
            return status;
    }
    return SNN_OK;
}

/* The last error, with the inputs in front of it. */
static snn_status fail_named(const snn_model *model, const int64_t *const *dims, snn_status status)
{
    char inputs[240];
    int used = 0;
    for (int64_t i = 0; i < model->input_count && used < (int)sizeof inputs; i++) {
        const snn_value *value = input_of(model, i), given = with_dims(value, dims[i]);
        used += snprintf(inputs + used, sizeof inputs - (size_t)used, "%s\"%.60s\" %s", i ? ", " : "",
                         value->name, snn_dims_show(&given).text);
    }
    return snn_fail(status, "input %s: %s", inputs, snn_last_error());
}

snn_status snn_model_bind(const snn_model *model, const int64_t *const *dims, snn_model **bound)
{
    const snn_status status = snn_model_copy(model, dims, 1, bound);
    if (status == SNN_ERROR_ARGUMENT || status == SNN_ERROR_UNSUPPORTED)
        return fail_named(model, dims, status);
    if (status)
        return status;
    snn_model *made = *bound;
    made->inputs = snn_value_features(input_of(made, 0));
    made->outputs = snn_value_features(&made->values[made->output_values[0].value]);
    return SNN_OK;
}
