"""PyTorch: a linear layer that runs, forward and backward, on this library's sparse kernels.

    from sparsenn.torch import SparseLinear, sparsify
    layer = SparseLinear.from_dense(nn.Linear(2048, 2048), sparsity=0.95)
    module = sparsify(module, sparsity=0.95)     # every nn.Linear that gets faster by it

Autograd sees an nn.Linear; what is no plain run of values is left to torch's own operations.

    linear.py     SparseLinear, the module;  reading.py  what it takes of an nn.Linear
    loading.py    its state_dict, which may bring another pattern;  stale_state.py  optimizers after that
    dense_copy.py its dense weight, to read
    product.py    y = x W^T + b on the kernels;  packing.py  the kernels of a pattern
    plain.py      the same in torch's own operations, for whoever records or transforms them
    sparsify.py   sparsify;  keeping.py  what goes over with a layer;  timing.py  which layer is faster
"""

from __future__ import annotations

from ..require import require

require("torch", extra="torch", caller="sparsenn.torch")

from .linear import SparseLinear  # noqa: E402
from .sparsify import sparsify  # noqa: E402

__all__ = ["SparseLinear", "sparsify"]
