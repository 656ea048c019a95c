"""The binding of the C core: check shapes, release the GIL, call, turn a status into an exception.

Arrays are C-contiguous: float32 values, int32 indices, int64 indptr. The classes are handles; the public
Model and Plan are in model.py and compile.py.
"""

import threading

import numpy as np

from sparsenn import errors

from cpython.buffer cimport (
    PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_IsContiguous, PyBuffer_Release, PyObject_GetBuffer,
)
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy, memset

OPTIMIZERS = {
    "sgd": SNN_OPTIMIZER_SGD,
    "momentum": SNN_OPTIMIZER_MOMENTUM,
    "nesterov": SNN_OPTIMIZER_NESTEROV,
    "rmsprop": SNN_OPTIMIZER_RMSPROP,
    "adam": SNN_OPTIMIZER_ADAM,
}
PENALTIES = {None: SNN_PENALTY_NONE, "l1": SNN_PENALTY_L1, "mcp": SNN_PENALTY_MCP}
TUNE = {"measure": SNN_TUNE_MEASURE, "model": SNN_TUNE_MODEL, "off": SNN_TUNE_OFF}

EXCEPTIONS = {
    SNN_ERROR_ARGUMENT: errors.ArgumentError,
    SNN_ERROR_MEMORY: MemoryError,
    SNN_ERROR_IO: OSError,
    SNN_ERROR_FORMAT: errors.FormatError,
    SNN_ERROR_VERSION: errors.VersionError,
    SNN_ERROR_CSR: errors.CSRError,
    SNN_ERROR_ISA: errors.ISAError,
    SNN_ERROR_UNSUPPORTED: errors.UnsupportedError,
}

# Looked up once: a small plan runs in a microsecond.
cdef object ndarray = np.ndarray, empty = np.empty, float32 = np.dtype(np.float32)

# What an empty array points to: the core is never given NULL for an array that is there.
cdef int64_t nothing = 0


cdef int check(snn_status status) except -1:
    """Raises the exception of a failed status, with the core's message."""
    if status == SNN_OK:
        return 0
    message = snn_last_error().decode("utf-8", "replace")
    raise EXCEPTIONS.get(status, errors.SparsennError)(message)


cdef const char *c_string(bytes text, str name) except NULL:
    """The characters of text, which must hold no NUL: the core would stop reading there."""
    if b"\0" in text:
        raise errors.ArgumentError(f"{name} must not hold a NUL character, got {text!r}")
    return text


cdef snn_status plan_run(const snn_plan *plan, const float *x, int64_t batch, float *y) noexcept nogil:
    return snn_plan_run(plan, x, batch, y)


cdef snn_status plan_run_ordered(const snn_plan *plan, const float *x, snn_order x_order, int64_t batch,
                                 float *y, snn_order y_order) noexcept nogil:
    return snn_plan_run_ordered(plan, x, x_order, batch, y, y_order)


cdef int expect(str name, int64_t got, int64_t wanted) except -1:
    if got != wanted:
        raise errors.ArgumentError(f"{name} must have shape ({wanted},), got ({got},)")
    return 0


cdef int expect_2d(str name, const float[:, ::1] array, int64_t rows, int64_t cols) except -1:
    if array.shape[0] != rows or array.shape[1] != cols:
        raise errors.ArgumentError(
            f"{name} must have shape ({rows}, {cols}), got ({array.shape[0]}, {array.shape[1]})")
    return 0


cdef int expect_matrix(str name, const float[:, ::1] array, int64_t features, int64_t batch,
                       bint samples_first) except -1:
    return expect_2d(name, array, batch if samples_first else features,
                     features if samples_first else batch)


cdef object new_matrix(int64_t features, int64_t batch, bint samples_first):
    return np.empty((batch, features) if samples_first else (features, batch), np.float32)


cdef const float *first(const float[::1] array) noexcept:
    """The first element of a vector; NULL for None."""
    if array is None:
        return NULL
    return &array[0] if array.shape[0] else <const float *>&nothing


