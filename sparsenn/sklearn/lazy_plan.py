"""The plan of an estimator's model."""

from __future__ import annotations

import threading

import numpy as np

from ..compile import compile
from ..model import Model
from ..plan import Plan


class LazyPlan:
    """The plan of a model, compiled at the first run; threads may share it."""

    def __init__(self, model: Model, *, threads: int | None):
        self._model, self._threads = model, threads
        self._plan: Plan | None = None
        self._lock = threading.Lock()

    @property
    def plan(self) -> Plan:
        with self._lock:
            if self._plan is None:
                self._plan = compile(self._model, threads=self._threads)
            return self._plan

    def run(self, x: np.ndarray) -> np.ndarray:
        """x (batch, inputs) -> (batch, outputs) float32."""
        return self.plan.run(x)
