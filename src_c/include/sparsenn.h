/* sparsenn: sparse neural-network inference and training kernels for CPUs.
 *
 * The public header of the C core, and its manual; it includes sparsenn_stream.h and
 * sparsenn_train.h. C99 and C++17.
 *
 *     snn_model *model;  snn_plan *plan;
 *     if (snn_model_load("digits.safetensors", &model)) puts(snn_last_error());
 *     snn_plan_create(model, NULL, &plan);
 *     snn_plan_run(plan, x, batch, y);            // x (batch, inputs) -> y (batch, outputs), row by row
 *     snn_plan_free(plan);  snn_model_free(model);
 *
 * Errors. Every function that can fail returns an snn_status (0 is success). A failed call changes nothing:
 * its arguments, out-parameters included, are as they were, but for arrays that it was filling. After a
 * failure snn_last_error() says, for the calling thread, what came and what was wanted. The library never
 * prints, exits or aborts. An argument that is NULL where that is not allowed, or out of range, is
 * SNN_ERROR_ARGUMENT; the other statuses of a function are named with it, but for SNN_ERROR_MEMORY, which
 * all that make something may return. Functions that return a size or a text take NULL and give 0 or "".
 *
 * Ownership. Every _create and _load makes an object that the caller frees with _free, in any order: a plan
 * does not need its model any more. Pointers given to the library are read during the call only, and what
 * is kept is copied. Pointers that it gives out belong to the object they came from.
 *
 * Arrays. Contiguous and row by row; (rows, cols) is rows * cols elements. float is IEEE single precision.
 * They need no alignment beyond their type's. Sizes are counts of elements unless a name says bytes.
 *
 * Threads. Functions may be called from any thread. An object that is only read (const) may be used by any
 * number of threads at once: models to make plans from, plans to run. One that is not const, and one that
 * is being freed, is for one thread at a time. snn_set_allocator is for the start of a program.
 * A plan or snn_sparse runs with OpenMP on as many threads as it was made for, or fewer where that helps;
 * results do not depend on how many. A call from inside the caller's own parallel region stays in the
 * calling thread, unless the caller allows nested regions. A library without OpenMP always does.
 *
 * Fork. Objects stay usable in the child. There every call runs in the calling thread if the parent had
 * more than one thread when it forked: OpenMP's threads are not there any more.
 *
 * Environment, read when a model is compiled: SPARSENN_ISA (scalar, avx2, avx512, neon) forces a kernel set;
 * OMP_NUM_THREADS gives the default number of threads.
 */
#ifndef SPARSENN_H
#define SPARSENN_H

#include <stddef.h>
#include <stdint.h>

#define SNN_VERSION_MAJOR 0
#define SNN_VERSION_MINOR 1
#define SNN_VERSION_PATCH 0
#define SNN_VERSION_STRING "0.1.0"

#if defined(_WIN32)
#define SNN_API
#else
#define SNN_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- status ------------------------------------------------------------------------------------ */

/* Values are stable: they are never renumbered. */
typedef enum snn_status {
    SNN_OK = 0,
    SNN_ERROR_ARGUMENT = 1,   /* an argument is NULL, negative, out of range or inconsistent */
    SNN_ERROR_MEMORY = 2,     /* an allocation failed */
    SNN_ERROR_IO = 3,         /* a file could not be opened, read, written or renamed */
    SNN_ERROR_FORMAT = 4,     /* a model file is truncated, altered or not a model file */
    SNN_ERROR_VERSION = 5,    /* a model file of an unknown major version */
    SNN_ERROR_CSR = 6,        /* arrays that are not a valid CSR matrix */
    SNN_ERROR_ISA = 7,        /* an ISA that is unknown, not built, or not supported by this processor */
    SNN_ERROR_UNSUPPORTED = 8 /* valid, but not something this version can do */
} snn_status;

