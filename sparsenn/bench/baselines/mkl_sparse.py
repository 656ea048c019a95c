"""MKL's inspector-executor sparse product, through ctypes: handle, hint and optimisation made once.

sparse_dot_mkl makes a new handle in every call; this adapter gives MKL its best case instead, in the library
that sparse_dot_mkl would load.
"""

import ctypes
import glob
import os
import sys

import numpy as np

from .layer import activate, columns

NON_TRANSPOSED, GENERAL, ROW_MAJOR = 10, 20, 101
EXPECTED_CALLS = 100_000


class Description(ctypes.Structure):
    """MKL's struct matrix_descr."""

    _fields_ = [("type", ctypes.c_int), ("mode", ctypes.c_int), ("diag", ctypes.c_int)]


def load_mkl() -> ctypes.CDLL:
    """MKL's run-time library: $MKL_RT, beside this interpreter, or on the loader's path. Or OSError."""
    beside = sorted(glob.glob(os.path.join(sys.prefix, "lib", "libmkl_rt.so*")))
    for path in [os.environ.get("MKL_RT"), *beside, "libmkl_rt.so.3", "libmkl_rt.so.2", "libmkl_rt.so"]:
        if path:
            try:
                return ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
            except OSError:
                continue
    raise OSError("libmkl_rt not found (pip install mkl, or set MKL_RT)")


class Runner:
    modules = ("mkl",)

    def available(self) -> tuple[bool, str]:
        try:
            load_mkl()
        except OSError as error:
            return False, str(error)
        return True, ""

    def prepare(self, layers, x, threads) -> None:
        self.mkl = load_mkl()
        self.mkl.MKL_Set_Dynamic(0)  # else MKL may take fewer threads
        self.mkl.MKL_Set_Num_Threads(threads)
        self.batch = len(x)
        self.input = columns(x)
        self.layers = [self._pack(layer) for layer in layers]

    def _pack(self, layer) -> tuple:
        data, indices, indptr = (np.ascontiguousarray(part) for part in layer.to_csr())
        handle, (rows, cols) = ctypes.c_void_p(), layer.shape
        self._call(
            "mkl_sparse_s_create_csr",
            ctypes.byref(handle), 0, rows, cols,
            pointer(indptr[:-1]), pointer(indptr[1:]), pointer(indices), pointer(data),
        )  # fmt: skip
        description = Description(GENERAL, 0, 0)
        if self.batch == 1:
            self._call("mkl_sparse_set_mv_hint", handle, NON_TRANSPOSED, description, EXPECTED_CALLS)
        else:
            self._call(
                "mkl_sparse_set_mm_hint",
                handle, NON_TRANSPOSED, description, ROW_MAJOR, self.batch, EXPECTED_CALLS,
            )  # fmt: skip
        self._call("mkl_sparse_optimize", handle)
        output = np.empty((rows, self.batch), np.float32)
        keep = (data, indices, indptr)  # MKL reads these arrays for as long as the handle lives
        return handle, description, layer.bias[:, None], output, layer.activation, keep

    def _call(self, function: str, *arguments) -> None:
        status = getattr(self.mkl, function)(*arguments)
        if status:
            raise RuntimeError(f"{function} failed with status {status}")

    def run(self) -> None:
        value, one, batch = self.input, ctypes.c_float(1), self.batch
        for handle, description, bias, output, activation, _ in self.layers:
            np.copyto(output, bias)
            if batch == 1:
                self._call(
                    "mkl_sparse_s_mv",
                    NON_TRANSPOSED, one, handle, description, pointer(value), one, pointer(output),
                )  # fmt: skip
            else:
                self._call(
                    "mkl_sparse_s_mm",
                    NON_TRANSPOSED, one, handle, description, ROW_MAJOR,
                    pointer(value), batch, batch, one, pointer(output), batch,
                )  # fmt: skip
            activate(output, activation)
            value = output

    def output(self) -> np.ndarray:
        return self.layers[-1][3].T


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
