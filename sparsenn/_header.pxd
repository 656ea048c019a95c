# sparsenn.h and sparsenn_stream.h as Cython sees them.
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