cdef const float *first_2d(const float[:, ::1] array) noexcept:
    return &array[0, 0] if array.shape[0] and array.shape[1] else <const float *>&nothing


cdef float *target(float[::1] array) noexcept:
    if array is None:
        return NULL
    return &array[0] if array.shape[0] else <float *>&nothing


cdef float *target_2d(float[:, ::1] array) noexcept:
    return &array[0, 0] if array.shape[0] and array.shape[1] else <float *>&nothing


cdef const int32_t *first_index(const int32_t[::1] indices) noexcept:
    return &indices[0] if indices.shape[0] else <const int32_t *>&nothing


cdef object copy_array(const void *source, object shape, object dtype):
    """A new array of that shape and dtype with the bytes of source; None where source is NULL."""
    if source is NULL:
        return None
    array = np.empty(shape, dtype)
    cdef unsigned char[::1] bytes_view
    if array.nbytes:
        bytes_view = array.reshape(-1).view(np.uint8)
        memcpy(&bytes_view[0], source, bytes_view.shape[0])
    return array


cdef dict read_ops():
    """The numbers of the node types by name."""
    ops = {}
    while snn_node_type_name(<snn_node_type><int>len(ops)) is not NULL:
        ops[snn_node_type_name(<snn_node_type><int>len(ops)).decode()] = len(ops)
    return ops


OPS = read_ops()


def version():
    """The version of the core, for example "0.1.0"."""
    return snn_version().decode()


def cpu_info():
    """What the core found out about this processor and about its own build, as a dict."""
    cdef snn_cpu_info info
    check(snn_cpu_query(&info))
    return {
        "isa": info.isa.decode(),
        "isas_built": info.isas_built.decode().split(","),
        "isas_usable": info.isas_usable.decode().split(","),
        "model": info.model.decode("utf-8", "replace"),
        "threads": info.threads,
        "openmp": bool(info.openmp),
    }


def csr_check(int64_t rows, int64_t cols, const int64_t[::1] indptr not None,
              const int32_t[::1] indices not None):
    """Raises CSRError unless the arrays are a valid CSR matrix (rows, cols): sorted, unique, in range."""
    if rows < 0 or cols < 0 or indptr.shape[0] != rows + 1:
        raise errors.CSRError(f"indptr must hold rows + 1 = {rows + 1} entries, got {indptr.shape[0]}")
    if indptr[rows] != indices.shape[0]:
        raise errors.CSRError(
            f"indptr must end with the number of indices {indices.shape[0]}, got {indptr[rows]}")
    check(snn_csr_check(rows, cols, &indptr[0], first_index(indices)))


