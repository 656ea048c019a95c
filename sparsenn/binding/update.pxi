# One step of an optimizer.

cdef int expect_state(int64_t count, const float[::1] gradient, const float[::1] state1,
                      const float[::1] state2) except -1:
    expect("gradient", gradient.shape[0], count)
    if state1 is not None:
        expect("state1", state1.shape[0], count)
    if state2 is not None:
        expect("state2", state2.shape[0], count)
    return 0


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