/* The name of a status, "SNN_OK" and so on; "unknown status" for any other value. Never NULL. */
SNN_API const char *snn_status_name(snn_status status);
/* The message of the last call that failed in this thread; "" if none did. Valid until the next one. */
SNN_API const char *snn_last_error(void);
/* The version of the library that is loaded, "0.1.0". */
SNN_API const char *snn_version(void);

/* ---- memory ------------------------------------------------------------------------------------ */

/* Where the library's memory comes from. Both functions are called from every thread that calls the library,
 * and from the library's own threads while a plan is made, several at once; they must not call it. */
typedef struct snn_allocator {
    /* bytes (> 0, a multiple of alignment) aligned to alignment (a power of two), or NULL when there are
     * none; their values do not matter. */
    void *(*allocate)(void *context, size_t bytes, size_t alignment);
    /* Takes back what allocate gave; never NULL. */
    void (*release)(void *context, void *pointer);
    void *context; /* handed to both */
} snn_allocator;

/* Takes all of the library's memory from allocator, which is copied, from now on; NULL: from the C library
 * again, as at the start. Fails while anything that the library made is still there, and must not run at
 * the same time as any other function. OpenMP's own memory, and a mapped file, are not affected. */
SNN_API snn_status snn_set_allocator(const snn_allocator *allocator);

/* ---- processor --------------------------------------------------------------------------------- */

typedef struct snn_cpu_info {
    const char *isa;         /* the kernel set that plans take by default: scalar, avx2, avx512, neon */
    const char *isas_built;  /* comma-separated, in order of preference, best first */
    const char *isas_usable; /* those that this processor and operating system support */
    const char *model;       /* the processor's own name; "" where it is not known */
    int threads;             /* the default number of threads: OMP_NUM_THREADS, affinity, cgroup quota */
    int openmp;              /* 1 when built with OpenMP; 0: everything runs in the calling thread */
} snn_cpu_info;

/* Fills info. Strings live as long as the library, model as long as the calling thread. Fails with
 * SNN_ERROR_ISA when the environment variable SPARSENN_ISA names an ISA that is unknown, not built or not
 * supported. */
SNN_API snn_status snn_cpu_query(snn_cpu_info *info);

/* ---- model ------------------------------------------------------------------------------------- */

/* A model is a list of nodes in execution order: a chain, where a node's input is the output of the node
 * before it, or a graph. These are the types that had a number before ops had names; later ones have a name
 * alone (snn_model_add_op). */
typedef enum snn_node_type {
    SNN_NODE_LINEAR = 0, /* y = W x + b, W dense or CSR */
    SNN_NODE_RELU = 1,   /* max(x, 0) */
    SNN_NODE_CLIP = 2,   /* min(max(x, low), high): the clipped ReLU */
    SNN_NODE_TANH = 3,
    SNN_NODE_SIGMOID = 4, /* 1 / (1 + exp(-x)) */
    SNN_NODE_GELU = 5,    /* x/2 (1 + erf(x / sqrt 2)), the exact form */
    SNN_NODE_SOFTMAX = 6, /* over the features of one sample */
    SNN_NODE_ELU = 7      /* x for x > 0, else alpha (exp(x) - 1); alpha is kept in low */
} snn_node_type;

/* The name of a node type, "linear" and so on, as in model files (src_c/FORMAT.md lists them); NULL for any
 * other value. Types are numbered from 0 without gaps. */
SNN_API const char *snn_node_type_name(snn_node_type type);

/* What the core knows of an op. Strings live as long as the library. */
typedef struct snn_op_info {
    const char *name;
    int graph_only;  /* 1: of graphs alone; 0: a chain may have it too */
    int has_weights; /* 1: a matrix W and a bias */
    size_t attribute_count, integer_count;
    const char *const *attributes; /* (attribute_count) names of its numbers, in order */
    const char *const *integers;   /* (integer_count) names of its whole numbers, in order */
    int takes_list;                /* 1: the one name in integers stands for a list of any length */
} snn_op_info;
/* Describes the op of that name. */
SNN_API snn_status snn_op_query(const char *name, snn_op_info *info);

typedef struct snn_model snn_model;

