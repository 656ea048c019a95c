# The plan of the core.

cdef enum:
    MOST_ARRAYS = 256
    MOST_DIMS = 7  # behind the batch


cdef struct given_dims:
    int64_t numbers[MOST_ARRAYS][MOST_DIMS]
    const int64_t *rows[MOST_ARRAYS]


ctypedef snn_status (*port_reader)(const snn_plan *plan, int64_t index, snn_value_info *info) noexcept nogil


cdef tuple read_ports(const snn_plan *plan, int64_t count, port_reader read):
    """(name, number of the value, dims) of every input or output; the batch first in dims."""
    cdef snn_value_info info
    ports = []
    for i in range(count):
        check(read(plan, i, &info))
        ports.append(read_value(&info))
    return tuple(ports)


cdef int set_dims(given_dims *dims, tuple info, object shapes) except -1:
    """Dims behind the batch of each input, as snn_plan_run_shaped takes them. info: inputs_info."""
    if len(info) > MOST_ARRAYS:
        raise errors.UnsupportedError(f"run takes at most {MOST_ARRAYS} inputs and outputs")
    expect("x", len(shapes), len(info))
    for i, (name, _, wanted) in enumerate(info):
        if len(shapes[i]) != len(wanted) - 1:
            raise errors.ArgumentError(
                f"input {name!r} must have {len(wanted) - 1} dims behind the batch, got {tuple(shapes[i])}")
        for k, dim in enumerate(shapes[i]):
            dims.numbers[i][k] = dim
        dims.rows[i] = dims.numbers[i]
    return 0


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
                 str tune="measure", bytes isa=None, bytes cache_path=None, int kept_shapes=0):
        """threads and kept_shapes 0, isa and batch_sizes None: the core's defaults; cache_path None: none."""
        cdef snn_plan_options options
        cdef snn_plan *plan = NULL
        cdef snn_status status
        memset(&options, 0, sizeof(options))
        options.threads = threads
        options.tune = <snn_tune><int>TUNE[tune]
        options.isa = NULL if isa is None else c_string(isa, "isa")
        options.kept_shapes = kept_shapes
        options.cache_path = NULL if cache_path is None else c_string(cache_path, "cache")
        if batch_sizes is not None and batch_sizes.shape[0]:
            options.batch_sizes = &batch_sizes[0]
            options.batch_size_count = batch_sizes.shape[0]
        with nogil:
            status = snn_plan_create(model.handle, &options, &plan)
        check(status)
        snn_plan_free(self.handle)
        self.handle = plan
        self.inputs_info = read_ports(plan, snn_plan_input_count(plan), snn_plan_input)
        self.outputs_info = read_ports(plan, snn_plan_output_count(plan), snn_plan_output)
        ends = [self.inputs_info, self.outputs_info]
        self.is_plain = all(
            len(ports) == 1 and len(ports[0][2]) == 2 and ports[0][2][1] >= 0 for ports in ends)

    def __dealloc__(self):
        snn_plan_free(self.handle)

    def run(self, x, out=None):
        """x (batch, inputs) -> out (batch, outputs), a new array in the order of x where it is None.

        None, and nothing is done, where an array is not what the core can use: an aligned float32 ndarray of
        that shape, C- or F-contiguous; out writable and without memory of x.
        """
        cdef Py_buffer view
        if not self.is_plain or not acquire(x, &view, 0):
            return None
        try:
            return run_into(self.handle, &view, out)
        finally:
            PyBuffer_Release(&view)

    def run_many(self, arrays, Stream stream=None):
        """The outputs (batch, ...) as a list: one array for each, as a plan of a graph gives them.

        arrays: one C-contiguous float32 ndarray (batch, ...) for each input, of its dims; -1 stands for any.
        """
        cdef int64_t batch = arrays[0].shape[0] if arrays else 0
        cdef given_dims dims
        cdef int64_t output_dims[MOST_DIMS]
        cdef const float *x[MOST_ARRAYS]
        cdef float *y[MOST_ARRAYS]
        cdef const float[::1] source
        cdef float[::1] destination
        cdef snn_status status
        if len(self.outputs_info) > MOST_ARRAYS:
            raise errors.UnsupportedError(f"run takes at most {MOST_ARRAYS} inputs and outputs")
        results = []
        set_dims(&dims, self.inputs_info, [array.shape[1:] for array in arrays])
        for i, array in enumerate(arrays):
            if array.shape[0] != batch:
                raise errors.ArgumentError(f"all inputs must have {batch} samples, got {array.shape[0]}")
            source = array.reshape(-1)
            x[i] = first(source)
        for i, (_, _, shape) in enumerate(self.outputs_info):
            check(snn_plan_output_dims(self.handle, dims.rows, i, output_dims))
            results.append(np.empty((batch, *[output_dims[k] for k in range(len(shape) - 1)]), np.float32))
            destination = results[i].reshape(-1)
            y[i] = target(destination)
        if stream is not None:
            expect("samples", batch, stream.batch)
        with nogil:
            if stream is not None:
                status = snn_stream_feed(stream.handle, x, dims.rows, y)
            else:
                status = snn_plan_run_shaped(self.handle, x, dims.rows, batch, y)
        check(status)
        return results

    def specialise(self, shapes):
        """Makes a shape ready: dims behind the batch of each input."""
        cdef given_dims dims
        cdef snn_status status
        set_dims(&dims, self.inputs_info, shapes)
        with nogil:
            status = snn_plan_specialise(self.handle, dims.rows)
        check(status)

    def model(self):
        """The model that the plan computes, from its packed weights."""
        cdef Model model = Model.__new__(Model)
        check(snn_plan_model(self.handle, &model.handle))
        return model

    def report(self):
        """The plan's report as JSON text; it may grow while it is asked for, where others run new shapes."""
        cdef size_t needed = 0
        cdef unsigned char[::1] text
        buffer = bytearray()
        check(snn_plan_report(self.handle, NULL, 0, &needed))
        while len(buffer) < needed:
            buffer = bytearray(needed)
            text = buffer
            check(snn_plan_report(self.handle, <char *>&text[0], len(buffer), &needed))
        return buffer[: needed - 1].decode("utf-8")

    def profile(self, double[::1] step_us not None):
        """Fills step_us, as long as the report has layers, with what each takes, in microseconds."""
        cdef int64_t count = step_us.shape[0]
        cdef double *us = &step_us[0] if count > 0 else NULL
        cdef snn_status status
        with nogil:
            status = snn_plan_profile(self.handle, us, count)
        check(status)

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
