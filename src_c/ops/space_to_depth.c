/* Positions become channels: what depth_to_space undoes. */
#include "ops/blocks.h"

#include "base/status.h"

#include <inttypes.h>

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    const snn_value *x = operands[0];
    const snn_status status = snn_blocks_check(node, x);
    if (status)
        return status;
    const int64_t *n = node->integers;
    result->rank = 4;
    result->dims[1] = x->dims[1] * n[SNN_BLOCK_H] * n[SNN_BLOCK_W];
    for (int i = 0; i < 2; i++) {
        const int64_t size = x->dims[2 + i], side = n[SNN_BLOCK_H + i];
        if (size != SNN_DYNAMIC && size % side)
            return snn_fail(SNN_ERROR_ARGUMENT,
                            "space_to_depth: %s must be a multiple of %s, %" PRId64 ", got %" PRId64,
                            i ? "width" : "height", i ? "block_w" : "block_h", side, size);
        result->dims[2 + i] = size == SNN_DYNAMIC ? SNN_DYNAMIC : size / side;
    }
    return SNN_OK;
}

static void moves(const snn_node *node, const snn_value *const *operands, const snn_value *result,
                  snn_moves *out)
{
    (void)result;
    snn_blocks_moves(node, operands[0], 0, out);
}

const snn_op snn_op_space_to_depth = {
    .type = SNN_OP_SPACE_TO_DEPTH,
    .name = "space_to_depth",
    .kind = SNN_KIND_MOVE,
    .minor = 3,
    .is_graph = 1,
    .integer_count = 3,
    .integers = {SNN_BLOCK_INTEGERS},
    .infer = infer,
    .moves = moves,
};
