/* The products and updates of training on one CSR pattern; a part of sparsenn.h, whose rules hold here too.
 */
#ifndef SPARSENN_TRAIN_H
#define SPARSENN_TRAIN_H

#include "sparsenn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- training ---------------------------------------------------------------------------------- */

/* One CSR pattern packed for the three products of a training step. The pattern is fixed; the values are the
 * caller's, and a copy of them in the packings. One thread at a time may use one snn_sparse. */
typedef struct snn_sparse snn_sparse;

/* The pattern as in snn_model_add_csr; it is copied. At most 2^31 - 2 weights, else SNN_ERROR_UNSUPPORTED.
 * threads 0: the default of snn_cpu_query. */
SNN_API snn_status snn_sparse_create(int64_t rows, int64_t cols, const int64_t *indptr,
                                     const int32_t *indices, int threads, snn_sparse **sparse);
/* The same with the kernel set of that name; NULL: the default of snn_cpu_query. */
SNN_API snn_status snn_sparse_create_for(const char *isa, int64_t rows, int64_t cols, const int64_t *indptr,
                                         const int32_t *indices, int threads, snn_sparse **sparse);
/* Frees. NULL is allowed. */
SNN_API void snn_sparse_free(snn_sparse *sparse);

/* Matrices are row by row with features as rows: X (cols, batch), Y (rows, batch). In products with W a
 * weight that is 0 reads nothing, as in snn_plan_run. */
/* Y = W X + b; data (nnz), bias (rows) or NULL, X (cols, batch), Y (rows, batch). */
SNN_API snn_status snn_sparse_forward(snn_sparse *sparse, const float *data, const float *bias,
                                      const float *x, int64_t batch, float *y);
/* dX = W^T dY; dY (rows, batch), dX (cols, batch). */
SNN_API snn_status snn_sparse_backward_input(snn_sparse *sparse, const float *data, const float *dy,
                                             int64_t batch, float *dx);
/* dW = (dY X^T) on the pattern: ddata (nnz); dbias (rows) = sum of dY over the batch, or NULL. */
SNN_API snn_status snn_sparse_backward_weight(snn_sparse *sparse, const float *dy, const float *x,
                                              int64_t batch, float *ddata, float *dbias);
/* The same products of matrices that are all in that order: with SNN_SAMPLES_FIRST X and dX (batch, cols), Y
 * and dY (batch, rows). */
SNN_API snn_status snn_sparse_forward_ordered(snn_sparse *sparse, snn_order order, const float *data,
                                              const float *bias, const float *x, int64_t batch, float *y);
SNN_API snn_status snn_sparse_backward_input_ordered(snn_sparse *sparse, snn_order order, const float *data,
                                                     const float *dy, int64_t batch, float *dx);
SNN_API snn_status snn_sparse_backward_weight_ordered(snn_sparse *sparse, snn_order order, const float *dy,
                                                      const float *x, int64_t batch, float *ddata,
                                                      float *dbias);

/* The same products without copies between layers: activations stay cut into tiles of snn_tile_samples()
 * samples, which is the same for every pattern. A snn_tiles is (count, stride, samples) floats: tile after
 * tile, in each the features as rows, sample beside sample. stride >= features + snn_sparse_threads(): the
 * rows behind the features are scratch. Samples that fill up the last tile are zero in x and in dy.
 * Nothing is allocated after the first call with a batch of that size. */
typedef struct snn_tiles {
    float *values;
    int64_t count, stride;
} snn_tiles;

/* An activation between layers, with its input z kept beside its output (NULL values but for SNN_NODE_GELU).
 */
typedef struct snn_activation {
    snn_node_type type; /* SNN_NODE_LINEAR: none */
    float low, high;    /* SNN_NODE_CLIP; low is the alpha of SNN_NODE_ELU */
    snn_tiles z;
} snn_activation;

/* Samples a tile for the default ISA; 0 when it cannot be had. */
SNN_API int64_t snn_tile_samples(void);
/* The same for the kernel set of that name, which patterns made for it want; NULL: the default. */
SNN_API int64_t snn_tile_samples_for(const char *isa);
SNN_API int snn_sparse_threads(const snn_sparse *sparse);
/* x (batch, features) row by row -> tiles. */
SNN_API snn_status snn_tiles_load(const float *x, int64_t batch, int64_t features, int threads,
                                  snn_tiles tiles);
SNN_API snn_status snn_tiles_load_for(const char *isa, const float *x, int64_t batch, int64_t features,
                                      int threads, snn_tiles tiles);
/* Copies the values into the packings: before the first product, and whenever they changed otherwise than
 * through snn_sparse_update. */
