"""PyTorch: linear layers, convolutions, LSTMs and GRUs, forward and back on this library's sparse kernels.

    from sparsenn.torch import SparseConv2d, SparseLinear, sparsify
    layer = SparseLinear.from_dense(nn.Linear(2048, 2048), sparsity=0.95)
    module = sparsify(module, sparsity=0.95)     # every nn.Linear that gets faster by it
    module = sparsify(module, sparsity=0.95, example=images)     # and every nn.Conv2d

Autograd sees an nn.Linear or nn.Conv2d; what is no plain run of values is left to torch's own operations.

    layer.py      what the layers share;  linear.py  SparseLinear;  conv.py  SparseConv2d
    recurrent.py  SparseLSTM and SparseGRU
    reading.py    what they take of a layer of torch
    loading.py    their state_dict, which may bring another pattern;  stale_state.py  optimizers after that
    dense_copy.py their dense weight, to read
    product.py    what autograd sees, on kernels:  linear_product.py, conv_product.py,
                  cell_product.py;  packing.py  keeps them
    plain.py      the same in torch's own operations, for whoever records or transforms them;  script.py
    sparsify.py   sparsify;  keeping.py  what goes over with a layer;  timing.py  which layer is faster, at
                  which size:  sizes.py
"""

from __future__ import annotations

from ..require import require

require("torch", extra="torch", caller="sparsenn.torch")

from .conv import SparseConv2d  # noqa: E402
from .linear import SparseLinear  # noqa: E402
from .recurrent import SparseGRU, SparseLSTM  # noqa: E402
from .sparsify import sparsify  # noqa: E402

__all__ = ["SparseConv2d", "SparseGRU", "SparseLSTM", "SparseLinear", "sparsify"]