cdef class Model:
    """A model inside the core: nodes in execution order, all arrays owned by the core."""

    def __cinit__(self, *args):
        self.handle = NULL

    def __init__(self, int64_t inputs):
        snn_model_free(self.handle)
        self.handle = NULL
        check(snn_model_create(inputs, &self.handle))

    def __dealloc__(self):
        snn_model_free(self.handle)

    @staticmethod
    def load(bytes path not None):
        """Reads a model file; path as os.fsencode gives it."""
        cdef Model model = Model.__new__(Model)
        cdef const char *file_path = c_string(path, "path")
        cdef snn_status status
        with nogil:
            status = snn_model_load(file_path, &model.handle)
        check(status)
        return model

    @staticmethod
    def load_memory(const unsigned char[::1] content not None):
        """Reads a model from the bytes of a model file."""
        cdef Model model = Model.__new__(Model)
        cdef const void *start = &content[0] if content.shape[0] else <const void *>&nothing
        cdef size_t size = content.shape[0]
        cdef snn_status status
        with nogil:
            status = snn_model_load_memory(start, size, &model.handle)
        check(status)
        return model

    def save(self, bytes path not None):
        """Writes a model file, atomically."""
        cdef const char *file_path = c_string(path, "path")
        cdef snn_status status
        with nogil:
            status = snn_model_save(self.handle, file_path)
        check(status)

    def save_memory(self):
        """The bytes of a model file, as an ndarray (uint8): pickles hand those on without a copy."""
        cdef size_t needed = 0, written = 0
        check(snn_model_save_memory(self.handle, NULL, 0, &needed))
        content = np.empty(needed, np.uint8)
        cdef unsigned char[::1] view = content
        check(snn_model_save_memory(self.handle, &view[0], needed, &written))
        return content

    def add_dense(self, const float[:, ::1] weight not None, const float[::1] bias=None):
        """Appends y = W x + b; weight (out, in), bias (out,) or None."""
        if bias is not None:
            expect("bias", bias.shape[0], weight.shape[0])
        check(snn_model_add_dense(self.handle, weight.shape[0], weight.shape[1], first_2d(weight),
                                  first(bias)))

    def add_csr(self, shape, const int64_t[::1] indptr not None, const int32_t[::1] indices not None,
                const float[::1] data not None, const float[::1] bias=None):
        """Appends y = W x + b with W of the given shape (out, in) in CSR; bias (out,) or None."""
        cdef int64_t rows = shape[0], cols = shape[1]
        csr_check(rows, cols, indptr, indices)
        expect("data", data.shape[0], indices.shape[0])
        if bias is not None:
            expect("bias", bias.shape[0], rows)
        check(snn_model_add_csr(self.handle, rows, cols, &indptr[0], first_index(indices), first(data),
                                first(bias)))

    def add_op(self, str op not None, const float[::1] attributes not None):
        """Appends an op without weights by its name in OPS, with its attributes in their order."""
        name = op.encode()
        check(snn_model_add_op(self.handle, c_string(name, "op"), first(attributes), attributes.shape[0]))

    @property
    def inputs(self):
        return snn_model_inputs(self.handle)

    @property
    def outputs(self):
        return snn_model_outputs(self.handle)

    def __len__(self):
        return snn_model_node_count(self.handle)

    def node(self, int64_t index):
        """Node index as a dict: op, inputs, outputs, sparse, nnz, attributes, and copies of its arrays.

        weight (out, in), bias (out,), data (nnz,), indices (nnz,), indptr (out + 1,); None where not held.
        """
        cdef snn_node_info info
        check(snn_model_node(self.handle, index, &info))
        return {
            "op": snn_node_type_name(info.type).decode(),
            "inputs": info.inputs,
            "outputs": info.outputs,
            "sparse": bool(info.sparse),
            "nnz": info.nnz,
            "weight": copy_array(info.weight, (info.outputs, info.inputs), np.float32),
            "indptr": copy_array(info.indptr, (info.outputs + 1,), np.int64),
            "indices": copy_array(info.indices, (info.nnz,), np.int32),
            "data": copy_array(info.data, (info.nnz,), np.float32),
            "bias": copy_array(info.bias, (info.outputs,), np.float32),
            "attributes": (info.low, info.high),
        }


cdef bint acquire(object array, Py_buffer *view, int flags) except -1:
    """Whether array is an ndarray that offers its memory as the flags ask; view is then to be released."""
    if type(array) is not ndarray:
        return False
    try:
        PyObject_GetBuffer(array, view, flags | PyBUF_FORMAT | PyBUF_STRIDES)
    except (BufferError, ValueError):
        return False
    return True


cdef int order_of(const Py_buffer *view, int64_t features) noexcept:
    """The snn_order of an array (batch, features) that the core can use as it is; -1 of any other."""
    if view.ndim != 2 or view.shape[1] != features or view.format[0] != b"f" or view.format[1] != 0:
        return -1
    if view.len and <size_t>view.buf % sizeof(float):
        return -1
    if PyBuffer_IsContiguous(view, b"C"):
        return SNN_SAMPLES_FIRST
    return SNN_FEATURES_FIRST if PyBuffer_IsContiguous(view, b"F") else -1


cdef bint overlap(const Py_buffer *a, const Py_buffer *b) noexcept:
    """Whether two contiguous arrays share memory."""
    cdef char *a_start = <char *>a.buf
    cdef char *b_start = <char *>b.buf
    return a.len and b.len and a_start < b_start + b.len and b_start < a_start + a.len