SNN_API snn_status snn_sparse_set(snn_sparse *sparse, const float *data);
/* Y = activation(W X + b), with Z = W X + b beside it where activation->z has values. activation may be NULL.
 */
SNN_API snn_status snn_sparse_forward_tiles(snn_sparse *sparse, const float *bias, snn_tiles x,
                                            const snn_activation *activation, snn_tiles y);
/* dX = W^T dY, times the slope of the activation that made X (NULL: none); x is read for that alone. */
SNN_API snn_status snn_sparse_backward_input_tiles(snn_sparse *sparse, snn_tiles dy, snn_tiles x,
                                                   const snn_activation *activation, snn_tiles dx);
/* As snn_sparse_backward_weight. */
SNN_API snn_status snn_sparse_backward_weight_tiles(snn_sparse *sparse, snn_tiles dy, snn_tiles x,
                                                    float *ddata, float *dbias);

/* ---- convolutions ------------------------------------------------------------------------------ */

/* What a convolution reads, and its window; padding is of zeros. */
typedef struct snn_conv_shape {
    int64_t channels, height, width;
    int64_t kernel_h, kernel_w, stride_h, stride_w;
    int64_t pad_top, pad_left, pad_bottom, pad_right;
    int64_t dilation_h, dilation_w;
} snn_conv_shape;

/* A CSR weight (rows, channels * kernel_h * kernel_w) as a convolution: the three products of a training step
 * on tiles, whose features are the values of an image, position after position (height, width, channels).
 * What windows hold is read in place, or by a window a thread, so that memory is that of the values. A weight
 * whose pattern holds every place has kernels of its own. */
typedef struct snn_conv snn_conv;

/* isa, indptr, indices and threads as in snn_sparse_create_for. */
SNN_API snn_status snn_conv_create(const char *isa, const snn_conv_shape *shape, int64_t rows,
                                   const int64_t *indptr, const int32_t *indices, int threads,
                                   snn_conv **conv);
/* Frees. NULL is allowed. */
SNN_API void snn_conv_free(snn_conv *conv);
SNN_API int snn_conv_threads(const snn_conv *conv);
/* Height and width of what comes out; 0 for NULL. */
SNN_API int64_t snn_conv_out_height(const snn_conv *conv);
SNN_API int64_t snn_conv_out_width(const snn_conv *conv);
/* As snn_sparse_set, and the products of the same names; Y (out height, out width, rows) a tile. */
SNN_API snn_status snn_conv_set(snn_conv *conv, const float *data);
SNN_API snn_status snn_conv_forward_tiles(snn_conv *conv, const float *bias, snn_tiles x,
                                          const snn_activation *activation, snn_tiles y);
SNN_API snn_status snn_conv_backward_input_tiles(snn_conv *conv, snn_tiles dy, snn_tiles x,
                                                 const snn_activation *activation, snn_tiles dx);
SNN_API snn_status snn_conv_backward_weight_tiles(snn_conv *conv, snn_tiles dy, snn_tiles x, float *ddata,
                                                  float *dbias);

/* ---- recurrent cells --------------------------------------------------------------------------- */

/* A recurrent op of the model file (FORMAT.md) while it is trained. Its weight (gates * hidden, hidden) is a
 * snn_sparse; values are tiles, step after step: (steps, features) floats for each sample. */
typedef struct snn_recurrence {
    const char *op;          /* "lstm", "gru", "rnn" */
    const int64_t *integers; /* (integer_count) its whole numbers, as a node has them */
    size_t integer_count;
    float clip;
    int64_t steps;
    int64_t window;    /* gradients go back through so many steps at most, from the last of each window on;
                          0: through all */
    const float *bias; /* (gates * hidden) or NULL */
    const float *peepholes; /* (3 * hidden) where the whole numbers say so */
    snn_tiles x;            /* (steps, gates * hidden) the operand */
    snn_tiles initial[2];   /* (hidden) each, where the whole numbers say so */
    snn_tiles lengths;      /* (1) likewise */
    snn_tiles y; /* (steps, hidden), and behind them the last states where the whole numbers say so */
    /* Filled forward, read on the way back: */
    snn_tiles h, c; /* (steps + 1, hidden) the states; c of an LSTM alone */
    snn_tiles kept; /* (steps, 5 * hidden) of an LSTM, (steps, 4 * hidden) of a GRU */
    snn_tiles z;    /* (steps, gates * hidden) where there is a clip or an activation whose slope needs it */
} snn_recurrence;

/* Of x and what else it has: y, h, c, kept and z. */
SNN_API snn_status snn_recurrent_forward_tiles(snn_sparse *sparse, const snn_recurrence *recurrence);
/* Of dy, as y: dx, as x; dinitial (hidden) of the first states, those without values are left out. dsums, as
 * x, is that of W h + b, needed where the reset gate of a GRU comes after W; elsewhere it is dx. */
