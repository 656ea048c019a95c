# The C core as Cython sees it: declarations of sparsenn.h, and the classes of the binding.
from libc.stdint cimport int32_t, int64_t


cdef extern from "sparsenn.h" nogil:
    ctypedef enum snn_status:
        SNN_OK
        SNN_ERROR_ARGUMENT
        SNN_ERROR_MEMORY
        SNN_ERROR_IO
        SNN_ERROR_FORMAT
        SNN_ERROR_VERSION
        SNN_ERROR_CSR
        SNN_ERROR_ISA
        SNN_ERROR_UNSUPPORTED

    const char *snn_status_name(snn_status status)
    const char *snn_last_error()
    const char *snn_version()

    ctypedef struct snn_allocator:
        void *(*allocate)(void *context, size_t bytes, size_t alignment)
        void (*release)(void *context, void *pointer)
        void *context

    snn_status snn_set_allocator(const snn_allocator *allocator)

    ctypedef struct snn_cpu_info:
        const char *isa
        const char *isas_built
        const char *isas_usable
        const char *model
        int threads
        int openmp

    snn_status snn_cpu_query(snn_cpu_info *info)

    ctypedef enum snn_node_type:
        SNN_NODE_LINEAR
        SNN_NODE_RELU
        SNN_NODE_CLIP
        SNN_NODE_TANH
        SNN_NODE_SIGMOID
        SNN_NODE_GELU
        SNN_NODE_SOFTMAX
        SNN_NODE_ELU

    const char *snn_node_type_name(snn_node_type type)

    ctypedef struct snn_op_info:
        const char *name
        int graph_only
        int has_weights
        size_t attribute_count
        size_t integer_count
        const char *const *attributes
        const char *const *integers
        int takes_list

    snn_status snn_op_query(const char *name, snn_op_info *info)

    ctypedef struct snn_model:
        pass

    ctypedef struct snn_node_info:
        snn_node_type type
        int64_t inputs
        int64_t outputs
        int sparse
        int64_t nnz
        const float *weight
        const int64_t *indptr
        const int32_t *indices
        const float *data
        const float *bias
        float low
        float high

    snn_status snn_model_create(int64_t inputs, snn_model **model)
    snn_status snn_model_borrow(snn_model *model)
    snn_status snn_model_add_dense(snn_model *model, int64_t rows, int64_t cols, const float *weight,
                                   const float *bias)
    snn_status snn_model_add_csr(snn_model *model, int64_t rows, int64_t cols, const int64_t *indptr,
                                 const int32_t *indices, const float *data, const float *bias)
    snn_status snn_model_add_activation(snn_model *model, snn_node_type type, float low, float high)
    snn_status snn_model_add_op(snn_model *model, const char *op, const float *attributes, size_t count)

    ctypedef struct snn_node_spec:
        const char *op
        const char *name
        const int64_t *operands
        size_t operand_count
        const float *attributes
        size_t attribute_count
        const int64_t *integers
        size_t integer_count
        int64_t rows
        int64_t cols
        const float *weight
        const int64_t *indptr
        const int32_t *indices
        const float *data
        const float *bias

    ctypedef struct snn_value_info:
        const char *name
        int64_t value
        size_t rank
        const int64_t *dims
        const float *constant

    ctypedef struct snn_node_edges:
        const int64_t *operands
        size_t operand_count
        int64_t value
        const int64_t *integers
        size_t integer_count
        int64_t rows
        int64_t cols

    snn_status snn_model_create_graph(snn_model **model)
    snn_status snn_model_add_input(snn_model *model, const char *name, const int64_t *dims, size_t count,
                                   int64_t *value)
    snn_status snn_model_add_constant(snn_model *model, const int64_t *dims, size_t count,
                                      const float *data, int64_t *value)
    snn_status snn_model_add_node(snn_model *model, const snn_node_spec *spec, int64_t *value)
    snn_status snn_model_add_output(snn_model *model, const char *name, int64_t value)
    int snn_model_is_graph(const snn_model *model)
    int64_t snn_model_value_count(const snn_model *model)
    int64_t snn_model_input_count(const snn_model *model)
    int64_t snn_model_output_count(const snn_model *model)
    snn_status snn_model_value(const snn_model *model, int64_t index, snn_value_info *info)
    snn_status snn_model_input(const snn_model *model, int64_t index, snn_value_info *info)
    snn_status snn_model_output(const snn_model *model, int64_t index, snn_value_info *info)
    snn_status snn_model_edges(const snn_model *model, int64_t index, snn_node_edges *info)
    int64_t snn_model_inputs(const snn_model *model)
    int64_t snn_model_outputs(const snn_model *model)
    int64_t snn_model_node_count(const snn_model *model)
    snn_status snn_model_node(const snn_model *model, int64_t index, snn_node_info *info)
    snn_status snn_model_load(const char *path, snn_model **model)
    snn_status snn_model_map(const char *path, snn_model **model)
    snn_status snn_model_load_memory(const void *bytes, size_t byte_count, snn_model **model)
    snn_status snn_model_save(const snn_model *model, const char *path)
    snn_status snn_model_save_memory(const snn_model *model, void *buffer, size_t capacity, size_t *needed)
    snn_status snn_csr_check(int64_t rows, int64_t cols, const int64_t *indptr, const int32_t *indices)
    void snn_model_free(snn_model *model)

    ctypedef struct snn_plan:
        pass

    ctypedef enum snn_tune:
        SNN_TUNE_MEASURE
        SNN_TUNE_MODEL
        SNN_TUNE_OFF

    ctypedef struct snn_plan_options:
        int threads
        const int64_t *batch_sizes
        size_t batch_size_count
        snn_tune tune
        const char *isa
        const char *cache_path
        int kept_shapes

    snn_status snn_plan_create(const snn_model *model, const snn_plan_options *options, snn_plan **plan)
    snn_status snn_plan_run(const snn_plan *plan, const float *x, int64_t batch, float *y)

    ctypedef enum snn_order:
        SNN_SAMPLES_FIRST
        SNN_FEATURES_FIRST

    snn_status snn_plan_run_ordered(const snn_plan *plan, const float *x, snn_order x_order, int64_t batch,
                                    float *y, snn_order y_order)
    snn_status snn_plan_run_many(const snn_plan *plan, const float *const *x, int64_t batch, float *const *y)
    snn_status snn_plan_run_shaped(const snn_plan *plan, const float *const *x, const int64_t *const *dims,
                                   int64_t batch, float *const *y)
    snn_status snn_plan_output_dims(const snn_plan *plan, const int64_t *const *dims, int64_t index,
                                    int64_t *output_dims)
    snn_status snn_plan_specialise(const snn_plan *plan, const int64_t *const *dims)
    int64_t snn_plan_input_count(const snn_plan *plan)
    int64_t snn_plan_output_count(const snn_plan *plan)
    snn_status snn_plan_input(const snn_plan *plan, int64_t index, snn_value_info *info)
    snn_status snn_plan_output(const snn_plan *plan, int64_t index, snn_value_info *info)
    snn_status snn_plan_reserve(const snn_plan *plan, int callers)
    int64_t snn_plan_inputs(const snn_plan *plan)
    int64_t snn_plan_outputs(const snn_plan *plan)
    int snn_plan_threads(const snn_plan *plan)
    const char *snn_plan_isa(const snn_plan *plan)
    snn_status snn_plan_report(const snn_plan *plan, char *buffer, size_t capacity, size_t *needed)
    snn_status snn_plan_profile(const snn_plan *plan, double *step_us, int64_t count)
    snn_status snn_plan_model(const snn_plan *plan, snn_model **model)
    void snn_plan_free(snn_plan *plan)

    ctypedef struct snn_stream:
        pass

    snn_status snn_stream_create(const snn_plan *plan, int64_t batch, snn_stream **stream)
    void snn_stream_free(snn_stream *stream)
    snn_status snn_stream_feed(snn_stream *stream, const float *const *x, const int64_t *const *dims,
                               float *const *y)
    snn_status snn_stream_reset(snn_stream *stream)
    snn_status snn_stream_copy(const snn_stream *stream, snn_stream **copy)
    int64_t snn_stream_state_size(const snn_stream *stream)
    snn_status snn_stream_get_state(const snn_stream *stream, float *state)
    snn_status snn_stream_set_state(snn_stream *stream, const float *state)

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


