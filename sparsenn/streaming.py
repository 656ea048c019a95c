"""Recurrent models fed part by part: what a plan holds between two calls is the stream's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import _core
from .checks import check_integer
from .errors import ArgumentError
from .inputs import as_arrays, as_batch

if TYPE_CHECKING:
    from .plan import Plan


class Stream:
    """What a plan knows of some sequences that come bit by bit: made by Plan.stream.

    batch  sequences side by side
    """

    def __init__(self, plan: Plan, core: _core.Stream):
        self._plan, self._core, self.batch = plan, core, core.batch

    @classmethod
    def of_plan(cls, plan: Plan, handle: _core.Plan, batch: int) -> Stream:
        return cls(plan, _core.Stream(handle, check_integer("batch", batch, minimum=1)))

    def feed(self, x) -> np.ndarray | dict[str, np.ndarray]:
        """The next steps, (batch, steps, ...) -> their outputs: the bits that one run of all steps gives.

        Several inputs are a dict of name to array, as for Plan.run; so are several outputs. Any number of
        steps from 1 on; the first call of a number makes it ready, as the first run of a shape does.
        """
        arrays = as_arrays(list(self._plan.input_dims.items()), x)
        if arrays[0].shape[0] != self.batch:
            raise ArgumentError(f"x must hold the stream's batch of {self.batch}, got {arrays[0].shape[0]}")
        made = self._core.feed(arrays)
        return dict(zip(self._plan.output_dims, made, strict=True)) if len(made) > 1 else made[0]

    def reset(self) -> None:
        """Back to the beginning of all sequences."""
        self._core.reset()

    @property
    def state(self) -> np.ndarray:
        """A copy of all that it holds, (batch, size) float32; assign one to go on from there."""
        state = np.empty((self.batch, self._core.state_size), np.float32)
        self._core.get_state(state)
        return state

    @state.setter
    def state(self, given) -> None:
        state = as_batch(given, inputs=self._core.state_size, name="state")
        if len(state) != self.batch:
            raise ArgumentError(f"state must hold the stream's batch of {self.batch}, got {len(state)}")
        self._core.set_state(state)

    def copy(self) -> Stream:
        """A stream of its own that goes on from here."""
        return Stream(self._plan, self._core.copy())
