# A CSR pattern for training, as a convolution; pools on the same tiles.

cdef snn_conv_shape shape_of(dims, dict window) except *:
    """dims (channels, height, width); window: the fields of that name."""
    cdef snn_conv_shape given
    given.channels, given.height, given.width = dims
    given.kernel_h, given.kernel_w = window["kernel_h"], window["kernel_w"]
    given.stride_h, given.stride_w = window["stride_h"], window["stride_w"]
    given.pad_top, given.pad_left = window["pad_top"], window["pad_left"]
    given.pad_bottom, given.pad_right = window["pad_bottom"], window["pad_right"]
    given.dilation_h, given.dilation_w = window["dilation_h"], window["dilation_w"]
    return given


POOLS = {"max": SNN_POOL_MAX, "mean": SNN_POOL_MEAN, "mean_inside": SNN_POOL_MEAN_INSIDE}


cdef int expect_whole(bytes isa, float[:, :, ::1] tiles) except -1:
    """Raises unless the tiles are those of a kernel set."""
    expect("samples of tiles", tiles.shape[2], snn_tile_samples_for(name_or_null(isa)))
    return 0


def pool_forward(str pool not None, dims, dict window not None, float[:, :, ::1] x not None,
                 float[:, :, ::1] y not None, int threads=0, bytes isa=None):
    """y = the largest value, or the mean, of each window of x; pool is one of POOLS."""
    cdef snn_conv_shape shape = shape_of(dims, window)
    cdef snn_tiles source = tiles_of(x), result = tiles_of(y)
    cdef snn_pool kind = POOLS[pool]
    cdef const char *isa_name = name_or_null(isa)
    cdef snn_status status
    expect_whole(isa, x)
    expect_whole(isa, y)
    with nogil:
        status = snn_pool_forward_tiles(isa_name, kind, &shape, threads, source, result)
    check(status)


def pool_backward(str pool not None, dims, dict window not None, float[:, :, ::1] x not None,
                  float[:, :, ::1] y not None, float[:, :, ::1] dy not None, float[:, :, ::1] dx not None,
                  int threads=0, bytes isa=None):
    """dx from dy, with x and y as they were forward."""
    cdef snn_conv_shape shape = shape_of(dims, window)
    cdef snn_tiles source = tiles_of(x), made = tiles_of(y), slope = tiles_of(dy), back = tiles_of(dx)
    cdef snn_pool kind = POOLS[pool]
    cdef const char *isa_name = name_or_null(isa)
    cdef snn_status status
    expect_whole(isa, x)
    expect_whole(isa, y)
    expect_whole(isa, dy)
    expect_whole(isa, dx)
    with nogil:
        status = snn_pool_backward_tiles(isa_name, kind, &shape, threads, source, made, slope, back)
    check(status)


cdef class Convolution:
    """A CSR weight as a convolution packed for the three products of a training step, as Sparse is.

    Arrays of tiles hold images position after position, (height, width, channels) features.
    """

    def __cinit__(self, *args, **kwargs):
        self.handle = NULL

    def __init__(self, const int64_t[::1] indptr not None, const int32_t[::1] indices not None, shape,
                 dims, dict window not None, int threads=0, bytes isa=None):
        """indptr (out + 1,), indices (nnz,), shape (out, in) of the weight; threads and isa as in Sparse.

        dims     (channels, height, width) of what is read
        window   kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right, dilation_h
                 and dilation_w
        """
        cdef int64_t rows = shape[0], cols = shape[1]
        cdef snn_conv_shape given = shape_of(dims, window)
        cdef snn_conv *handle = NULL
        cdef snn_status status
        csr_check(rows, cols, indptr, indices)
        expect("weight columns", cols, given.channels * given.kernel_h * given.kernel_w)
        cdef const int64_t *row_starts = &indptr[0]
        cdef const int32_t *columns = first_index(indices)
        cdef const char *isa_name = name_or_null(isa)
        with nogil:
            status = snn_conv_create(isa_name, &given, rows, row_starts, columns, threads, &handle)
        check(status)
        snn_conv_free(self.handle)
        self.handle = handle
        self.lock = threading.Lock()
        self.rows, self.cols, self.nnz = rows, cols, indices.shape[0]

    def __dealloc__(self):
        snn_conv_free(self.handle)

    @property
    def threads(self):
        """Threads at most."""
        return snn_conv_threads(self.handle)

    @property
    def out_size(self):
        """(height, width) of what comes out."""
        return snn_conv_out_height(self.handle), snn_conv_out_width(self.handle)

    def set(self, const float[::1] data not None):
        """Takes the values data (nnz,) into the packings."""
        cdef const float *values = first(data)
        cdef snn_status status
        expect("data", data.shape[0], self.nnz)
        with self.lock:
            with nogil:
                status = snn_conv_set(self.handle, values)
            check(status)

    def forward_tiles(self, const float[::1] bias, float[:, :, ::1] x not None, Activation activation,
                      float[:, :, ::1] z, float[:, :, ::1] y not None):
        """y = activation(z) with z = W * x + bias, which is kept where the slope needs it, else None."""
        cdef snn_activation options = with_z(activation, z)
        cdef snn_tiles source = tiles_of(x), result = tiles_of(y)
        cdef const float *offsets = first(bias)
        cdef snn_status status
        if bias is not None:
            expect("bias", bias.shape[0], self.rows)
        with self.lock:
            with nogil:
                status = snn_conv_forward_tiles(self.handle, offsets, source, &options, result)
            check(status)

    def backward_input_tiles(self, float[:, :, ::1] dy not None, float[:, :, ::1] x not None,
                             Activation activation, float[:, :, ::1] z, float[:, :, ::1] dx not None):
        """dx from dy, times the slope of the activation that made x from z."""
        cdef snn_activation options = with_z(activation, z)
        cdef snn_tiles source = tiles_of(dy), made = tiles_of(x), result = tiles_of(dx)
        cdef snn_status status
        with self.lock:
            with nogil:
                status = snn_conv_backward_input_tiles(self.handle, source, made, &options, result)
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
                status = snn_conv_backward_weight_tiles(self.handle, gradient, source, values, offsets)
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
                status = snn_conv_update(self.handle, &update.value, values, gradient, first_state,
                                         second_state)
            check(status)