SNN_API snn_status snn_recurrent_backward_tiles(snn_sparse *sparse, const snn_recurrence *recurrence,
                                                snn_tiles dy, snn_tiles dx, snn_tiles dsums,
                                                const snn_tiles dinitial[2]);
/* ddata (nnz) and dbias (gates * hidden, or NULL), of dsums as they were found, or of dx where there are
 * none. */
SNN_API snn_status snn_recurrent_backward_weight_tiles(snn_sparse *sparse, const snn_recurrence *recurrence,
                                                       snn_tiles dsums, float *ddata, float *dbias);

/* ---- pools ------------------------------------------------------------------------------------- */

/* The largest value of each channel in a window, or the mean: of all places, padding being zeros, or of those
 * that are not padding. */
typedef enum snn_pool { SNN_POOL_MAX = 0, SNN_POOL_MEAN = 1, SNN_POOL_MEAN_INSIDE = 2 } snn_pool;

/* Images are as those of snn_conv, tiles of snn_tile_samples_for(isa) samples. threads 0: the default. */
SNN_API snn_status snn_pool_forward_tiles(const char *isa, snn_pool pool, const snn_conv_shape *shape,
                                          int threads, snn_tiles x, snn_tiles y);
/* dx from dy; of several largest values the first, row by row, gets it. x and y as they were forward. */
SNN_API snn_status snn_pool_backward_tiles(const char *isa, snn_pool pool, const snn_conv_shape *shape,
                                           int threads, snn_tiles x, snn_tiles y, snn_tiles dy, snn_tiles dx);

/* ---- value by value ---------------------------------------------------------------------------- */

/* Tiles of any number of samples, whose features are (outer, channels, inner); images have an inner of 1. Of
 * the samples batch count, those that fill up the last tile do not. threads 0: the default of snn_cpu_query.
 */
typedef struct snn_channels {
    int64_t outer, channels, inner, samples, batch;
    int threads;
} snn_channels;

/* sums (channels) of a, products (channels) of a b, over all else; in double, the same bits for any threads.
 */
SNN_API snn_status snn_channels_sum(const snn_channels *channels, snn_tiles a, snn_tiles b, double *sums,
                                    double *products);
/* y = activation(p a + q b + r), p, q and r (channels) each; b may have no values. What fills up the last
 * tile is 0 before the activation. activation may be NULL; where it has z, its argument is kept there. y may
 * be a or b. */
SNN_API snn_status snn_channels_combine(const char *isa, const snn_channels *channels, const float *p,
                                        snn_tiles a, const float *q, snn_tiles b, const float *r,
                                        const snn_activation *activation, snn_tiles y);
/* y = activation(z), features (a tile) of so many samples; the strides are alike. */
SNN_API snn_status snn_tiles_activate(const char *isa, int64_t features, int64_t samples, int threads,
                                      const snn_activation *activation, snn_tiles z, snn_tiles y);
/* dy times the slope of the activation, by its output y, and its argument z where that needs it. Tiles
 * are of whole vectors, as those of snn_tile_samples_for. */
SNN_API snn_status snn_tiles_slope(const char *isa, int64_t features, int64_t samples, int threads,
                                   const snn_activation *activation, snn_tiles y, snn_tiles dy);
/* y = a + b; y may be a or b. */
SNN_API snn_status snn_tiles_add(const char *isa, int64_t features, int64_t samples, int threads, snn_tiles a,
                                 snn_tiles b, snn_tiles y);

/* ---- attention, normalisation and tables ------------------------------------------------------- */

/* Rows of a tile from one head, feature and token of a value to the next. */
typedef struct snn_strides {
    int64_t head, feature, token;
} snn_strides;

/* Attention of the model file (FORMAT.md) while it is trained, on tiles of snn_tile_samples_for(isa) samples:
 * v softmax(scale k' q + mask), tokens wherever the strides say. */
typedef struct snn_attending {
    int64_t heads, own_heads; /* of q, and of k and v, which neighbours share */
    int64_t depth, width;     /* of q and k, and of v */
    int64_t queries, keys;
    float scale;
    int causal, zeros;
    int64_t batch; /* samples that count */
    int threads;   /* 0: the default */
    snn_tiles q, k, v, y;
    snn_strides q_at, k_at, v_at, y_at;
    snn_tiles kept; /* (2, heads, queries) filled forward, read on the way back */
    /* What is added to the scores: mask, a value of mask_rows rows, or fixed_mask, as many floats that are
     * the same for every sample; or neither. Strides from one head, query (feature) and key (token) to the
     * next, 0 along which it is repeated. */
    snn_tiles mask;
    const float *fixed_mask;
    int64_t mask_rows;
    snn_strides mask_at;
    float *scratch; /* as many floats as snn_attending_scratch says */
} snn_attending;

