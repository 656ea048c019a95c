/* What kernels work on, and the table of kernels of each ISA.
 *
 * Activations of a group of samples, called a tile, lie in one of two layouts:
 *   tile    x[k][nb]   feature-major, nb samples side by side: the batch is the vector axis;
 *   column  x[n][k]    sample-major, 1 to 4 samples: features are the vector axis; samples of an input lie
 *                      snn_column_stride(features) apart and begin on a cache line, since a vector load
 *                      that straddles two lines costs twice.
 * A kernel's name says operation, shape and ISA: snn_csr_tile_4x2_avx512 keeps 4 rows of W by 2 vectors
 * of samples in registers. Kernels assert only: they never allocate, print or fail. */
#ifndef SNN_KERNEL_H
#define SNN_KERNEL_H

#include "graph/mix.h"
#include "graph/op_types.h"
#include "kernels/attend.h"
#include "sparsenn.h"

/* Floats from one sample to the next in the column layout: whole cache lines. */
static inline int64_t snn_column_stride(int64_t features) { return (features + 15) / 16 * 16; }

/* Fused at the end of a row: bias, then activation (0, SNN_OP_LINEAR, means none). */
typedef struct snn_epilogue {
    const float *bias; /* (rows) */
    int activation;
    float low, high; /* the activation's attributes, in order */
} snn_epilogue;

/* ---- CSR, tile layout ----
 * W is cut into column blocks so that a block of x stays in L1. In a block, rows are sorted by their
 * number of stored weights and taken R at a time, a panel. A group is a run of panels with the same
 * number of steps, so loops have predictable trip counts. In a panel, step s holds the s-th weight of
 * each of the R rows; a row with fewer weights is filled up with zeros, on its last column in the block. */
typedef struct snn_csr_group {
    uint32_t steps;  /* weights a row */
    uint32_t panels; /* panels in the group */
} snn_csr_group;

typedef struct snn_csr_block {
    int64_t first_column;
    int64_t group_count;
    const snn_csr_group *groups;
    const int32_t
        *rows; /* R a panel: row of y; rows past the end of W are scratch; two more panels readable */
    /* R * steps a panel. One byte: column - first_column; two bytes: that times the bytes of a row of x, in
     * units of 8 bytes. 24 readable bytes follow. */
    const uint8_t *indices;
    const float *weights; /* the same order; 16 readable floats follow */
} snn_csr_block;

/* A share of W's rows, packed. Every row stands in the first and in the last block. */
typedef struct snn_csr_tile {
    int64_t block_count;
    const snn_csr_block *blocks;
} snn_csr_tile;

/* ---- panels, tile layout ----
 * The same structs for rows that share their columns (block-pruned weights, rows of one pattern): a step
 * holds one column and R weights, so indices has one byte a step. */

/* ---- rows in lanes ----
 * In the column layout rows lie side by side in vector lanes, VF_LANES a panel. */
typedef struct snn_lanes {
    int64_t first_row, row_count; /* rows of W in this share when they are consecutive */
    const int32_t *rows; /* (panel_count, VF_LANES) row of each lane, -1 for none; NULL: consecutive */
} snn_lanes;

/* ---- CSR, column layout ----
 * A panel's weights come in chunks of four steps;
 * a window is VF_BLOCK consecutive features of x, or half as many, held in registers and looked up by
 * permute; a chunk has one, two or four, each for an equal part of its steps. Windows only move forward, and
 * each lane takes its next weights as far as they lie in the window: a lane may run ahead of another by a
 * window, which is what keeps padding low. A record is a chunk's indices (4 bytes a lane: feature - window,
 * step by step) and then its weights (4 vectors); padding has weight 0. */
#define SNN_CHUNK_STEPS 4
#define SNN_RECORD_BYTES(lanes) ((size_t)(lanes) * 20)
typedef struct snn_csr_column {
    snn_lanes lanes;
    int64_t panel_count, columns;
    const int64_t *chunks;  /* (panel_count + 1) where each panel's chunks begin */
    const int32_t *windows; /* (chunks, windows a chunk) first feature of each window */
    const uint8_t *records; /* (chunks) records */
} snn_csr_column;

/* ---- sliced ELLPACK, column layout ----
 * For rows with so few weights that windows are mostly padding: step s of a panel holds the s-th weight of
 * each of its rows and which feature it reads, wherever that lies. Rows are sorted by their number of weights
 * within a share (SELL-C-sigma, Kreutzer et al. 2014, arXiv:1307.6209), so there is hardly any padding; it
 * has weight 0 and the last column of its row. */
