"""The binding of the C core: check shapes, release the GIL, call, turn a status into an exception.

Arrays are C-contiguous: float32 values, int32 indices, int64 indptr. The classes are handles; the public
Model and Plan are in model.py and compile.py.
"""

import threading
from operator import index

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


include "binding/arrays.pxi"


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


include "binding/graph.pxi"
include "binding/model.pxi"
include "binding/plan.pxi"
include "binding/stream.pxi"
include "binding/tiles.pxi"
include "binding/channels.pxi"
include "binding/update.pxi"
include "binding/sparse.pxi"
include "binding/recurrent.pxi"
include "binding/conv.pxi"
include "binding/attention.pxi"
