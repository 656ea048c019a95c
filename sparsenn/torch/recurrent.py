"""SparseLSTM and SparseGRU: nn.LSTM and nn.GRU with their weights in CSR."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import scipy
import torch
from torch import fx, nn
from torch.nn import functional

from ..errors import ArgumentError, UnsupportedError
from ..torch_modules.hooks import copy_call_hooks
from ..weights import as_csr
from . import plain
from .cell_product import STATES, CellProduct, CellSteps, gate_order, in_torch_order
from .layer import SparseLayer, check_dense
from .linear import SparseLinear
from .reading import is_trained, read_bias, read_weight
from .script import ScriptGRU, ScriptLSTM


class SparseCell(SparseLayer):
    """What goes from step to step in one direction of one layer: a weight (gates * hidden, hidden) in CSR."""

    def __init__(self, weight, bias=None, *, threads: int | None = None):
        super().__init__(weight, bias, threads)

    def steps(self, op: str, z: torch.Tensor, states: Sequence, reverse: bool) -> torch.Tensor:
        """z (batch, steps, gates * hidden) -> (batch, steps and then the last states, hidden)."""
        how = (op, self._shape[1], self.threads)
        product = self._packing.product(self.indptr, self.indices, CellProduct, *how)
        h, c = (*states, None, None)[:2]
        return CellSteps.apply(z, h, c, self.data, self.bias, self.indices, self.indptr, product, reverse)

    @property
    def _dense_shape(self) -> tuple[int, int]:
        return self._shape


class SparseRecurrent(nn.Module):
    """Layers of one or two directions, one behind the other, forward and backward on the sparse kernels.

    inputs, cells  ModuleLists with an entry for each direction of each layer: a SparseLinear (in to gates *
                   hidden), and the SparseCell behind it. Their rows go gate by gate, i, o, f, g of an LSTM,
                   z, r, n of a GRU; from_dense and to_dense put them in torch's order
    """

    dense_type: type[nn.RNNBase]
    script_type: type[nn.Module]
    op: str

    @staticmethod
    def names(dense: nn.RNNBase) -> tuple[list[str], list[str]]:
        """Of the weights and of the biases of dense."""
        groups = dense._all_weights
        return [name for own in groups for name in own[:2]], [name for own in groups for name in own[2:]]

    def __init__(
        self,
        weights,
        biases=None,
        *,
        bidirectional: bool = False,
        batch_first: bool = False,
        dropout: float = 0.0,
        threads: int | None = None,
    ):
        """
        weights  for each direction of each layer a pair of scipy sparse matrices, (gates * hidden, in) and
                 (gates * hidden, hidden), rows as torch orders them
        biases   likewise pairs of arrays (gates * hidden,); None: none
        threads  None: as many as there are

        CSRError when a weight is no valid CSR matrix.
        """
        super().__init__()
        pairs, ways = list(weights), 2 if bidirectional else 1
        if not pairs or len(pairs) % ways:
            raise ArgumentError(f"weights must hold a pair for each of {ways} directions, got {len(pairs)}")
        if biases is not None and len(biases) != len(pairs):
            raise ArgumentError(f"biases must hold {len(pairs)} pairs as weights do, got {len(biases)}")
        self.num_layers, self.bidirectional, self.batch_first = len(pairs) // ways, bidirectional, batch_first
        self.dropout, self.bias = dropout, biases is not None
        self.inputs, self.cells = nn.ModuleList(), nn.ModuleList()
        for pair, offsets in zip(pairs, biases or [(None, None)] * len(pairs), strict=True):
            for kind, parts, weight, bias in zip(
                (SparseLinear, SparseCell), (self.inputs, self.cells), pair, offsets, strict=True
            ):
                if not scipy.sparse.issparse(weight):
                    raise TypeError(f"weights must be scipy sparse matrices, got {type(weight).__name__}")
                weight = as_csr(weight, "weight")
                rows = gate_order(self.op, weight.shape[0])
                bias = None if bias is None else np.asarray(bias)[rows]
                parts.append(kind(weight[rows], bias, threads=threads))
        self.input_size, self.hidden_size = self.inputs[0].in_features, self.cells[0]._shape[1]

    @classmethod
    def from_dense(cls, dense: nn.RNNBase, *, sparsity: float | None = None, threads: int | None = None):
        """One with a copy of the weights of dense; sparsity, of each matrix, and hooks as in SparseLinear."""
        check_dense(dense, cls.dense_type, "dense")
        if dense.proj_size:
            raise UnsupportedError(f"dense must have no projection, got proj_size={dense.proj_size}")
        weights, biases = [], []
        for names in dense._all_weights:
            weights.append([read_weight(dense, sparsity, name) for name in names[:2]])
            biases.append([read_bias(dense, name) for name in names[2:4]])
        options = {name: getattr(dense, name) for name in ("bidirectional", "batch_first", "dropout")}
        layer = cls(weights, biases if dense.bias else None, **options, threads=threads)
        for own, names in zip(layer._parameters_in_order(), dense._all_weights, strict=True):
            for parameter, name in zip(own, names, strict=True):
                parameter.requires_grad_(is_trained(dense, name))
        return layer.train(dense.training)

    def to_dense(self) -> nn.RNNBase:
        """A module of torch with a copy of the weights, trained or frozen as they are here."""
        dense = self.dense_type(
            self.input_size, self.hidden_size, self.num_layers, bias=self.bias, batch_first=self.batch_first,
            dropout=self.dropout, bidirectional=self.bidirectional,
        )  # fmt: skip
        with torch.no_grad():
            for names, own, values in zip(
                dense._all_weights, self._parameters_in_order(), self._dense_weights(), strict=True
            ):
                for name, parameter, value in zip(names, own, values, strict=True):
                    getattr(dense, name).copy_(value).requires_grad_(parameter.requires_grad)
        return dense.train(self.training)

    @property
    def nnz(self) -> int:
        """Stored weights of all matrices."""
        return sum(part.nnz for part in (*self.inputs, *self.cells))

    @property
    def sparsity(self) -> float:
        """1 - nnz / weights of the dense layers."""
        sizes = (part._shape[0] * part._shape[1] for part in (*self.inputs, *self.cells))
        return 1.0 - self.nnz / sum(sizes)

    def forward(self, input: torch.Tensor, hx=None):
        """input (batch, steps, in) where batch_first, else (steps, batch, in), or (steps, in) -> as torch.

        hx  the first states (layers * directions, batch, hidden): of an LSTM a pair (h, c). TypeError for
            packed sequences, another type or device, ValueError for another shape.
        """
        if torch.compiler.is_compiling() and not plain.is_exporting():
            return _outside_of_the_graph(self, input, hx)
        if isinstance(input, fx.Proxy):
            return self._plain(input, hx)
        return self._run(input, hx)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        usual = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        own = {name: getattr(self, name) for name in usual}
        parts = (f"{name}={value}" for name, value in own.items() if value != usual[name])
        return ", ".join([text, *parts, f"sparsity={self.sparsity:.4f}"])

    # ---- on the kernels ----

    def _run(self, x: torch.Tensor, hx):
        if torch.is_autocast_enabled("cpu") and isinstance(x, torch.Tensor):
            lower = torch.get_autocast_dtype("cpu")
            with torch.autocast("cpu", enabled=False):
                states = [state.float() for state in self._states(x, hx)]
                y, last = self._run(x.float(), self._as_hx(states))
            last = [state.to(lower) for state in (last if self.op == "lstm" else [last])]
            return y.to(lower), self._as_hx(last)
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"input must be a torch.Tensor, got {type(x).__name__}")
        if x.dim() not in (2, 3) or x.shape[-1] != self.input_size:
            raise ArgumentError(
                f"input must have shape (batch, steps, {self.input_size}), or the steps in front as "
                f"batch_first says, or (steps, {self.input_size}), got {tuple(x.shape)}"
            )
        states = self._states(x, hx)
        if x.dim() == 2:
            first = self._as_hx([state.unsqueeze(1) for state in states])
            y, last = self._run(x.unsqueeze(0 if self.batch_first else 1), first)
            last = [own.squeeze(1) for own in (last if self.op == "lstm" else [last])]
            return y.squeeze(0 if self.batch_first else 1), self._as_hx(last)
        if plain.must_be_plain(x, *states, *self.parameters()) or 0 in x.shape:
            return self._plain(x, self._as_hx(states))
        self.cells[0]._check(x)
        y, lasts, ways = x if self.batch_first else x.transpose(0, 1), [], 2 if self.bidirectional else 1
        for layer in range(self.num_layers):
            if layer and self.dropout:
                y = functional.dropout(y, self.dropout, self.training)
            made = [self._direction(layer * ways + way, y, states, way == 1) for way in range(ways)]
            y = made[0][0] if ways == 1 else torch.cat([own for own, _ in made], 2)
            lasts += [last for _, last in made]
        last = [torch.stack(parts) for parts in zip(*lasts, strict=True)]
        return y if self.batch_first else y.transpose(0, 1), self._as_hx(last)

    def _direction(self, number: int, x: torch.Tensor, states: list, reverse: bool) -> tuple:
        """-> (batch, steps, hidden), and the last states (batch, hidden)."""
        z = self.inputs[number](x)
        made = self.cells[number].steps(self.op, z, [state[number] for state in states], reverse)
        steps = x.shape[1]
        return made[:, :steps], [made[:, steps + i] for i in range(STATES[self.op])]

    def _states(self, x: torch.Tensor, hx) -> list[torch.Tensor]:
        """The first states that are given, checked."""
        if hx is None:
            return []
        given = list(hx) if self.op == "lstm" and isinstance(hx, (tuple, list)) else [hx]
        ways = self.num_layers * (2 if self.bidirectional else 1)
        batch = () if x.dim() == 2 else (x.shape[0 if self.batch_first else 1],)
        wanted = (ways, *batch, self.hidden_size)
        if len(given) != STATES[self.op] or not all(isinstance(own, torch.Tensor) for own in given):
            raise TypeError(f"hx must be {'a pair of tensors' if self.op == 'lstm' else 'a tensor'}")
        for own in given:
            if tuple(own.shape) != wanted:
                raise ArgumentError(f"hx must have shape {wanted}, got {tuple(own.shape)}")
        return given

    def _as_hx(self, states: list):
        """As torch has states."""
        if not states:
            return None
        return tuple(states) if self.op == "lstm" else states[0]

    # ---- in torch's own operations ----

    def _plain(self, x, hx):
        if hx is None:
            ways = self.num_layers * (2 if self.bidirectional else 1)
            batch = x.shape[0 if self.batch_first else 1]
            hx = self._as_hx([x.new_zeros(ways, batch, self.hidden_size)] * STATES[self.op])
        flat = [value for values in self._dense_weights() for value in values]
        options = (flat, self.bias, self.num_layers, float(self.dropout), self.training, self.bidirectional)
        y, *last = getattr(torch._VF, self.op)(x, hx, *options, self.batch_first)
        return y, self._as_hx(last)

    def _parameters_in_order(self) -> Iterator[list[nn.Parameter]]:
        """Of each direction of each layer, as torch has them."""
        for linear, cell in zip(self.inputs, self.cells, strict=True):
            yield [linear.data, cell.data, *((linear.bias, cell.bias) if self.bias else ())]

    def _dense_weights(self) -> Iterator[list[torch.Tensor]]:
        for linear, cell in zip(self.inputs, self.cells, strict=True):
            own = [linear._dense_weight(), cell._dense_weight()]
            own += [linear.bias, cell.bias] if self.bias else []
            yield [in_torch_order(self.op, value) for value in own]

    def __prepare_scriptable__(self) -> nn.Module:
        script = self.script_type(self.to_dense())  # torch.jit.script cannot read forward
        copy_call_hooks(self, script)
        return script


class SparseLSTM(SparseRecurrent):
    """An nn.LSTM whose weights are in CSR; see SparseRecurrent.

    Made by from_dense, or from scipy matrices. Autograd, copies, pickles and state_dicts work as those of an
    nn.LSTM; what records or transforms operations, and second derivatives, use the dense weights.
    """

    dense_type, script_type, op = nn.LSTM, ScriptLSTM, "lstm"


class SparseGRU(SparseRecurrent):
    """An nn.GRU whose weights are in CSR; all else as SparseLSTM."""

    dense_type, script_type, op = nn.GRU, ScriptGRU, "gru"


@torch._disable_dynamo
def _outside_of_the_graph(layer: SparseRecurrent, x: torch.Tensor, hx):
    """What torch.compile calls between two graphs: it cannot look into the kernels."""
    return layer._run(x, hx)
