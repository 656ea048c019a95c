"""A Plan: a model packed and tuned for this processor. Made by compile()."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from . import _core
from .checks import check_integer
from .errors import ArgumentError
from .explain import explain_network, explain_report, has_windows
from .inputs import Outputs, as_arrays, as_batch

if TYPE_CHECKING:
    from .streaming import Stream


class Plan:
    """A compiled model. Immutable: any number of threads may run it at once. Made by compile()."""

    def __init__(self, handle: _core.Plan, options: dict, again: Callable[[np.ndarray, dict], Plan]):
        """again(bytes of the model's file, options): what makes the plan where it is unpickled."""
        self._handle, self._options, self._again = handle, options, again

    @property
    def inputs(self) -> int:
        """Features of one input sample. ArgumentError where there is not one input of (batch, features)."""
        return _features(self.input_dims, "input")

    @property
    def outputs(self) -> int:
        """Features of one output sample. ArgumentError where there is not one output of (batch, features)."""
        return _features(self.output_dims, "output")

    @property
    def input_dims(self) -> dict[str, tuple[int | None, ...]]:
        """The dims of each input without the batch, by name; None for one that each run gives."""
        return _dims(self._handle.inputs_info)

    @property
    def output_dims(self) -> dict[str, tuple[int | None, ...]]:
        """The dims of each output without the batch, by name; None for one that follows from the inputs'."""
        return _dims(self._handle.outputs_info)

    @property
    def threads(self) -> int:
        """Threads that a run uses at most."""
        return self._handle.threads

    @property
    def isa(self) -> str:
        """The kernel set: scalar, avx2, avx512 or neon."""
        return self._handle.isa

    def run(self, x, out: np.ndarray | None = None) -> Outputs:
        """x (batch, inputs) -> (batch, outputs) float32, in out where one is given.

        Several inputs are a dict of name to array (batch, ...), each with the dims of its input; so are
        several outputs. Dims that are None may differ from run to run: the first run of a shape makes it
        ready, which takes as long as compiling for it, and the shapes used last stay ready, as many as
        compile(kept_shapes=) says.

        x may be any array of real numbers, also read-only, memory-mapped, or offered by DLPack. It is read in
        place where it is float32 and C-contiguous (samples first) or F-contiguous (features first: the
        transpose of a contiguous (inputs, batch), as the pixels of an NCHW image); any other dtype or
        stride is copied first. One sample is x[None, :]. out must be float32, C- or F-contiguous whatever x
        is, and must not share memory with x; the result is written there without a copy. Without out it is
        a new array, F-contiguous where x is read as such, else C-contiguous. Values have the same bits in
        every order. A weight that is 0 reads nothing: an infinity or NaN of x reaches only the outputs that
        have another weight there, and a sample with a NaN among its outputs takes many times as long.
        """
        y = self._handle.run(x, out)
        return self._run_any(x, out) if y is None else y

    def _run_any(self, x, out: np.ndarray | None) -> np.ndarray:
        """run for what the core cannot use as it is."""
        if not self._handle.is_plain:
            return self._run_many(x, out)
        x = _as_input(x, self.inputs)
        if out is not None:
            _check_out(out, (x.shape[0], self.outputs), x)
        y = self._handle.run(x, None if out is None else np.asarray(out))
        if y is None:
            raise ArgumentError("out must be C- or F-contiguous, aligned and writeable")
        return y if out is None else out

    def _run_many(self, x, out: object) -> Outputs:
        """run of a graph that has not one input and one output of (batch, features)."""
        if out is not None:
            raise ArgumentError("out must be None for a plan of several inputs, outputs or dims")
        arrays = as_arrays(list(self.input_dims.items()), x)
        results = self._handle.run_many([a if a.flags.aligned else a.copy() for a in arrays])
        return results[0] if len(results) == 1 else dict(zip(self.output_dims, results, strict=True))

    def specialise(self, dims: Sequence[int] | Mapping[str, Sequence[int]]) -> None:
        """Makes a shape of the inputs ready ahead of its first run, where it is not.

        dims  those behind the batch of the one input, (3, 224, 224), or a dict of name to dims
        """
        ports = self.input_dims
        by_name = dims if isinstance(dims, Mapping) else dict.fromkeys(ports, dims) if len(ports) == 1 else {}
        if set(by_name) != set(ports):
            raise ArgumentError(
                f"dims must be a dict with dims for each of the inputs {list(ports)}, got {dims!r}"
            )
        self._handle.specialise([_as_dims(by_name[name], f"dims of {name!r}") for name in ports])

    def stream(self, batch: int = 1) -> Stream:
        """A stream of batch sequences that come some steps at a time, as from a microphone.

        Its feed gives the bits that run gives for all steps together. Of models whose inputs and outputs have
        an open number of steps, (batch, None, ...), and go forward by recurrent layers alone: else
        UnsupportedError says what is in the way. All streams share the plan.
        """
        from .streaming import Stream

        return Stream.of_plan(self, self._handle, batch)

    def report(self) -> dict:
        """What was tuned and chosen, layer by layer, as data: times in microseconds where named _us.

        "arena_bytes" is what a tile's values lie in, "workspace_bytes" all that a caller's runs hold.

        Of dims that are None for the shape used last; "shapes" lists those that are ready. No layers before.
        """
        return json.loads(self._handle.report())

    def profile(self) -> list[float]:
        """What each layer of the report takes, in seconds: timed now, one sample on one thread.

        Of a plan without convolutions one tile of the first kind of batch. The least of a few runs, on
        arbitrary values.
        """
        report = self.report()
        self._require_shape(report)
        return [1e-6 * us for us in self._profile_us(report)]

    def _require_shape(self, report: dict) -> None:
        if not report["shapes"]:
            raise ArgumentError(
                f"plan must have a shape that is ready, got none: run it, or call specialise(dims) with "
                f"dims that fit {self.input_dims}"
            )

    def _profile_us(self, report: dict) -> np.ndarray:
        step_us = np.zeros(len(report["layers"]))
        self._handle.profile(step_us)
        return step_us

    def explain(self) -> str:
        """The report as a text table: per layer and batch the candidates, their times and the choice.

        Of a plan with convolutions or pools a layer a line, as profile times them: its positions, weights,
        multiply-adds, time, share of the peak, bytes moved, kernel.
        """
        report = self.report()
        self._require_shape(report)
        if has_windows(report):
            return explain_network(report, self._profile_us(report))
        return explain_report(report)

    def __reduce__(self):
        """Pickles as the bytes of its model's file; where it is unpickled it is compiled again."""
        return self._again, (self._handle.model().save_memory(), self._options)

    def __repr__(self) -> str:
        ends = f"{_show(self.input_dims)} -> {_show(self.output_dims)}"
        return f"Plan({ends}, isa={self.isa!r}, threads={self.threads})"


def _dims(info: tuple) -> dict[str, tuple[int | None, ...]]:
    return {name: tuple(None if dim < 0 else dim for dim in dims[1:]) for name, _, dims in info}


def _as_dims(dims: Sequence[int], name: str) -> list[int]:
    if not isinstance(dims, Sequence) or isinstance(dims, str):
        raise TypeError(f"{name} must be a tuple of integers, got {dims!r}")
    return [check_integer(name, dim, minimum=1, maximum=2**31 - 1) for dim in dims]


def _features(dims: dict[str, tuple[int | None, ...]], kind: str) -> int:
    shapes = list(dims.values())
    if len(shapes) != 1 or len(shapes[0]) != 1 or shapes[0][0] is None:
        raise ArgumentError(
            f"plan must have one {kind} of (batch, features) for {kind}s, which is one number; "
            f"{kind}_dims holds {dims}"
        )
    return shapes[0][0]


def _show(dims: dict[str, tuple[int | None, ...]]) -> str:
    """784, or x (3, 4) and z (8,)."""
    shapes = list(dims.values())
    if len(shapes) == 1 and len(shapes[0]) == 1 and shapes[0][0] is not None:
        return str(shapes[0][0])
    return ", ".join(f"{name} {shape}" for name, shape in dims.items())


def _as_input(x, inputs: int) -> np.ndarray:
    """x (batch, inputs) as the core can use it: float32, aligned, C- or F-contiguous."""
    x = as_batch(x, inputs=inputs, any_order=True)
    return x if x.flags.aligned else x.copy()


def _check_out(out: object, shape: tuple[int, int], x: np.ndarray) -> None:
    if not isinstance(out, np.ndarray) or out.dtype != np.float32:
        got = f"dtype {out.dtype}" if isinstance(out, np.ndarray) else type(out).__name__
        raise TypeError(f"out must be a float32 array, got {got}")
    if out.shape != shape:
        raise ArgumentError(f"out must have shape {shape}, got {out.shape}")
    if np.may_share_memory(out, x):
        raise ArgumentError("out must not share memory with x")