/* What a node holds. Pointers belong to the model and live as long as it does. */
typedef struct snn_node_info {
    snn_node_type type;
    int64_t inputs, outputs; /* features in and out */
    int sparse;              /* linear: 1 when the weight is CSR */
    int64_t nnz;             /* linear: stored weights (rows * columns when dense) */
    const float *weight;     /* dense (outputs, inputs), or NULL */
    const int64_t *indptr;   /* CSR (outputs + 1), or NULL */
    const int32_t *indices;  /* CSR (nnz), or NULL */
    const float *data;       /* CSR (nnz), or NULL */
    const float *bias;       /* (outputs), or NULL when the layer has none */
    float low, high;         /* the node's attributes, in their order */
} snn_node_info;

/* An empty model of the given input width (in [1, 2^31)). */
SNN_API snn_status snn_model_create(int64_t inputs, snn_model **model);
/* From here on the arrays of weights and biases that the model is given are read where they lie, instead of
 * copied: they stay the caller's, and must be there unchanged as long as the model is. Constants are copied.
 * Plans never read the arrays again once they are made. */
SNN_API snn_status snn_model_borrow(snn_model *model);
/* Appends y = W x + b with W (rows, cols) row by row; cols must be the model's present output width.
 * bias (rows) or NULL. */
SNN_API snn_status snn_model_add_dense(snn_model *model, int64_t rows, int64_t cols, const float *weight,
                                       const float *bias);
/* The same with W in CSR: indptr (rows + 1) rising from 0 to nnz, indices (nnz) sorted and unique
 * within a row, in [0, cols). Anything else fails with SNN_ERROR_CSR. */
SNN_API snn_status snn_model_add_csr(snn_model *model, int64_t rows, int64_t cols, const int64_t *indptr,
                                     const int32_t *indices, const float *data, const float *bias);
/* Appends an activation. SNN_NODE_CLIP reads low and high (low < high, both finite), SNN_NODE_ELU low alone:
 * its alpha (finite, above 0). */
SNN_API snn_status snn_model_add_activation(snn_model *model, snn_node_type type, float low, float high);

/* Appends an op without weights by its name, with its attributes (count) in the order of src_c/FORMAT.md, of
 * which it must have all; NULL where it has none. */
SNN_API snn_status snn_model_add_op(snn_model *model, const char *op, const float *attributes, size_t count);

/* A graph: nodes over values, which are numbered in the order in which they were made. A value is a group of
 * arrays with dims, the first of which is the batch: an input, a constant, or what a node gives.
 *
 *     snn_model_create_graph(&model);
 *     snn_model_add_input(model, "x", (int64_t[]){784}, 1, &x);
 *     snn_model_add_node(model, &(snn_node_spec){.op = "linear", .operands = &x, .operand_count = 1,
 *                                                .rows = 784, .cols = 784, .weight = w, .bias = b}, &h);
 *     snn_model_add_node(model, &(snn_node_spec){.op = "add", .operands = (int64_t[]){x, h},
 *                                                .operand_count = 2}, &y);
 *     snn_model_add_output(model, "y", y);
 */
SNN_API snn_status snn_model_create_graph(snn_model **model);
/* name: 1 to 255 bytes of UTF-8 without control characters, unlike that of any other input. dims (count):
 * those behind the batch, at most 7, each at least 1, or -1 where it is dynamic; at most 2^31 - 1 features in
 * all. */
SNN_API snn_status snn_model_add_input(snn_model *model, const char *name, const int64_t *dims, size_t count,
                                       int64_t *value);
/* data (the product of the dims): one sample, the same for every sample of a batch. */
SNN_API snn_status snn_model_add_constant(snn_model *model, const int64_t *dims, size_t count,
                                          const float *data, int64_t *value);
