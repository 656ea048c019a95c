# A CSR pattern for training.

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