# ---- for other Cython code: calls into the core of this module, so that nothing has to be linked ----

# Raises the exception of a failed status; needs the GIL.
cdef int check(snn_status status) except -1
# snn_plan_run: x (batch, inputs) -> y (batch, outputs), from any thread.
cdef snn_status plan_run(const snn_plan *plan, const float *x, int64_t batch, float *y) noexcept nogil
# snn_plan_run_ordered: x and y each samples or features first, likewise.
cdef snn_status plan_run_ordered(const snn_plan *plan, const float *x, snn_order x_order, int64_t batch,
                                 float *y, snn_order y_order) noexcept nogil


cdef class Model:
    cdef snn_model *handle
    cdef list borrowed


cdef class Plan:
    cdef snn_plan *handle
    cdef readonly bint is_plain
    cdef readonly tuple inputs_info, outputs_info


cdef class Stream:
    cdef snn_stream *handle
    cdef Plan plan
    cdef object lock
    cdef readonly int64_t batch


cdef class Sparse:
    cdef snn_sparse *handle
    cdef object lock
    cdef readonly int64_t rows, cols, nnz


cdef class Recurrence:
    cdef snn_recurrence value
    cdef Sparse weight
    cdef bytes op
    cdef object integers, held


cdef class Attending:
    cdef snn_attending value
    cdef bytes isa
    cdef object scratch, held


cdef class Convolution:
    cdef snn_conv *handle
    cdef object lock
    cdef readonly int64_t rows, cols, nnz


cdef class Activation:
    cdef snn_activation value


cdef class Update:
    cdef snn_update value
    cdef bytes isa