cdef object run_into(const snn_plan *plan, const Py_buffer *x, object out):
    """The second half of Plan.run, with the memory of x at hand."""
    cdef Py_buffer y
    cdef int64_t batch = x.shape[0]
    cdef int x_order = order_of(x, snn_plan_inputs(plan)), y_order
    cdef snn_status status
    if x_order < 0:
        return None
    if out is None:
        out = empty((batch, snn_plan_outputs(plan)), float32, "C" if x_order == SNN_SAMPLES_FIRST else "F")
    if not acquire(out, &y, PyBUF_WRITABLE):
        return None
    try:
        y_order = order_of(&y, snn_plan_outputs(plan))
        if y_order < 0 or y.shape[0] != batch or overlap(x, &y):
            return None
        with nogil:
            status = snn_plan_run_ordered(plan, <const float *>x.buf, <snn_order>x_order, batch,
                                          <float *>y.buf, <snn_order>y_order)
        check(status)
        return out
    finally:
        PyBuffer_Release(&y)


cdef class Plan:
    """A model packed and tuned for this processor. Any number of threads may run it at once."""

    def __cinit__(self, *args, **kwargs):
        self.handle = NULL

    def __init__(self, Model model not None, *, int threads=0, const int64_t[::1] batch_sizes=None,
                 str tune="measure", bytes isa=None, bytes cache_path=None):
        """threads 0, isa None, batch_sizes None: the core's defaults; cache_path None: nothing is kept."""
        cdef snn_plan_options options
        cdef snn_plan *plan = NULL
        cdef snn_status status
        memset(&options, 0, sizeof(options))
        options.threads = threads
        options.tune = <snn_tune><int>TUNE[tune]
        options.isa = NULL if isa is None else c_string(isa, "isa")
        options.cache_path = NULL if cache_path is None else c_string(cache_path, "cache")
        if batch_sizes is not None and batch_sizes.shape[0]:
            options.batch_sizes = &batch_sizes[0]
            options.batch_size_count = batch_sizes.shape[0]
        with nogil:
            status = snn_plan_create(model.handle, &options, &plan)
        check(status)
        snn_plan_free(self.handle)
        self.handle = plan

    def __dealloc__(self):
        snn_plan_free(self.handle)

    def run(self, x, out=None):
        """x (batch, inputs) -> out (batch, outputs), a new array in the order of x where it is None.

        None, and nothing is done, where an array is not what the core can use: an aligned float32 ndarray of
        that shape, C- or F-contiguous; out writable and without memory of x.
        """
        cdef Py_buffer view
        if not acquire(x, &view, 0):
            return None
        try:
            return run_into(self.handle, &view, out)
        finally:
            PyBuffer_Release(&view)

    def model(self):
        """The model that the plan computes, from its packed weights."""
        cdef Model model = Model.__new__(Model)
        check(snn_plan_model(self.handle, &model.handle))
        return model

    def report(self):
        """The plan's report as JSON text."""
        cdef size_t needed = 0
        check(snn_plan_report(self.handle, NULL, 0, &needed))
        buffer = bytearray(needed)
        cdef unsigned char[::1] text = buffer
        check(snn_plan_report(self.handle, <char *>&text[0], needed, &needed))
        return buffer[: needed - 1].decode("utf-8")

    @property
    def inputs(self):
        return snn_plan_inputs(self.handle)

    @property
    def outputs(self):
        return snn_plan_outputs(self.handle)

    @property
    def threads(self):
        return snn_plan_threads(self.handle)

    @property
    def isa(self):
        return snn_plan_isa(self.handle).decode()


cdef const char *name_or_null(bytes name) noexcept:
    """The text of a name that stays alive meanwhile; NULL for None."""
    return NULL if name is None else <const char *>name