#define SNN_SELL_COLUMNS 65536 /* what an index can tell apart */
typedef struct snn_sell {
    snn_lanes lanes;
    int64_t panel_count, columns;
    const int64_t *steps;    /* (panel_count + 1) where each panel's steps begin */
    const uint16_t *indices; /* (steps, VF_LANES) */
    const float *weights;    /* (steps, VF_LANES) */
} snn_sell;

/* ---- dense, both layouts ----
 * W in panels of SNN_DENSE_ROWS rows, [panel][k][row], the last one filled up with zeros. */
#define SNN_DENSE_ROWS 16
/* Columns that a tile kernel of so many samples takes together, its blocks: their part of x stays in L1, and
 * so does that of a panel, which kernels of fewer rows go through several times. */
#define SNN_DENSE_BLOCK(samples) (24576 / (((samples) + SNN_DENSE_ROWS) * (int64_t)sizeof(float)))
typedef struct snn_dense {
    int64_t first_row, row_count;
    int64_t columns;
    const float *weights; /* (panels, columns, SNN_DENSE_ROWS); 16 readable floats follow */
} snn_dense;

typedef enum snn_format { SNN_FORMAT_CSR, SNN_FORMAT_PANEL, SNN_FORMAT_SELL, SNN_FORMAT_DENSE } snn_format;
typedef enum snn_layout { SNN_LAYOUT_TILE, SNN_LAYOUT_COLUMN } snn_layout;

/* y = activation(W x + bias) for the rows of one packed share.
 * packed is the struct that belongs to (format, layout); x and y are one tile in the kernel's layout.
 * row_stride: features of y a sample (column layout); not read in the tile layout.
 * Returns, of the column layout alone, whether a sum was NaN: looking at it in its register is cheaper than
 * at y, which the thread has just stored. */
typedef int (*snn_linear_fn)(const void *packed, const float *x, float *y, int64_t row_stride,
                             const snn_epilogue *epilogue);

/* One block of a product: of columns, so that their part of x stays in L1. The sums of a tile lie side by
 * side until the last block, which writes y in planes, rows that lie apart, as those of an image do. */
typedef struct snn_planes {
    int64_t block;  /* block 0 begins with the bias; the last adds addend and ends with the activation */
    const float *x; /* (columns of the block, samples) */
    float *sums;    /* (rows, samples) */
    float *y;       /* of row 0 */
    int64_t y_stride;
    const float *addend; /* of row 0; NULL: none */
    int64_t addend_stride;
} snn_planes;
typedef void (*snn_planes_fn)(const void *packed, const snn_planes *planes, const snn_epilogue *epilogue);

typedef struct snn_kernel {
    const char *name; /* "csr_tile_4x2" */
    snn_format format;
    snn_layout layout;
    int shape; /* what the packing must match: CSR and panels, tile layout: rows a panel; CSR, column layout:
                * windows a chunk; SELL: 0; dense: rows in registers, any packing */
    int samples;     /* samples a tile */
    int index_bytes; /* bytes of an index; 0 when dense */
    int window;      /* CSR, column layout: features of a window; 0 elsewhere */
    int loads;       /* CSR, tile layout: whether each index and weight is a load of its own */
    snn_linear_fn run;
    snn_planes_fn planes; /* tile layout alone; the same bits */
} snn_kernel;

/* Which column of its block the e-th entry of a panel in the tile layout reads. */
static inline int64_t snn_tile_column(const snn_kernel *kernel, const uint8_t *indices, int64_t e)
{
    if (kernel->format == SNN_FORMAT_PANEL)
        return indices[e / kernel->shape];
    if (kernel->index_bytes == 1)
        return indices[e];
    return ((const uint16_t *)(const void *)indices)[e] / (kernel->samples / 2);
}

/* One operand of a pair: rows of floats, step apart, or of a single float for all of a row. */
typedef struct snn_side {
    const float *at;
    int64_t step;
    int one;
} snn_side;

/* ---- stencils ----
 * A block of one channel of a depthwise convolution, which reads one channel of x: at (rows, columns)
 * positions y = activation(bias + the sum of weights times what their places of the window hold + addend). */
typedef struct snn_stencil {
    int64_t rows, columns;
    const float *weights; /* (count) in the order of W's columns */
    float bias;
    float *y;            /* of the first position */
    const float *addend; /* likewise; NULL: none */
    int64_t stride;      /* floats from row to row of both; where columns are fewer than lanes: columns */
    /* stencil: a copy of x with its padding, columns parted by the stride. */
    int64_t count;
    const int64_t *places; /* (count) floats from x to what the first position reads */
    const float *x;        /* lanes more floats are readable than are read */
    int64_t x_stride;      /* floats from row to row of positions */
    /* stencil_three, a window of 3 x 3: x as it lies. */
    const float *const *lines; /* (stride of the window * (rows - 1) + 3) rows of x, from the first float that
                                  the first position reads on */
    const float *valid; /* (2, 3 lanes) for the first and the last vector of a row, from the first float that
                           it reads on: all ones, or zeros where that is no x */
} snn_stencil;

