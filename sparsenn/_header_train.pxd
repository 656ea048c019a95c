# sparsenn_train.h as Cython sees it.
from libc.stdint cimport int32_t, int64_t

from sparsenn._header cimport snn_node_type, snn_order, snn_status


cdef extern from "sparsenn_train.h" nogil:
    ctypedef struct snn_sparse:
        pass

    snn_status snn_sparse_create(int64_t rows, int64_t cols, const int64_t *indptr, const int32_t *indices,
                                 int threads, snn_sparse **sparse)
    snn_status snn_sparse_create_for(const char *isa, int64_t rows, int64_t cols, const int64_t *indptr,
                                     const int32_t *indices, int threads, snn_sparse **sparse)
    snn_status snn_sparse_forward(snn_sparse *sparse, const float *data, const float *bias, const float *x,
                                  int64_t batch, float *y)
    snn_status snn_sparse_backward_input(snn_sparse *sparse, const float *data, const float *dy,
                                         int64_t batch, float *dx)
    snn_status snn_sparse_backward_weight(snn_sparse *sparse, const float *dy, const float *x,
                                          int64_t batch, float *ddata, float *dbias)
    snn_status snn_sparse_forward_ordered(snn_sparse *sparse, snn_order order, const float *data,
                                          const float *bias, const float *x, int64_t batch, float *y)
    snn_status snn_sparse_backward_input_ordered(snn_sparse *sparse, snn_order order, const float *data,
                                                 const float *dy, int64_t batch, float *dx)
    snn_status snn_sparse_backward_weight_ordered(snn_sparse *sparse, snn_order order, const float *dy,
                                                  const float *x, int64_t batch, float *ddata, float *dbias)
    void snn_sparse_free(snn_sparse *sparse)

    ctypedef struct snn_tiles:
        float *values
        int64_t count
        int64_t stride

    ctypedef struct snn_activation:
        snn_node_type type
        float low
        float high
        snn_tiles z

    ctypedef enum snn_optimizer:
        SNN_OPTIMIZER_SGD
        SNN_OPTIMIZER_MOMENTUM
        SNN_OPTIMIZER_NESTEROV
        SNN_OPTIMIZER_RMSPROP
        SNN_OPTIMIZER_ADAM

    ctypedef enum snn_penalty:
        SNN_PENALTY_NONE
        SNN_PENALTY_L1
        SNN_PENALTY_MCP

    ctypedef struct snn_update:
        float gradient_scale
        float gradient_limit
        float l2
        float l1_slope
        snn_optimizer optimizer
        float rate
        double beta1
        double beta2
        float epsilon
        float adam_rate
        float adam_epsilon
        float decay
        float move_limit
        float move_threshold
        snn_penalty penalty
        float penalty_strength
        float penalty_concavity
        float low
        float high
        const char *isa

    ctypedef struct snn_conv_shape:
        int64_t channels
        int64_t height
        int64_t width
        int64_t kernel_h
        int64_t kernel_w
        int64_t stride_h
        int64_t stride_w
        int64_t pad_top
        int64_t pad_left
        int64_t pad_bottom
        int64_t pad_right
        int64_t dilation_h
        int64_t dilation_w

    ctypedef struct snn_conv:
        pass

    ctypedef enum snn_pool:
        SNN_POOL_MAX
        SNN_POOL_MEAN
        SNN_POOL_MEAN_INSIDE

    snn_status snn_pool_forward_tiles(const char *isa, snn_pool pool, const snn_conv_shape *shape,
                                      int threads, snn_tiles x, snn_tiles y)
    snn_status snn_pool_backward_tiles(const char *isa, snn_pool pool, const snn_conv_shape *shape,
                                       int threads, snn_tiles x, snn_tiles y, snn_tiles dy, snn_tiles dx)
    snn_status snn_conv_create(const char *isa, const snn_conv_shape *shape, int64_t rows,
                               const int64_t *indptr, const int32_t *indices, int threads, snn_conv **conv)
    void snn_conv_free(snn_conv *conv)
    int snn_conv_threads(const snn_conv *conv)
    int64_t snn_conv_out_height(const snn_conv *conv)
    int64_t snn_conv_out_width(const snn_conv *conv)
    snn_status snn_conv_set(snn_conv *conv, const float *data)
    snn_status snn_conv_forward_tiles(snn_conv *conv, const float *bias, snn_tiles x,
                                      const snn_activation *activation, snn_tiles y)
    snn_status snn_conv_backward_input_tiles(snn_conv *conv, snn_tiles dy, snn_tiles x,
                                             const snn_activation *activation, snn_tiles dx)
    snn_status snn_conv_backward_weight_tiles(snn_conv *conv, snn_tiles dy, snn_tiles x, float *ddata,
                                              float *dbias)
    snn_status snn_conv_update(snn_conv *conv, const snn_update *update, float *data, const float *ddata,
                               float *first, float *second)

    int64_t snn_tile_samples()
    int64_t snn_tile_samples_for(const char *isa)
    int snn_sparse_threads(const snn_sparse *sparse)
    snn_status snn_tiles_load(const float *x, int64_t batch, int64_t features, int threads, snn_tiles tiles)
    snn_status snn_tiles_load_for(const char *isa, const float *x, int64_t batch, int64_t features,
                                  int threads, snn_tiles tiles)
    snn_status snn_sparse_set(snn_sparse *sparse, const float *data)
    snn_status snn_sparse_forward_tiles(snn_sparse *sparse, const float *bias, snn_tiles x,
                                        const snn_activation *activation, snn_tiles y)
    snn_status snn_sparse_backward_input_tiles(snn_sparse *sparse, snn_tiles dy, snn_tiles x,
                                               const snn_activation *activation, snn_tiles dx)
    snn_status snn_sparse_backward_weight_tiles(snn_sparse *sparse, snn_tiles dy, snn_tiles x, float *ddata,
                                                float *dbias)
    ctypedef struct snn_recurrence:
        const char *op
        const int64_t *integers
        size_t integer_count
        float clip
        int64_t steps
        int64_t window
        const float *bias
        const float *peepholes
        snn_tiles x
        snn_tiles initial[2]
        snn_tiles lengths
        snn_tiles y
        snn_tiles h
        snn_tiles c
        snn_tiles kept
        snn_tiles z

    snn_status snn_recurrent_forward_tiles(snn_sparse *sparse, const snn_recurrence *recurrence)
    snn_status snn_recurrent_backward_tiles(snn_sparse *sparse, const snn_recurrence *recurrence,
                                            snn_tiles dy, snn_tiles dx, snn_tiles dsums,
                                            const snn_tiles *dinitial)
    snn_status snn_recurrent_backward_weight_tiles(snn_sparse *sparse, const snn_recurrence *recurrence,
                                                   snn_tiles dsums, float *ddata, float *dbias)
    ctypedef struct snn_channels:
        int64_t outer, channels, inner, samples, batch
        int threads

    snn_status snn_channels_sum(const snn_channels *channels, snn_tiles a, snn_tiles b, double *sums,
                                double *products)
    snn_status snn_channels_combine(const char *isa, const snn_channels *channels, const float *p,
                                    snn_tiles a, const float *q, snn_tiles b, const float *r,
                                    const snn_activation *activation, snn_tiles y)
    snn_status snn_tiles_activate(const char *isa, int64_t features, int64_t samples, int threads,
                                  const snn_activation *activation, snn_tiles z, snn_tiles y)
    snn_status snn_tiles_slope(const char *isa, int64_t features, int64_t samples, int threads,
                               const snn_activation *activation, snn_tiles y, snn_tiles dy)
    snn_status snn_tiles_add(const char *isa, int64_t features, int64_t samples, int threads, snn_tiles a,
                             snn_tiles b, snn_tiles y)
    ctypedef struct snn_strides:
        int64_t head, feature, token

    ctypedef struct snn_attending:
        int64_t heads, own_heads, depth, width, queries, keys
        float scale
        int causal, zeros
        int64_t batch
        int threads
        snn_tiles q, k, v, y
        snn_strides q_at, k_at, v_at, y_at
        snn_tiles kept, mask
        const float *fixed_mask
        int64_t mask_rows
        snn_strides mask_at
        float *scratch

    snn_status snn_attending_scratch(const char *isa, const snn_attending *attention, int64_t *floats)
    snn_status snn_attention_forward_tiles(const char *isa, const snn_attending *attention)
    snn_status snn_attention_backward_tiles(const char *isa, const snn_attending *attention, snn_tiles dy,
                                            snn_tiles dq, snn_tiles dk, snn_tiles dv)
    snn_status snn_norm_forward_tiles(const char *isa, const snn_channels *channels, float epsilon,
                                      const float *scale, const float *shift, snn_tiles x, snn_tiles y)
    snn_status snn_norm_backward_tiles(const char *isa, const snn_channels *channels, float epsilon,
                                       const float *scale, const float *shift, snn_tiles x, snn_tiles dy,
                                       snn_tiles dx, float *dscale, float *dshift)

    ctypedef struct snn_embedding:
        int64_t rows, features, places, batch
        int threads

    snn_status snn_embedding_forward_tiles(const char *isa, const snn_embedding *embedding, const float *table,
                                           snn_tiles ids, snn_tiles y)
    snn_status snn_embedding_backward_tiles(const char *isa, const snn_embedding *embedding, snn_tiles ids,
                                            snn_tiles dy, float *dtable)
    snn_status snn_update_values(const snn_update *update, float *values, const float *gradient, float *first,
                                 float *second, int64_t count, int threads)
    snn_status snn_sparse_update(snn_sparse *sparse, const snn_update *update, float *data,
                                 const float *ddata, float *first, float *second)
