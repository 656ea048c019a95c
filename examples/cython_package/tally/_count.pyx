"""The loop over batches: a plan of sparsenn, run without the GIL."""

import os

import numpy as np

from libc.stdint cimport int64_t
from sparsenn cimport Model, Plan, check, plan_run, snn_status


cdef int64_t largest(const float *y, int64_t count) noexcept nogil:
    """The place of the largest of count numbers; the first of several."""
    cdef int64_t best = 0, i
    for i in range(1, count):
        if y[i] > y[best]:
            best = i
    return best


def count(path, const float[:, ::1] x not None, *, int64_t batch=64):
    """How many samples of x (samples, inputs) float32 the model at path gives to each class: (outputs,).

    ValueError when x has another width than the model, and what sparsenn raises for a bad file.
    """
    cdef Plan plan = Plan(Model.load(os.fsencode(path)), tune="off")
    cdef int64_t inputs = plan.inputs, outputs = plan.outputs, samples = x.shape[0], first, some, i
    cdef snn_status status
    if x.shape[1] != inputs:
        raise ValueError(f"x must have {inputs} columns, got {x.shape[1]}")
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    cdef float[:, ::1] y = np.empty((batch, outputs), np.float32)
    counts = np.zeros(outputs, np.int64)
    cdef int64_t[::1] tally = counts
    for first in range(0, samples, batch):
        some = min(batch, samples - first)
        with nogil:
            status = plan_run(plan.handle, &x[first, 0], some, &y[0, 0])
            if status == 0:
                for i in range(some):
                    tally[largest(&y[i, 0], outputs)] += 1
        check(status)
    return counts
