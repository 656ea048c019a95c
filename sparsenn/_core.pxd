# The classes of the binding, for other Cython code: calls into the core of this module, so that nothing has to
# be linked.
from libc.stdint cimport int64_t

from sparsenn._header cimport *
from sparsenn._header_train cimport *

# Raises the exception of a failed status; needs the GIL.
cdef int check(snn_status status) except -1
# snn_plan_run: x (batch, inputs) -> y (batch, outputs), from any thread.
cdef snn_status plan_run(const snn_plan *plan, const float *x, int64_t batch, float *y) noexcept nogil
# snn_plan_run_ordered: x and y each samples or features first, likewise.
cdef snn_status plan_run_ordered(const snn_plan *plan, const float *x, snn_order x_order, int64_t batch,
                                 float *y, snn_order y_order) noexcept nogil


cdef class Model:
    cdef snn_model *handle
    cdef list borrowed


cdef class Plan:
    cdef snn_plan *handle
    cdef readonly bint is_plain
    cdef readonly tuple inputs_info, outputs_info


cdef class Stream:
    cdef snn_stream *handle
    cdef Plan plan
    cdef object lock
    cdef readonly int64_t batch


cdef class Sparse:
    cdef snn_sparse *handle
    cdef object lock
    cdef readonly int64_t rows, cols, nnz


cdef class Recurrence:
    cdef snn_recurrence value
    cdef Sparse weight
    cdef bytes op
    cdef object integers, held


cdef class Attending:
    cdef snn_attending value
    cdef bytes isa
    cdef object scratch, held


cdef class Convolution:
    cdef snn_conv *handle
    cdef object lock
    cdef readonly int64_t rows, cols, nnz


cdef class Activation:
    cdef snn_activation value


cdef class Update:
    cdef snn_update value
    cdef bytes isa
