/* The same values in the same order under other dims. */
#include "base/status.h"
#include "graph/op.h"
#include "graph/value.h"

#include <inttypes.h>

/* The place of the one dim that is -1 (-2: none); SNN_ERROR_ARGUMENT for two of them. */
static snn_status find_open(const snn_node *node, int *open)
{
    *open = -2;
    for (int i = 0; i < node->integer_count; i++) {
        if (node->integers[i] != -1)
            continue;
        if (*open >= 0)
            return snn_fail(SNN_ERROR_ARGUMENT, "reshape: dims must have at most one -1");
        *open = i;
    }
    return SNN_OK;
}

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    const int64_t features = snn_value_features(operands[0]);
    int open;
    snn_status status = find_open(node, &open);
    if (status)
        return status;
    if (node->integer_count < 1 || node->integer_count > SNN_MAX_RANK - 1)
        return snn_fail(SNN_ERROR_ARGUMENT, "reshape: dims must be 1 to %d numbers, got %d", SNN_MAX_RANK - 1,
                        node->integer_count);
    result->rank = node->integer_count + 1;
    for (int i = 0; i < node->integer_count; i++)
        result->dims[i + 1] = i == open ? 1 : node->integers[i];
    status = snn_dims_check("reshape", result);
    if (status)
        return status;
    const int64_t others = snn_value_features(result);
    if (open >= 0) {
        result->dims[open + 1] = features == SNN_DYNAMIC ? SNN_DYNAMIC : features / others;
        if (features != SNN_DYNAMIC)
            node->integers[open] = features / others;
    }
    if (features != snn_value_features(result))
        return snn_fail(SNN_ERROR_ARGUMENT, "reshape: dims must hold the features of %s, got %s",
                        snn_dims_show(operands[0]).text, snn_dims_show(result).text);
    return SNN_OK;
}

const snn_op snn_op_reshape = {
    .type = SNN_OP_RESHAPE,
    .name = "reshape",
    .kind = SNN_KIND_VIEW,
    .is_graph = 1,
    .integer_count = 1,
    .integers = {"dims"},
    .takes_list = 1,
    .infer = infer,
};