/* What a node is made from; all that an op has not is 0. Arrays are copied, but for snn_model_borrow. */
typedef struct snn_node_spec {
    const char *op;          /* its name, as in src_c/FORMAT.md */
    const char *name;        /* of the value that it gives; NULL: none */
    const int64_t *operands; /* (operand_count) values that came before, not all of them constants */
    size_t operand_count;
    const float *attributes; /* (attribute_count) its numbers, in the order of src_c/FORMAT.md */
    size_t attribute_count;
    const int64_t *integers; /* (integer_count) its whole numbers, likewise */
    size_t integer_count;
    int64_t rows, cols;  /* an op with weights: of W */
    const float *weight; /* likewise: W (rows, cols), or NULL and the three arrays of snn_model_add_csr */
    const int64_t *indptr;
    const int32_t *indices;
    const float *data;
    const float *bias; /* likewise: (rows) or NULL */
} snn_node_spec;
SNN_API snn_status snn_model_add_node(snn_model *model, const snn_node_spec *spec, int64_t *value);
/* Names a value, which is no constant, as an output. */
SNN_API snn_status snn_model_add_output(snn_model *model, const char *name, int64_t value);

/* A value. Pointers belong to the model. */
typedef struct snn_value_info {
    const char *name; /* NULL: it has none */
    int64_t value;
    size_t rank;
    const int64_t *dims;   /* (rank) the batch first: -1, of a constant 1; -1 for other dynamic dims */
    const float *constant; /* NULL: it is none */
} snn_value_info;
/* How a node stands in the model. Pointers belong to the model. */
typedef struct snn_node_edges {
    const int64_t *operands; /* (operand_count) */
    size_t operand_count;
    int64_t value;           /* that it gives */
    const int64_t *integers; /* (integer_count) its whole numbers */
    size_t integer_count;
    int64_t rows, cols; /* of its weight; 0 without one */
} snn_node_edges;
/* 1 when it was made by snn_model_create_graph, or loaded from a file of such a one. A chain has values as
 * well: its input, then one a node. */
SNN_API int snn_model_is_graph(const snn_model *model);
SNN_API int64_t snn_model_value_count(const snn_model *model);
SNN_API int64_t snn_model_input_count(const snn_model *model);
SNN_API int64_t snn_model_output_count(const snn_model *model);
SNN_API snn_status snn_model_value(const snn_model *model, int64_t index, snn_value_info *info);
/* Input and output index, by their own names. */
SNN_API snn_status snn_model_input(const snn_model *model, int64_t index, snn_value_info *info);
SNN_API snn_status snn_model_output(const snn_model *model, int64_t index, snn_value_info *info);
SNN_API snn_status snn_model_edges(const snn_model *model, int64_t index, snn_node_edges *info);

/* Features of a sample of the first input and of the first output. */
SNN_API int64_t snn_model_inputs(const snn_model *model);
SNN_API int64_t snn_model_outputs(const snn_model *model);
SNN_API int64_t snn_model_node_count(const snn_model *model);
/* Describes node index, counted from 0. */
SNN_API snn_status snn_model_node(const snn_model *model, int64_t index, snn_node_info *info);

/* Reads a model file (src_c/FORMAT.md) into memory; the file is not needed afterwards. All of it is
 * validated, whoever made it: SNN_ERROR_IO when it cannot be read, SNN_ERROR_FORMAT, _VERSION or _CSR when
 * it is no valid model. Takes memory of at most twice the file and 16 MB. */
SNN_API snn_status snn_model_load(const char *path, snn_model **model);
/* The same, but weights stay in the file as far as its layout allows, and are read when they are first
 * used: for large models of which a plan is made right away. The file must not change or shrink as long
 * as the model is there (replacing it by snn_model_save is safe: that makes a new file): the processor
 * would meet other weights, or none, which ends the process. */
SNN_API snn_status snn_model_map(const char *path, snn_model **model);
/* The same from memory; the bytes are copied. For a model that is a constant of the program, see
 * "sparsenn export --c-array". */
SNN_API snn_status snn_model_load_memory(const void *bytes, size_t byte_count, snn_model **model);
/* Writes a model file, atomically: a temporary file beside path, fsync, rename, fsync of the folder. On
 * SNN_ERROR_IO, and after a kill at any moment, path holds what it held before. A model without nodes
 * cannot be saved. */
