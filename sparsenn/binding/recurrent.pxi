# A recurrent cell for training: its steps forward and back, on tiles.

cdef class Recurrence:
    """The steps of a recurrent op, on tiles of (steps, features) rows; the weight is a Sparse."""

    def __init__(self, Sparse weight not None, str op not None, integers, float clip=0, int64_t steps=1,
                 int64_t window=0):
        """integers: the op's whole numbers, in the order of its table; window: see snn_recurrence."""
        memset(&self.value, 0, sizeof(self.value))
        self.weight, self.op = weight, op.encode()
        self.integers = np.array(integers, np.int64)
        cdef const int64_t[::1] numbers = self.integers
        self.value.op = self.op
        self.value.integers = &numbers[0] if numbers.shape[0] else NULL
        self.value.integer_count = numbers.shape[0]
        self.value.clip, self.value.steps, self.value.window = clip, steps, window

    def forward(self, const float[::1] bias, float[:, :, ::1] x not None, initial, float[:, :, ::1] lengths,
                const float[::1] peepholes, float[:, :, ::1] y not None, float[:, :, ::1] h not None,
                float[:, :, ::1] c, float[:, :, ::1] kept, float[:, :, ::1] z):
        """Fills y, h, c, kept and z; initial: tiles of the first states. All stay as they are until backward.

        None where there is no such array.
        """
        cdef snn_status status
        cdef float[:, :, ::1] state
        self.held = (bias, x, initial, lengths, peepholes, y, h, c, kept, z)
        self.value.bias, self.value.peepholes = first(bias), first(peepholes)
        if bias is not None:
            expect("bias", bias.shape[0], self.weight.rows)
        if peepholes is not None:
            expect("peepholes", peepholes.shape[0], 3 * self.weight.cols)
        for part in (lengths, y, h, c, kept, z, *initial):
            expect_samples(x.shape[2], part)
        self.value.x, self.value.lengths, self.value.y = tiles_of(x), tiles_of(lengths), tiles_of(y)
        self.value.h, self.value.c = tiles_of(h), tiles_of(c)
        self.value.kept, self.value.z = tiles_of(kept), tiles_of(z)
        for number in range(2):
            state = initial[number] if number < len(initial) else None
            self.value.initial[number] = tiles_of(state)
        with self.weight.lock:
            with nogil:
                status = snn_recurrent_forward_tiles(self.weight.handle, &self.value)
            check(status)

    def backward(self, float[:, :, ::1] dy not None, float[:, :, ::1] dx not None, float[:, :, ::1] dsums,
                 dinitial):
        """From dy to dx, dsums where the op has one beside it, and the first states': tiles, or None each."""
        cdef snn_tiles given = tiles_of(dy), back = tiles_of(dx), sums = tiles_of(dsums)
        cdef snn_tiles firsts[2]
        cdef float[:, :, ::1] state
        cdef snn_status status
        for part in (dy, dx, dsums, *dinitial):
            expect_samples(self.held[1].shape[2], part)
        for number in range(2):
            state = dinitial[number] if number < len(dinitial) else None
            firsts[number] = tiles_of(state)
        with self.weight.lock:
            with nogil:
                status = snn_recurrent_backward_tiles(self.weight.handle, &self.value, given, back, sums,
                                                      firsts)
            check(status)

    def backward_weight(self, float[:, :, ::1] dsums not None, float[::1] ddata not None, float[::1] dbias):
        """Fills ddata (nnz,) and dbias (gates * hidden,), or None; dsums is dx where there is no other."""
        cdef snn_tiles sums = tiles_of(dsums)
        cdef float *values = target(ddata)
        cdef float *offsets = target(dbias)
        cdef snn_status status
        expect("ddata", ddata.shape[0], self.weight.nnz)
        if dbias is not None:
            expect("dbias", dbias.shape[0], self.weight.rows)
        with self.weight.lock:
            with nogil:
                status = snn_recurrent_backward_weight_tiles(self.weight.handle, &self.value, sums, values,
                                                             offsets)
            check(status)
