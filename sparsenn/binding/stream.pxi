# Sequences that are fed part by part.

cdef class Stream:
    """The states of some sequences that a plan runs part by part."""

    def __cinit__(self, *args, **kwargs):
        self.handle = NULL

    def __init__(self, Plan plan not None, int64_t batch):
        cdef snn_stream *handle = NULL
        check(snn_stream_create(plan.handle, batch, &handle))
        snn_stream_free(self.handle)
        self.handle, self.plan, self.batch = handle, plan, batch
        self.lock = threading.Lock()

    def __dealloc__(self):
        snn_stream_free(self.handle)

    def feed(self, arrays):
        """The next steps of each input, (batch, steps, ...) -> those of each output, as Plan.run_many."""
        with self.lock:
            return self.plan.run_many(arrays, self)

    def reset(self):
        with self.lock:
            check(snn_stream_reset(self.handle))

    def copy(self):
        """A stream of its own that goes on from here."""
        cdef Stream made = Stream.__new__(Stream)
        with self.lock:
            check(snn_stream_copy(self.handle, &made.handle))
        made.plan, made.batch, made.lock = self.plan, self.batch, threading.Lock()
        return made

    @property
    def state_size(self):
        return snn_stream_state_size(self.handle)

    def get_state(self, float[:, ::1] state not None):
        """Fills state (batch, state_size)."""
        expect_2d("state", state, self.batch, snn_stream_state_size(self.handle))
        with self.lock:
            check(snn_stream_get_state(self.handle, target_2d(state)))

    def set_state(self, const float[:, ::1] state not None):
        """Goes on from state (batch, state_size)."""
        expect_2d("state", state, self.batch, snn_stream_state_size(self.handle))
        with self.lock:
            check(snn_stream_set_state(self.handle, first_2d(state)))