SNN_API snn_status snn_attending_scratch(const char *isa, const snn_attending *attention, int64_t *floats);
/* y and kept. */
SNN_API snn_status snn_attention_forward_tiles(const char *isa, const snn_attending *attention);
/* Of dy, as y: dq, dk and dv, as q, k and v; one without values is left out. */
SNN_API snn_status snn_attention_backward_tiles(const char *isa, const snn_attending *attention, snn_tiles dy,
                                                snn_tiles dq, snn_tiles dk, snn_tiles dv);

/* Layer normalisation of x (outer, channels, inner) along the channels, tiles of snn_tile_samples_for(isa)
 * samples; scale and shift (channels). shift NULL: by the root of the mean of squares. */
SNN_API snn_status snn_norm_forward_tiles(const char *isa, const snn_channels *channels, float epsilon,
                                          const float *scale, const float *shift, snn_tiles x, snn_tiles y);
/* dx, which may have no values, dscale (channels), and dshift where there is a shift. */
SNN_API snn_status snn_norm_backward_tiles(const char *isa, const snn_channels *channels, float epsilon,
                                           const float *scale, const float *shift, snn_tiles x, snn_tiles dy,
                                           snn_tiles dx, float *dscale, float *dshift);

/* Rows of a table (rows, features): ids (places) of each sample, whole numbers, below 0 from the end. */
typedef struct snn_embedding {
    int64_t rows, features, places, batch;
    int threads; /* 0: the default */
} snn_embedding;

/* y (places, features). An error where an id is no row. */
SNN_API snn_status snn_embedding_forward_tiles(const char *isa, const snn_embedding *embedding,
                                               const float *table, snn_tiles ids, snn_tiles y);
/* dtable (rows, features): the sum of dy over the places of each row. */
SNN_API snn_status snn_embedding_backward_tiles(const char *isa, const snn_embedding *embedding,
                                                snn_tiles ids, snn_tiles dy, float *dtable);

/* ---- optimizers -------------------------------------------------------------------------------- */

typedef enum snn_optimizer {
    SNN_OPTIMIZER_SGD = 0,      /* w -= rate g */
    SNN_OPTIMIZER_MOMENTUM = 1, /* first = beta1 first + g; w -= rate first */
    SNN_OPTIMIZER_NESTEROV = 2, /* the same first; w -= rate (g + beta1 first) */
    SNN_OPTIMIZER_RMSPROP = 3,  /* first = mean of g^2 by beta2; w -= rate g / (sqrt first + epsilon) */
    SNN_OPTIMIZER_ADAM = 4 /* first, second = means of g and g^2 by beta1 and beta2, both bias-corrected */
} snn_optimizer;

typedef enum snn_penalty { SNN_PENALTY_NONE = 0, SNN_PENALTY_L1 = 1, SNN_PENALTY_MCP = 2 } snn_penalty;

/* One step, in the order in which its parts are applied. */
typedef struct snn_update {
    float gradient_scale; /* g *= gradient_scale */
    float gradient_limit; /* g into [-limit, limit]; INFINITY: as it is */
    float l2, l1_slope;   /* g += l2 w + l1_slope sign(w) */
    snn_optimizer optimizer;
    double beta1, beta2; /* double: 1 - beta is taken before rounding */
    float rate, epsilon;
    float adam_rate, adam_epsilon; /* rate and epsilon with the bias corrections of this step */
    float decay;                   /* ADAM: w -= rate decay w first (AdamW) */
    float move_limit,
        move_threshold;  /* the step into [-limit, limit] where |g| > threshold; INFINITY: as it is */
    snn_penalty penalty; /* then the proximal step of length rate: zeros are exact */
    float penalty_strength, penalty_concavity; /* concavity > rate (MCP) */
    float low, high;                           /* at last w into [low, high]; infinite: as it is */
    const char *isa; /* the kernel set by name, NULL: the default; a pattern has its own */
} snn_update;

/* One step on values (count) with gradient (count); first and second (count) are the optimizer's state, NULL
 * where it has none. */
SNN_API snn_status snn_update_values(const snn_update *update, float *values, const float *gradient,
                                     float *first, float *second, int64_t count, int threads);
/* The same on the weights of a pattern, data (nnz), with both packings refreshed in the same pass. */
SNN_API snn_status snn_sparse_update(snn_sparse *sparse, const snn_update *update, float *data,
                                     const float *ddata, float *first, float *second);
SNN_API snn_status snn_conv_update(snn_conv *conv, const snn_update *update, float *data, const float *ddata,
                                   float *first, float *second);

#ifdef __cplusplus
}
#endif
#endif