SNN_API snn_status snn_model_save(const snn_model *model, const char *path);
/* The same file in memory: writes it into buffer of the given capacity in bytes and sets *needed to the bytes
 * it takes. Too small a capacity (0 with a NULL buffer to ask) is not an error: buffer then holds as much as
 * fits. */
SNN_API snn_status snn_model_save_memory(const snn_model *model, void *buffer, size_t capacity,
                                         size_t *needed);
/* Checks that the arrays are a valid CSR matrix of that shape (see snn_model_add_csr). */
SNN_API snn_status snn_csr_check(int64_t rows, int64_t cols, const int64_t *indptr, const int32_t *indices);
/* Frees a model and all that snn_model_node pointed to. NULL is allowed. */
SNN_API void snn_model_free(snn_model *model);

/* ---- plan -------------------------------------------------------------------------------------- */

/* A model packed and tuned for this processor. Immutable: any number of threads may run it at once. */
typedef struct snn_plan snn_plan;

typedef enum snn_tune {
    SNN_TUNE_MEASURE = 0, /* time the best candidates of the cost model */
    SNN_TUNE_MODEL = 1,   /* trust the cost model */
    SNN_TUNE_OFF = 2      /* fixed choices, the same on every machine with this ISA */
} snn_tune;

typedef struct snn_plan_options {
    int threads;                /* 0: the default of snn_cpu_query */
    const int64_t *batch_sizes; /* batches to tune for (each >= 1); NULL: 1 and 64. Any batch runs; where
                                   packing for all would take over 64 MB, on what these are packed for. */
    size_t batch_size_count;
    snn_tune tune;
    const char *isa;        /* NULL: the default of snn_cpu_query */
    const char *cache_path; /* folder for tuning results, by problem; NULL: none are kept */
    int kept_shapes; /* of a model with dynamic dims: shapes that are kept ready, those used last; 0: 8 */
} snn_plan_options;

/* Packs model into a new plan; the model is not needed afterwards. options NULL: all zero. A model without
 * nodes is SNN_ERROR_ARGUMENT, an isa that cannot be had SNN_ERROR_ISA. A cache that cannot be read or
 * written is no error. */
SNN_API snn_status snn_plan_create(const snn_model *model, const snn_plan_options *options, snn_plan **plan);
/* x (batch, inputs) -> y (batch, outputs), both row by row and not overlapping; batch >= 0.
 * A weight that is 0 reads nothing, stored or not, CSR or dense: an infinity or NaN of x reaches only what
 * has another weight there. A sample with a NaN among its outputs takes many times as long. Each call takes a
 * workspace of its own from the plan: it allocates nothing, unless more threads run the plan at once than
 * ever before (SNN_ERROR_MEMORY is possible then alone; see snn_plan_reserve). */
SNN_API snn_status snn_plan_run(const snn_plan *plan, const float *x, int64_t batch, float *y);
/* How samples lie in memory, without gaps. */
typedef enum snn_order {
    SNN_SAMPLES_FIRST = 0, /* (batch, features): sample by sample */
    SNN_FEATURES_FIRST = 1 /* (features, batch): feature by feature, as the pixels of an NCHW image */
} snn_order;

/* snn_plan_run with x and y each in an order of its own; results have the same bits in every order. x that is
 * features first is copied row by row instead of transposed, or read in place where it can be. */
SNN_API snn_status snn_plan_run_ordered(const snn_plan *plan, const float *x, snn_order x_order,
                                        int64_t batch, float *y, snn_order y_order);
/* snn_plan_run of a plan of a graph: x holds its inputs in their order, each (batch, features) sample by
 * sample, and y its outputs. */
SNN_API snn_status snn_plan_run_many(const snn_plan *plan, const float *const *x, int64_t batch,
                                     float *const *y);
