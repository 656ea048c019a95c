#include "ops/blocks.h"

#include "base/status.h"

#include <inttypes.h>

enum { LARGEST = 1 << 10 }; /* of a block's sides */

snn_status snn_blocks_check(const snn_node *node, const snn_value *operand)
{
    const snn_op *op = snn_op_of(node->type);
    const int64_t *n = node->integers;
    if (operand->rank != 4 || operand->dims[1] == SNN_DYNAMIC)
        return snn_fail(SNN_ERROR_ARGUMENT,
                        "%s: operand must have dims (batch, channels, height, width), got %s", op->name,
                        snn_dims_show(operand).text);
    for (int i = SNN_BLOCK_H; i <= SNN_BLOCK_W; i++)
        if (n[i] < 1 || n[i] > LARGEST)
            return snn_fail(SNN_ERROR_ARGUMENT, "%s: %s must be in [1, %d], got %" PRId64, op->name,
                            op->integers[i], LARGEST, n[i]);
    if (n[SNN_DEPTH_FIRST] < 0 || n[SNN_DEPTH_FIRST] > 1)
        return snn_fail(SNN_ERROR_ARGUMENT, "%s: %s must be 0 or 1, got %" PRId64, op->name,
                        op->integers[SNN_DEPTH_FIRST], n[SNN_DEPTH_FIRST]);
    return SNN_OK;
}

void snn_blocks_moves(const snn_node *node, const snn_value *wide, int to_space, snn_moves *out)
{
    const int64_t *n = node->integers, bh = n[SNN_BLOCK_H], bw = n[SNN_BLOCK_W], blocks = bh * bw;
    const int64_t channels = wide->dims[1], height = wide->dims[2], width = wide->dims[3] / bw;
    // Of the other image: from one place of a block to the next, from one channel to the next.
    const int64_t place = n[SNN_DEPTH_FIRST] ? channels : 1, channel = n[SNN_DEPTH_FIRST] ? 1 : blocks;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t h = 0; h < height; h++)
            for (int64_t q = 0; q < bw; q++) {
                const int64_t other = c * channel + (h % bh * bw + q) * place;
                const int64_t deep = (other * (height / bh) + h / bh) * width;
                const int64_t row = (c * height + h) * width * bw + q;
                snn_move_add(out, to_space ? (snn_move){0, deep, 1, row, width, bw}
                                           : (snn_move){0, row, bw, deep, width, 1});
            }
}