/* Windows along one line of a channel: window i reads places floats from x + i * stride on, dilation apart.
 * Two vectors behind what they read are readable. */
typedef struct snn_pool_line {
    const float *x;
    int64_t windows, places, stride, dilation;
} snn_pool_line;

/* ---- recurrent cells ----
 * Some units of a cell at one step, when W h + b is there. Each gate has hidden numbers in sums and in x,
 * which is the step's own part; what a gate's activation is given is their sum, within [-clip, clip]. An
 * LSTM's cell is not clipped, as ONNX Runtime has it. A tile of samples in training is as many units as
 * it has numbers for a gate. */
typedef struct snn_units {
    int64_t hidden, first, count;     /* units in all, and those that are meant */
    const float *sums, *x;            /* (gates, hidden) */
    const float *peepholes;           /* (3, hidden) of the input, output and forget gate; NULL: none */
    const float *h_before, *c_before; /* (hidden) the state; may be h and c */
    float *h, *c;                     /* (hidden) the next one */
    float *update, *reset;            /* (hidden) the gates of a GRU, from one of its calls to the next */
    float *y;                         /* (hidden) a copy of the new h */
    float
        *kept; /* (SNN_KEPT_ numbers, hidden) what the way back reads: SNN_KEPT_I and so on; NULL: nothing */
    float *z;  /* (gates, hidden) what activations are given, before the clip; NULL: not kept */
    float clip;
    int resets_after; /* reset is the gate itself, not the gate times h */
    snn_epilogue f, g, o;
} snn_units;

/* What is kept of a unit at a step: of an LSTM the gates and the activation of the cell; of a GRU the gates,
 * and of what the new gate sees its part of W h + b, or where the reset gate comes before, that gate times h.
 */
enum { SNN_KEPT_I, SNN_KEPT_O, SNN_KEPT_F, SNN_KEPT_C, SNN_KEPT_TOP, SNN_KEPT_LSTM };
enum { SNN_KEPT_UPDATE, SNN_KEPT_RESET, SNN_KEPT_NEW, SNN_KEPT_INNER, SNN_KEPT_GRU };

/* The way back through such a step: from the gradients of the next state to those of what the activations
 * were given. What goes back through W is added to dh afterwards. */
typedef struct snn_units_back {
    int64_t hidden, first, count;
    const float *kept, *z; /* as snn_units has them; z where a slope needs it or there is a clip */
    const float *h_before, *c_before, *h, *c;
    const float *peepholes;
    const float *dh, *dy; /* (hidden) their sum, with direct's, is the gradient of h; dy NULL: none */
    float *direct; /* (hidden) of a GRU: that of the state before, but for what goes through W; replaced */
    float *dc;     /* (hidden) of an LSTM: the gradient of c, which becomes that of c_before */
    float *dz;     /* (gates, hidden) of the sums that activations are given */
    float *dsums;  /* (gates, hidden) of a GRU: of W h + b, as far as it is not dz; NULL: it is */
    const float *inner; /* (hidden) of gru_reset_back: the gradient of the reset gate times h */
    float clip;
    int resets_after;
    snn_epilogue f, g, o;
} snn_units_back;

/* An activation of a cell, with the numbers that ONNX gives it where none are said. */
static inline snn_epilogue snn_cell_epilogue(int op)
{
    switch (op) {
    case SNN_OP_HARD_SIGMOID: return (snn_epilogue){.activation = op, .low = 0.2f, .high = 0.5f};
    case SNN_OP_LEAKY_RELU: return (snn_epilogue){.activation = op, .low = 0.01f};
    default: return (snn_epilogue){.activation = op, .low = 1.0f};
    }
}

/* ---- dense, in training ----
 * W in panels of SNN_TRAIN_ROWS rows, [panel][k][row], the last one filled up with zeros. */
#define SNN_TRAIN_ROWS 6
/* The positions that a weight gradient is summed over: slopes lie one after another in a sample, in panels of
 * SNN_TRAIN_ROWS, and what a weight met there in panels of two vectors of channels. */
typedef struct snn_outer {
    int64_t samples, rows, columns;
    int64_t dy_sample, x_sample; /* floats from one sample to the next */
    int64_t x_row, x_step;       /* from a row of positions to the next, and from one to the next in a row */
} snn_outer;