/* Dynamic dims. A plan of a model that has inputs with dims of -1 takes any that fit, given with each run:
 * dims holds, for each input, those behind the batch. The first run of a shape makes the plan ready for it,
 * which takes as long as snn_plan_create, and allocates; other shapes run meanwhile, new ones wait for each
 * other. Those that were used last are kept, as many as the options say and as are running; weights and
 * workspaces are held once. Bits and speed are those of a plan of that shape alone. A run then allocates
 * nothing, unless more threads run the plan at once than ever before, or one finds a workspace that a smaller
 * shape left behind; none does after snn_plan_reserve. A fork waits while a shape is made ready. Dims that do
 * not fit are SNN_ERROR_ARGUMENT, by the name of the input; nothing is changed then. A plan of fixed dims
 * takes its own. */
SNN_API snn_status snn_plan_run_shaped(const snn_plan *plan, const float *const *x,
                                       const int64_t *const *dims, int64_t batch, float *const *y);
/* The dims behind the batch of output index, its rank - 1 and at most 7, for those of the inputs: what y
 * takes. Makes nothing ready. */
SNN_API snn_status snn_plan_output_dims(const snn_plan *plan, const int64_t *const *dims, int64_t index,
                                        int64_t *output_dims);
/* Makes a shape ready ahead of its first run, if it is not. */
SNN_API snn_status snn_plan_specialise(const snn_plan *plan, const int64_t *const *dims);
/* Inputs and outputs of a plan; what snn_model_input and snn_model_output say of the model. */
SNN_API int64_t snn_plan_input_count(const snn_plan *plan);
SNN_API int64_t snn_plan_output_count(const snn_plan *plan);
SNN_API snn_status snn_plan_input(const snn_plan *plan, int64_t index, snn_value_info *info);
SNN_API snn_status snn_plan_output(const snn_plan *plan, int64_t index, snn_value_info *info);
/* Makes workspaces ahead for that many callers at once (in [1, 64]), so that none of them allocates; of
 * dynamic dims for the shapes that are ready, and those to come. */
SNN_API snn_status snn_plan_reserve(const snn_plan *plan, int callers);
/* Features of a sample of the first input and of the first output (-1: dynamic); threads that a run uses at
 * most; the kernel set's name. */
SNN_API int64_t snn_plan_inputs(const snn_plan *plan);
SNN_API int64_t snn_plan_outputs(const snn_plan *plan);
SNN_API int snn_plan_threads(const snn_plan *plan);
SNN_API const char *snn_plan_isa(const snn_plan *plan);
/* Writes the plan's report as JSON text (UTF-8, NUL-terminated) into buffer of the given capacity in
 * bytes and sets *needed to the bytes it takes with the NUL. Too small a capacity (0 with a NULL buffer
 * to ask) is not an error: buffer then holds as much as fits. "arena_bytes" is what the values of a tile lie
 * in, "workspace_bytes" all that a caller's runs hold. "shapes" lists those that are ready, the one
 * used last first, which all else is about; none, and no layers, before the first. */
SNN_API snn_status snn_plan_report(const snn_plan *plan, char *buffer, size_t capacity, size_t *needed);
/* Times every step of the plan, in microseconds, in the order of the report's layers: one sample of arbitrary
 * values (of a plan without convolutions one tile of its first kind) on one thread, the least of a few runs.
 * count: of step_us, which must be the number of steps; SNN_ERROR_ARGUMENT tells it. Of dynamic dims for the
 * shape that was used last; SNN_ERROR_ARGUMENT before the first. */
SNN_API snn_status snn_plan_profile(const snn_plan *plan, double *step_us, int64_t count);
/* The model that the plan computes, made from its packed weights: weights that are zero are not stored, and a
 * bias of zeros is none. Its plans give the same bits. */
SNN_API snn_status snn_plan_model(const snn_plan *plan, snn_model **model);
/* Frees a plan that no thread is running. NULL is allowed. */
SNN_API void snn_plan_free(snn_plan *plan);

#ifdef __cplusplus
}
#endif

#include "sparsenn_stream.h"
#include "sparsenn_train.h"
#endif
