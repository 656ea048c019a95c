/* Convolutions in which every channel of the result reads one channel of x: no product of a matrix, but a few
 * multiply-adds at each position, straight from planes to planes. x (channels, height, width), y (rows,
 * positions); the weights are the step's CSR. */
#ifndef SNN_DEPTHWISE_H
#define SNN_DEPTHWISE_H

#include "graph/model.h"
#include "plan/convolution.h"

enum {
    SNN_DEPTHWISE_PLACES = 256, /* of a window, at most */
    SNN_DEPTHWISE_ROWS = 32     /* of positions in a block, at most */
};

/* How a step is cut: the positions of a channel into blocks, of which each is run by one thread. */
typedef struct snn_blocks {
    int in_place;          /* stencil_three: rows without a zero among their weights need no copy of x */
    int64_t height, width; /* of the largest block */
    int64_t down, across;  /* blocks of a channel */
    int64_t lines;         /* rows of x that the largest block reads */
    int64_t part, pitch;   /* floats of a row of the copy: of the columns of one part of the stride, of all */
    int64_t line,
        borrowed; /* in place: floats of a row of zeros and of x, and how many of these are copied */
} snn_blocks;

/* Whether the convolution of a node is a depthwise one that these kernels take. */
int snn_depthwise_fits(const snn_node *node, const snn_window *window);
/* For so many rows of W, and as many threads as share the step. */
snn_blocks snn_depthwise_cut(const snn_window *w, int64_t rows, const snn_isa *isa, int members);
/* For reports. */
const char *snn_depthwise_kernel(const snn_step *step, const snn_isa *isa);
/* Of one sample on one thread, roughly. */
double snn_depthwise_estimate_us(const snn_step *step, const snn_isa *isa);
/* Floats of scratch. */
int64_t snn_depthwise_scratch(const snn_step *step, const snn_isa *isa);

/* depthwise_run.c: the part of member, of so many members. choice and spare are not read. */
void snn_depthwise_run(const snn_convolution *c, int member, int members);

#endif
