/* What the windows of some positions of an image hold, as the rows of a tile (im2col, a tile at a time).
 *
 * x (channels, height, width). In the tile a row is a place of the window in a channel, a column of W, so
 * neighbouring positions of one row of the image are neighbours in x too where the stride is 1. */
#ifndef SNN_FETCH_H
#define SNN_FETCH_H

#include "graph/op.h"
#include "kernels/kernel.h"

enum { SNN_MOST_PARTS = 64 }; /* a tile has no more positions */

/* count positions of one row of the result from column on, at place to of the tile. */
typedef struct snn_fetch_part {
    int64_t row, column, to, count;
} snn_fetch_part;

/* The positions of a tile; places behind them are zeros. */
typedef struct snn_fetch {
    const snn_window *window;
    int64_t samples; /* of the tile */
    snn_fetch_part parts[SNN_MOST_PARTS];
    int part_count;
} snn_fetch;

/* Positions [first, first + count), for a tile of so many samples. */
void snn_fetch_begin(snn_fetch *fetch, const snn_window *window, int64_t first, int64_t count,
                     int64_t samples);
/* Columns [begin, end) of W: -> to (end - begin, samples). */
void snn_fetch_columns(const snn_fetch *fetch, const snn_isa *isa, const float *x, int64_t begin, int64_t end,
                       float *to);

#endif
