/* What the kernels of attention in training are given (attend.inl). */
#ifndef SNN_ATTEND_H
#define SNN_ATTEND_H

#include <stdint.h>

/* ---- products of activations, in training ----
 * A vector of samples stands at each place: y (rows, columns) = (adds: y +) the sum over depth of a[row][k]
 * times b[column][k]. All distances are floats. */
typedef struct snn_lane_product {
    int64_t rows, columns, depth;
    const float *a, *b;
    int64_t a_row, a_step;
    int64_t b_column, b_step;
    float *y;
    int64_t y_row, y_column;
    int adds;
} snn_lane_product;

/* A query of attention at a vector of samples. */
typedef struct snn_query {
    int64_t keys;
    float *scores;     /* (keys, lanes) */
    const float *mask; /* added to them; NULL: none */
    int64_t mask_step; /* floats to that of the next key */
    int mask_one;      /* one float for all samples */
    int zeros;         /* no weights where all keys are hidden, else NaN */
    float *top;        /* (lanes) the largest score */
    float *inverse;    /* (lanes) one by the sum of the powers */
} snn_query;

#endif
