/* Channels become positions: channel (c block_h + r) block_w + q, or with depth_first
 * (r block_w + q) channels + c, holds row r and column q of each block of channel c. */
#include "ops/blocks.h"

#include "base/status.h"

#include <inttypes.h>

static snn_status infer(snn_node *node, const snn_value *const *operands, snn_value *result)
{
    const snn_value *x = operands[0];
    const snn_status status = snn_blocks_check(node, x);
    if (status)
        return status;
    const int64_t *n = node->integers, blocks = n[SNN_BLOCK_H] * n[SNN_BLOCK_W];
    if (x->dims[1] % blocks)
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "depth_to_space: channels must be a multiple of the %" PRId64
                        " places of a block, got %" PRId64,
                        blocks, x->dims[1]);
    result->rank = 4;
    result->dims[1] = x->dims[1] / blocks;
    for (int i = 0; i < 2; i++)
        result->dims[2 + i] =
            x->dims[2 + i] == SNN_DYNAMIC ? SNN_DYNAMIC : x->dims[2 + i] * n[SNN_BLOCK_H + i];
    return SNN_OK;
}

static void moves(const snn_node *node, const snn_value *const *operands, const snn_value *result,
                  snn_moves *out)
{
    (void)operands;
    snn_blocks_moves(node, result, 1, out);
}

const snn_op snn_op_depth_to_space = {
    .type = SNN_OP_DEPTH_TO_SPACE,
    .name = "depth_to_space",
    .kind = SNN_KIND_MOVE,
    .minor = 3,
    .is_graph = 1,
    .integer_count = 3,
    .integers = {SNN_BLOCK_INTEGERS},
    .infer = infer,
    .moves = moves,
};