cdef class Sparse:
    """One CSR pattern packed for the three products of a training step; the values stay the caller's.

    Matrices have features as rows and the batch as columns: X (in, batch), Y (out, batch), float32; with
    samples_first they are X (batch, in) and Y (batch, out).
    """

    def __cinit__(self, *args, **kwargs):
        self.handle = NULL

    def __init__(self, const int64_t[::1] indptr not None, const int32_t[::1] indices not None, shape,
                 int threads=0, bytes isa=None):
        """indptr (out + 1,), indices (nnz,), shape (out, in); threads 0, isa None: the core's defaults."""
        cdef int64_t rows = shape[0], cols = shape[1]
        cdef snn_sparse *handle = NULL
        cdef snn_status status
        csr_check(rows, cols, indptr, indices)
        cdef const int64_t *row_starts = &indptr[0]
        cdef const int32_t *columns = first_index(indices)
        cdef const char *isa_name = name_or_null(isa)
        with nogil:
            status = snn_sparse_create_for(isa_name, rows, cols, row_starts, columns, threads, &handle)
        check(status)
        snn_sparse_free(self.handle)
        self.handle = handle
        self.lock = threading.Lock()
        self.rows, self.cols, self.nnz = rows, cols, indices.shape[0]

    def __dealloc__(self):
        snn_sparse_free(self.handle)

    def forward(self, const float[::1] data not None, const float[::1] bias, const float[:, ::1] x not None,
                out=None, *, bint samples_first=False):
        """Y (out, batch) = W X + b; data (nnz,), bias (out,) or None, X (in, batch)."""
        cdef int64_t batch = x.shape[1 - samples_first]
        cdef snn_order order = SNN_SAMPLES_FIRST if samples_first else SNN_FEATURES_FIRST
        cdef float[:, ::1] y
        cdef snn_status status
        expect("data", data.shape[0], self.nnz)
        expect_matrix("X", x, self.cols, batch, samples_first)
        if bias is not None:
            expect("bias", bias.shape[0], self.rows)
        result = new_matrix(self.rows, batch, samples_first) if out is None else out
        y = result
        expect_matrix("out", y, self.rows, batch, samples_first)
        cdef const float *values = first(data)
        cdef const float *offsets = first(bias)
        cdef const float *source = first_2d(x)
        cdef float *destination = target_2d(y)
        with self.lock:
            with nogil:
                status = snn_sparse_forward_ordered(self.handle, order, values, offsets, source, batch,
                                                    destination)
            check(status)
        return result

    def backward_input(self, const float[::1] data not None, const float[:, ::1] dy not None, out=None, *,
                       bint samples_first=False):
        """dX (in, batch) = W^T dY; data (nnz,), dY (out, batch)."""
        cdef int64_t batch = dy.shape[1 - samples_first]
        cdef snn_order order = SNN_SAMPLES_FIRST if samples_first else SNN_FEATURES_FIRST
        cdef float[:, ::1] dx
        cdef snn_status status
        expect("data", data.shape[0], self.nnz)
        expect_matrix("dY", dy, self.rows, batch, samples_first)
        result = new_matrix(self.cols, batch, samples_first) if out is None else out
        dx = result
        expect_matrix("out", dx, self.cols, batch, samples_first)
        cdef const float *values = first(data)
        cdef const float *source = first_2d(dy)
        cdef float *destination = target_2d(dx)
        with self.lock:
            with nogil:
                status = snn_sparse_backward_input_ordered(self.handle, order, values, source, batch,
                                                           destination)
            check(status)
        return result

    def backward_weight(self, const float[:, ::1] dy not None, const float[:, ::1] x not None, ddata=None,
                        dbias=None, *, bint samples_first=False):
        """(ddata (nnz,), dbias (out,)): dY X^T on the pattern, and dY summed over the batch.

        dY (out, batch), X (in, batch); ddata and dbias may be given as arrays to fill.
        """
        cdef int64_t batch = dy.shape[1 - samples_first]
        cdef snn_order order = SNN_SAMPLES_FIRST if samples_first else SNN_FEATURES_FIRST
        cdef float[::1] data_view, bias_view
        cdef snn_status status
        expect_matrix("dY", dy, self.rows, batch, samples_first)
        expect_matrix("X", x, self.cols, batch, samples_first)
        ddata = np.empty(self.nnz, np.float32) if ddata is None else ddata
        dbias = np.empty(self.rows, np.float32) if dbias is None else dbias
        data_view, bias_view = ddata, dbias
        expect("ddata", data_view.shape[0], self.nnz)
        expect("dbias", bias_view.shape[0], self.rows)
        cdef const float *gradient = first_2d(dy)
        cdef const float *source = first_2d(x)
        cdef float *values = target(data_view)
        cdef float *offsets = target(bias_view)
        with self.lock:
            with nogil:
                status = snn_sparse_backward_weight_ordered(self.handle, order, gradient, source, batch,
                                                            values, offsets)
            check(status)
        return ddata, dbias

    # ---- the same on tiles: arrays (tiles, features and scratch rows, tile_samples()) that layers share ----

    @property
    def threads(self):
        """Threads at most; also the scratch rows that arrays of tiles need behind their features."""
        return snn_sparse_threads(self.handle)

    def set(self, const float[::1] data not None):
        """Takes the values data (nnz,) into the packings."""
        cdef const float *values = first(data)
        cdef snn_status status
        expect("data", data.shape[0], self.nnz)
        with self.lock:
            with nogil:
                status = snn_sparse_set(self.handle, values)
            check(status)

    def forward_tiles(self, const float[::1] bias, float[:, :, ::1] x not None, Activation activation,
                      float[:, :, ::1] z, float[:, :, ::1] y not None):
        """y = activation(W x + bias), and z = W x + bias where the activation's slope needs it, else None."""
        cdef snn_activation options = with_z(activation, z)
        cdef snn_tiles source = tiles_of(x), result = tiles_of(y)
        cdef const float *offsets = first(bias)
        cdef snn_status status
        if bias is not None:
            expect("bias", bias.shape[0], self.rows)
        with self.lock:
            with nogil:
                status = snn_sparse_forward_tiles(self.handle, offsets, source, &options, result)
            check(status)

    def backward_input_tiles(self, float[:, :, ::1] dy not None, float[:, :, ::1] x not None,
                             Activation activation, float[:, :, ::1] z, float[:, :, ::1] dx not None):
        """dx = W^T dy times the slope of the activation that made x from z."""
        cdef snn_activation options = with_z(activation, z)
        cdef snn_tiles source = tiles_of(dy), made = tiles_of(x), result = tiles_of(dx)
        cdef snn_status status
        with self.lock:
            with nogil:
                status = snn_sparse_backward_input_tiles(self.handle, source, made, &options, result)
            check(status)

    def backward_weight_tiles(self, float[:, :, ::1] dy not None, float[:, :, ::1] x not None,
                              float[::1] ddata not None, float[::1] dbias):
        """Fills ddata (nnz,) and dbias (out,), or None."""
        cdef snn_tiles gradient = tiles_of(dy), source = tiles_of(x)
        cdef float *values = target(ddata)
        cdef float *offsets = target(dbias)
        cdef snn_status status
        expect("ddata", ddata.shape[0], self.nnz)
        if dbias is not None:
            expect("dbias", dbias.shape[0], self.rows)
        with self.lock:
            with nogil:
                status = snn_sparse_backward_weight_tiles(self.handle, gradient, source, values, offsets)
            check(status)

    def update(self, Update update not None, float[::1] data not None, const float[::1] ddata not None,
               float[::1] state1=None, float[::1] state2=None):
        """One step of an optimizer on data (nnz,), and the packings with it."""
        cdef float *values = target(data)
        cdef const float *gradient = first(ddata)
        cdef float *first_state = target(state1)
        cdef float *second_state = target(state2)
        cdef snn_status status
        expect("data", data.shape[0], self.nnz)
        expect_state(self.nnz, ddata, state1, state2)
        with self.lock:
            with nogil:
                status = snn_sparse_update(self.handle, &update.value, values, gradient, first_state,
                                           second_state)
            check(status)


