/* What depth_to_space and space_to_depth share: positions of an image in blocks of block_h x block_w, each of
 * which is one position of an image of block_h * block_w times as many channels. */
#ifndef SNN_OPS_BLOCKS_H
#define SNN_OPS_BLOCKS_H

#include "graph/op.h"
#include "graph/value.h"

enum { SNN_BLOCK_H, SNN_BLOCK_W, SNN_DEPTH_FIRST };
#define SNN_BLOCK_INTEGERS "block_h", "block_w", "depth_first"

/* SNN_ERROR_ARGUMENT where the operand is no image or the whole numbers are out of range. */
snn_status snn_blocks_check(const snn_node *node, const snn_value *operand);
/* wide: the image of more positions; to_space: the moves make that, else the one of more channels. */
void snn_blocks_moves(const snn_node *node, const snn_value *wide, int to_space, snn_moves *out);

#endif