/* ---- products of activations ---- */
/* y (rows, 2 lanes) = (adds: y +) a (rows, depth) times b (depth, 2 lanes). Of the columns at most lanes
 * count where that is said: the others are not written then. */
typedef struct snn_panel_product {
    int64_t rows, depth, columns;
    const float *a;
    int64_t a_row, a_step; /* floats to the next row of a, and to the next column */
    const float *b;
    float *y;
    int64_t y_row; /* floats from row to row */
    int adds;
} snn_panel_product;

/* Normalisation along count places; scale and shift (count). shift NULL: by the root of the mean of squares.
 */
typedef struct snn_axis_norm {
    int64_t count;
    float epsilon;
    const float *scale, *shift;
} snn_axis_norm;

typedef struct snn_isa {
    const char *name;
    int lanes;        /* floats a vector */
    int column_block; /* VF_BLOCK: features held in registers by the column kernels */
    const snn_kernel *kernels;
    int kernel_count;
    /* y[i] = activation(x[i]), count values; in place allowed. */
    void (*activate)(const float *x, float *y, int64_t count, const snn_epilogue *epilogue);
    /* y (rows, columns) = a op b, op an SNN_OP_ of kind SNN_KIND_PAIR. */
    void (*pair)(int op, snn_side a, snn_side b, float *y, int64_t rows, int64_t columns);
    /* y (rows, columns) = a where c is not 0, else b; NaN where c is. */
    void (*select)(snn_side c, snn_side a, snn_side b, float *y, int64_t rows, int64_t columns);
    /* y (count) of x: each place as its mix says. */
    void (*mix)(const float *x, const snn_mix *mixes, int64_t count, float *y);
    /* The same of one place, of x (places, columns) -> y (columns). */
    void (*mix_rows)(const float *x, snn_mix mix, int64_t columns, float *y);
    /* y (columns) of x (count, stride), op an SNN_OP_ of kind SNN_KIND_REDUCE. */
    void (*reduce)(int op, const float *x, float *y, int64_t count, int64_t stride, int64_t columns);
    /* y (rows) of x (rows, count). */
    void (*reduce_rows)(int op, const float *x, float *y, int64_t rows, int64_t count);
    /* softmax, or its logarithm, over the features of columns next to each other, whose features lie stride
     * apart. */
    void (*softmax_tile)(int log, const float *x, float *y, int64_t features, int64_t columns,
                         int64_t stride);
    /* The same of one sample. */
    void (*softmax_column)(int log, const float *x, float *y, int64_t features);
    void (*product)(const snn_panel_product *product);
    /* scores (rows, 2 lanes) -> exp(score - the largest of a column so far), which is top (2 lanes), at first
     * the least float; sum is that of all so far, and factor what those before have to be multiplied by. */
    void (*soften)(float *scores, int64_t rows, float *top, float *sum, float *factor);
    /* y of x (count, stride), of columns next to each other. */
    void (*axis_norm)(const snn_axis_norm *norm, const float *x, float *y, int64_t columns, int64_t stride);
    /* y (rows, count) of x likewise: each row by itself. */
    void (*axis_norm_rows)(const snn_axis_norm *norm, const float *x, float *y, int64_t rows);
    /* to (columns, to_stride) = from (rows, from_stride) transposed, its rows filled up with zeros to height
     * floats (at least rows). Returns whether there is a NaN among them. */
    int (*transpose)(const float *from, int64_t from_stride, float *to, int64_t to_stride, int64_t rows,
                     int64_t columns, int64_t height);
    /* to (rows, to_stride) = from (rows, from_stride), columns floats of each row. */
    void (*copy)(const float *from, int64_t from_stride, float *to, int64_t to_stride, int64_t rows,
                 int64_t columns);
    /* The same of columns whose bit is set, the first the lowest; others become 0, and are not read in from.
     * At most four whole vectors of columns. NULL where no load takes a mask. */
    void (*copy_bits)(const float *from, int64_t from_stride, float *to, int64_t to_stride, int64_t rows,
                      int64_t columns, uint64_t bits);
    /* copy of columns that are step apart in from. */
    void (*pick)(const float *from, int64_t from_stride, int64_t step, float *to, int64_t to_stride,
                 int64_t rows, int64_t columns);
    /* Whether there is a NaN among count values. */
    int (*has_nan)(const float *x, int64_t count);
    /* y = W x + bias, without an activation, of one share packed for kernel: weights that are 0 are not read,
     * so x may be infinite or NaN there. x and y are in the tile layout, whatever the kernel's; samples is a
     * multiple of lanes. Rows behind the last one that a packing writes are written here as well. */
    void (*exact)(const snn_kernel *kernel, const void *packed, const float *x, float *y, const float *bias,
                  int samples);
    /* y[i] += weight * x[i], count values, rounded as the kernels round; nothing where weight is 0. */
    void (*scaled_add)(float weight, const float *x, float *y, int64_t count);
    /* A block of a depthwise convolution; of a window of 3 x 3 with a stride of 1 or 2, in place. */
    void (*stencil)(const snn_stencil *stencil, const snn_epilogue *epilogue);
    void (*stencil_three)(const snn_stencil *stencil, int stride, const snn_epilogue *epilogue);
    /* line (width): the largest (is_max), or the sum, of rows of x that lie step apart; -inf or 0 of none. */
    void (*pool_rows)(int is_max, const float *x, int64_t step, int64_t rows, float *line, int64_t width);
    /* y (windows): the same of each window. */
    void (*pool_line)(int is_max, const snn_pool_line *line, float *y);
    /* The end of a step of some units: of an LSTM, of a simple recurrent layer; of a GRU first its gates,
     * then its state, between which W is multiplied by reset where that holds h. */
    void (*lstm)(const snn_units *units);
    void (*rnn)(const snn_units *units);
    void (*gru_gates)(const snn_units *units);
    void (*gru_state)(const snn_units *units);
    /* The way back. Of a GRU whose reset gate comes before W: gru_back gives dz of the update and the new
     * gate; when W has taken that of the new one back to inner, gru_reset_back gives dz of the reset gate. */
    void (*lstm_back)(const snn_units_back *units);
    void (*rnn_back)(const snn_units_back *units);
    void (*gru_back)(const snn_units_back *units);
    void (*gru_reset_back)(const snn_units_back *units);
    /* Training, on tiles of 4 * lanes samples. dy and x are one tile each.
     * gradient[e] (first ? = : +=) the sum over samples of dy[row][s] * x[column][s] for every packed weight
     * e of a share of sampled_rows a panel; lanes spare floats follow gradient. dbias[row] the same for dy
     * alone. */
    int sampled_rows;
    void (*sampled)(const snn_csr_tile *share, const float *x, const float *dy, float *gradient, float *dbias,
                    int first);
    /* y (rows, 4 * lanes) = bias, or y where that is NULL, + W x: count columns of W in training panels that
     * lie panel_stride floats apart, x (count, 4 * lanes). */
    void (*dense_sum)(const float *weights, int64_t panel_stride, const float *x, int64_t count,
                      const float *bias, float *y, int64_t rows);
    /* gradient (SNN_TRAIN_ROWS, 2 * lanes) += the sum over the positions of dy times x, one panel of each. */
    void (*outer)(const snn_outer *outer, const float *dy, const float *x, float *gradient);
    void (*lane_product)(const snn_lane_product *product);
    /* Scores of a query -> its weights; known: by the top and the inverse that are there, else they are made.
     */
    void (*attend)(const snn_query *query, int known);
    /* Slopes of the weights (keys, lanes) -> slopes of the scores. */
    void (*attend_back)(const float *weights, float *slopes, int64_t keys);
    /* dx (count, stride) of x and dy, dx NULL: none; columns is a multiple of lanes. dscale and dshift
     * (count, lanes) are added to. */
    void (*axis_norm_back)(const snn_axis_norm *norm, const float *x, const float *dy, float *dx,
                           int64_t columns, int64_t stride, float *dscale, float *dshift);
    /* dy[i] *= the activation's slope where its output is y[i] (and its input z[i], read for GELU alone). */
    void (*slope)(const float *y, const float *z, float *dy, int64_t count, const snn_epilogue *epilogue);
    /* dx += left where x is y, the largest of some values, and left is 0 from then on; count is a multiple of
     * lanes. Called for one value after another: left, at first the slope of y, goes to the first of them. */
    void (*hand_on)(const float *x, const float *y, float *left, float *dx, int64_t count);
    /* One step of an optimizer on count values. */
    void (*update)(const snn_update *update, float *values, const float *gradient, float *first,
                   float *second, int64_t count);
    /* Multiply-adds in registers; returns how many floating-point operations, for measuring the peak rate. */
    double (*peak)(int64_t rounds, float *sink);
} snn_isa;

/* The ISAs of this build in order of preference, best first, ended by NULL. */
const snn_isa *const *snn_isa_table(void);
/* The ISA of that name (NULL: the default) if this machine can run it. */
snn_status snn_isa_find(const char *name, const snn_isa **isa);

#endif