cdef snn_tiles tiles_of(float[:, :, ::1] array) noexcept:
    """The core's view of an array of tiles; NULL values for None and for no tiles."""
    cdef snn_tiles tiles
    memset(&tiles, 0, sizeof(tiles))
    if array is not None and array.shape[0] and array.shape[1] and array.shape[2]:
        tiles.values = &array[0, 0, 0]
        tiles.count = array.shape[0]
        tiles.stride = array.shape[1]
    return tiles


cdef snn_activation with_z(Activation activation, float[:, :, ::1] z) except *:
    cdef snn_activation options
    memset(&options, 0, sizeof(options))
    if activation is not None:
        options = activation.value
    options.z = tiles_of(z)
    return options


cdef int expect_state(int64_t count, const float[::1] gradient, const float[::1] state1,
                      const float[::1] state2) except -1:
    expect("gradient", gradient.shape[0], count)
    if state1 is not None:
        expect("state1", state1.shape[0], count)
    if state2 is not None:
        expect("state2", state2.shape[0], count)
    return 0


cdef class Activation:
    """An activation as the core fuses it: an op of OPS on one value at a time; linear is none."""

    def __init__(self, str op not None, float low=0, float high=0):
        """low and high: the op's attributes, in their order."""
        memset(&self.value, 0, sizeof(self.value))
        self.value.type = <snn_node_type><int>OPS[op]
        self.value.low, self.value.high = low, high


