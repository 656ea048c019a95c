/* What the windows of some positions of an image hold, as the rows of a tile (im2col, a tile at a time).
 *
 * x (channels, height, width). In the tile a row is a place of the window in a channel, a column of W, so
 * neighbouring positions of one row of the image are neighbours in x too where the stride is 1. */
#ifndef SNN_FETCH_H
#define SNN_FETCH_H

#include "graph/op.h"
#include "kernels/kernel.h"

enum { SNN_MOST_PARTS = 64 }; /* a tile has no more positions */
enum { SNN_MOST_SIDE = 16 };  /* windows of more rows or columns are fetched part by part */

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
    /* Where positions of several rows of the result lie one after another in x as well (stride 1, as wide):
     * they are fetched at once, from the place of the first one on. */
    int at_once;
    int64_t first;
    uint64_t
        rows_in[SNN_MOST_SIDE]; /* of each row of the window: a bit for each position that finds it in x */
    uint64_t columns_in[SNN_MOST_SIDE]; /* likewise of each column */
} snn_fetch;

/* Positions [first, first + count), for a tile of so many samples. */
void snn_fetch_begin(snn_fetch *fetch, const snn_isa *isa, const snn_window *window, int64_t first,
                     int64_t count, int64_t samples);
/* Columns [begin, end) of W: -> to (end - begin, samples). */
void snn_fetch_columns(const snn_fetch *fetch, const snn_isa *isa, const float *x, int64_t begin, int64_t end,
                       float *to);

#endif
