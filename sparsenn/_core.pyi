"""Types of the binding; arrays are C-contiguous, float32 values, int32 indices, int64 indptr."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

TUNE: dict[str, int]
OPS: dict[str, int]

def version() -> str: ...
def cpu_info() -> dict[str, Any]: ...
def csr_check(rows: int, cols: int, indptr: NDArray[np.int64], indices: NDArray[np.int32]) -> None: ...
def __getattr__(name: str) -> Any: ...  # what training alone uses

class Model:
    def __init__(self, inputs: int) -> None: ...
    @staticmethod
    def load(path: bytes) -> Model: ...
    @staticmethod
    def load_memory(content: bytes | bytearray | memoryview) -> Model: ...
    def save(self, path: bytes) -> None: ...
    def save_memory(self) -> NDArray[np.uint8]: ...
    def add_dense(self, weight: Floats, bias: Floats | None = None) -> None: ...
    def add_csr(
        self,
        shape: tuple[int, int],
        indptr: NDArray[np.int64],
        indices: NDArray[np.int32],
        data: Floats,
        bias: Floats | None = None,
    ) -> None: ...
    def add_op(self, op: str, attributes: Floats) -> None: ...
    @property
    def inputs(self) -> int: ...
    @property
    def outputs(self) -> int: ...
    def __len__(self) -> int: ...
    def node(self, index: int) -> dict[str, Any]: ...

class Plan:
    def __init__(
        self,
        model: Model,
        *,
        threads: int = 0,
        batch_sizes: NDArray[np.int64] | None = None,
        tune: str = "measure",
        isa: bytes | None = None,
        cache_path: bytes | None = None,
    ) -> None: ...
    def run(self, x: Any, out: Any = None) -> Floats | None: ...
    def model(self) -> Model: ...
    def report(self) -> str: ...
    @property
    def inputs(self) -> int: ...
    @property
    def outputs(self) -> int: ...
    @property
    def threads(self) -> int: ...
    @property
    def isa(self) -> str: ...

class Sparse:
    rows: int
    cols: int
    nnz: int
    def __init__(
        self,
        indptr: NDArray[np.int64],
        indices: NDArray[np.int32],
        shape: tuple[int, int],
        threads: int = 0,
        isa: bytes | None = None,
    ) -> None: ...
    def forward(
        self,
        data: Floats,
        bias: Floats | None,
        x: Floats,
        out: Floats | None = None,
        *,
        samples_first: bool = False,
    ) -> Floats: ...
    def backward_input(
        self, data: Floats, dy: Floats, out: Floats | None = None, *, samples_first: bool = False
    ) -> Floats: ...
    def backward_weight(
        self,
        dy: Floats,
        x: Floats,
        ddata: Floats | None = None,
        dbias: Floats | None = None,
        *,
        samples_first: bool = False,
    ) -> tuple[Floats, Floats]: ...
    def __getattr__(self, name: str) -> Any: ...  # what training alone uses