cdef class Update:
    """The constants of one optimizer step; sparsenn.h says what each is and in which order they apply."""

    def __init__(self, str optimizer not None, *, float rate, double beta1=0, double beta2=0, float epsilon=0,
                 float adam_rate=0, float adam_epsilon=0, float decay=0, float gradient_scale=1,
                 float gradient_limit=float("inf"), float l2=0, float l1_slope=0,
                 float move_limit=float("inf"), float move_threshold=0, penalty=None,
                 float penalty_strength=0, float penalty_concavity=0, float low=-float("inf"),
                 float high=float("inf"), bytes isa=None):
        self.isa = isa
        self.value = snn_update(
            gradient_scale=gradient_scale, gradient_limit=gradient_limit, l2=l2, l1_slope=l1_slope,
            optimizer=<snn_optimizer><int>OPTIMIZERS[optimizer], rate=rate, beta1=beta1, beta2=beta2,
            epsilon=epsilon, adam_rate=adam_rate, adam_epsilon=adam_epsilon, decay=decay,
            move_limit=move_limit, move_threshold=move_threshold,
            penalty=<snn_penalty><int>PENALTIES[penalty], penalty_strength=penalty_strength,
            penalty_concavity=penalty_concavity, low=low, high=high, isa=name_or_null(isa))


def tile_samples(bytes isa=None):
    """Samples of a tile for a kernel set, None for the default one."""
    return snn_tile_samples_for(name_or_null(isa))


def tiles_load(const float[:, ::1] x not None, float[:, :, ::1] out not None, int threads=0, bytes isa=None):
    """x (batch, features) -> out (tiles, at least features, tile_samples()); zeros behind the last sample."""
    cdef int64_t batch = x.shape[0], features = x.shape[1]
    cdef const float *source = first_2d(x)
    cdef const char *isa_name = name_or_null(isa)
    cdef snn_tiles tiles = tiles_of(out)
    cdef snn_status status
    expect("out samples", out.shape[2], snn_tile_samples_for(isa_name))
    with nogil:
        status = snn_tiles_load_for(isa_name, source, batch, features, threads, tiles)
    check(status)


def update_values(Update update not None, float[::1] values not None, const float[::1] gradient not None,
                  float[::1] state1=None, float[::1] state2=None, int threads=0):
    """One step of an optimizer on values (n,); the state (n,) as far as the optimizer has any."""
    cdef float *weights = target(values)
    cdef const float *slope = first(gradient)
    cdef float *first_state = target(state1)
    cdef float *second_state = target(state2)
    cdef int64_t count = values.shape[0]
    cdef snn_status status
    expect_state(count, gradient, state1, state2)
    with nogil:
        status = snn_update_values(&update.value, weights, slope, first_state, second_state, count, threads)
    check(status)
