/* Dims of values. */
#include "graph/value.h"
#include "base/status.h"

#include <inttypes.h>
#include <stdio.h>

int64_t snn_dims_product(const snn_value *value, int first, int end)
{
    int64_t product = 1;
    for (int i = first; i < end; i++) {
        if (value->dims[i] == SNN_DYNAMIC)
            return SNN_DYNAMIC;
        product *= value->dims[i];
    }
    return product;
}

snn_status snn_dims_check(const char *name, const snn_value *value)
{
    int64_t product = 1;
    for (int i = 1; i < value->rank; i++) {
        const int64_t dim = value->dims[i];
        if (dim != SNN_DYNAMIC && (dim < 1 || dim > INT32_MAX))
            return snn_fail(SNN_ERROR_ARGUMENT,
                            "%s: dim %d must be in [1, %" PRId32 "], or -1 for dynamic, got %" PRId64, name,
                            i, INT32_MAX, dim);
        product *= dim == SNN_DYNAMIC ? 1 : dim;
        if (product > INT32_MAX)
            return snn_fail(SNN_ERROR_ARGUMENT, "%s: a sample of %s has more than %" PRId32 " features", name,
                            snn_dims_show(value).text, INT32_MAX);
    }
    return SNN_OK;
}

snn_dims_text snn_dims_show(const snn_value *value)
{
    snn_dims_text shown;
    int used = snprintf(shown.text, sizeof shown.text, "(%s", value->constant ? "1" : "batch");
    for (int i = 1; i < value->rank; i++)
        used +=
            value->dims[i] == SNN_DYNAMIC
                ? snprintf(shown.text + used, sizeof shown.text - (size_t)used, ", ?")
                : snprintf(shown.text + used, sizeof shown.text - (size_t)used, ", %" PRId64, value->dims[i]);
    snprintf(shown.text + used, sizeof shown.text - (size_t)used, ")");
    return shown;
}

snn_status snn_axis_check(const char *op, const snn_value *value, int64_t *axis)
{
    const int64_t plain = *axis < 0 ? *axis + value->rank : *axis;
    if (plain < 1 || plain >= value->rank)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s: axis must be behind the batch, 1 to %d of %s, got %" PRId64,
                        op, value->rank - 1, snn_dims_show(value).text, *axis);
    *axis = plain;
    return SNN_OK;
}
