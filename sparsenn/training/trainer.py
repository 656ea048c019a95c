"""The trainer: one update of a model from one batch. train.py loops over it.

Nearly all of the time is in backprop's forward and backward and in the optimizer's update.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict

import numpy as np

from .. import _core
from ..checks import check_integer, check_real, check_sample_weight
from ..errors import DivergedError
from ..limits import Limits
from ..ops import check_threads
from . import checkpoint
from .backprop import Network
from .losses import Loss
from .objective import Objective
from .optim import Optimizer, make_optimizer
from .options import split_options
from .parameters import Parameter
from .samples import Samples, read_features
from .saved import Progress, read_options, read_progress
from .tally import Tally
from .tiles import choose_isa

_EVALUATION_BATCH = 512  # samples: bounds the memory of an evaluation


class Trainer:
    """Updates a model, a batch at a time.

    The model's arrays change in place; the pattern of a sparse layer stays fixed, and its gradient and
    optimizer state have nnz elements. The Trainer keeps the kernel set that it was made with. While it is in
    use, do not give a layer another array; values inside one may be changed between steps.

        trainer = Trainer(model, optimizer="adam", learning_rate=1e-3)
        loss = trainer.step(xb, yb)
    """

    def __init__(
        self,
        model,
        *,
        optimizer: str | Optimizer = "adam",
        learning_rate: float = 1e-3,
        loss: str | Loss | dict[str, str | Loss] = "auto",
        limits: Limits | None = None,
        seed: int = 0,
        threads: int | None = None,
        batch_size: int | None = None,
        **options,
    ):
        """
        optimizer      "adam", "adamw", "momentum", "nesterov", "rmsprop", "sgd", or one of snn.optim for
                       other constants
        learning_rate  may be set anew between steps, as the attribute of that name
        loss           "cross_entropy", "binary_cross_entropy", "mse", "huber", one of snn.losses for other
                       constants, or "auto": from the first y (losses.choose_loss). Of a model with several
                       outputs a dict of output name to loss, or one for all; their sum is minimised
        limits         checked here; training keeps within its weight_range
        seed           of weight_drop
        threads        of the sparse kernels, None for the default; dense layers follow BLAS's own setting
        batch_size     samples that steps will mostly bring, where that is known: a kernel set of narrower
                       tiles is taken where these are filled better; not where SPARSENN_ISA says which
        options        those of penalties.Penalties (l2, l1, l1_proximal, mcp, mcp_concavity, group_lasso)
                       and rules.Rules (weight_drop, clip_norm, clip_parameter_norm, clip_value, clip_update,
                       weight_range, truncate)
        """
        self.optimizer = make_optimizer(optimizer)
        self.learning_rate = learning_rate
        self.penalties, self.rules = split_options(options)
        if limits is not None:
            if not isinstance(limits, Limits):
                raise TypeError(f"limits must be a Limits, got {type(limits).__name__}")
            self.rules = self.rules.within(limits.weight_range)
        self.generator = np.random.default_rng(check_integer("seed", seed, minimum=0))
        if batch_size is not None:
            batch_size = check_integer("batch_size", batch_size, minimum=1)
        self._threads, self._batch_size = check_threads(threads) or _core.cpu_info()["threads"], batch_size
        self._isa = choose_isa(batch_size)
        self.model = model
        self.rebuild()
        if limits is not None:
            limits.check(model)
        self.step_count = 0
        self.watchers: list = []  # their gradients(trainer) is called in each update, before weights move
        self.followers: list = []  # their moved(trainer) is called in each update, after weights have moved
        self._objective = Objective(model.output_values, loss)

    @property
    def learning_rate(self) -> float:
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._learning_rate = check_real("learning_rate", value, open_minimum=True)

    def step(self, xb, yb, sample_weight=None) -> float:
        """One update from one batch; returns the batch's loss before it (penalties not counted).

        xb  (batch, inputs) numbers, finite; (batch, ...) as the model's input has dims
        yb  cross_entropy: (batch,) integer labels or (batch, outputs) one-hot; others: (batch, outputs), or
            (batch,) where that has one feature
        Of several inputs or outputs a dict of name to that.
        sample_weight  (batch,) from 0 up: each sample counts so often; None: once
        Raises ValueError or TypeError for bad input and DivergedError when the loss is not finite; the
        model and the trainer are then as they were.
        """
        samples = self.prepare(xb, yb, ("xb", "yb"), sample_weight)
        self.refresh()
        return self.update(samples)[0]

    def evaluate(self, X, y, sample_weight=None) -> tuple[float, float | None]:
        """Mean loss and accuracy (None for a regression) on X and y as in step. Changes nothing.

        sample_weight (n,) counts in the loss alone.
        """
        samples = self.prepare(X, y, ("X", "y"), sample_weight)
        self.refresh()
        return self.evaluate_prepared(samples)

    def refresh(self) -> None:
        """Takes values that others changed inside the model's arrays into the kernels' packed copies.

        step and evaluate do so themselves; update and evaluate_prepared, which train calls, do not.
        """
        self.network.refresh()

    def prepare(self, X, y, names: tuple[str, str], sample_weight=None) -> Samples:
        """What is given as step takes it, checked; n >= 1. Settles an "auto" loss."""
        first, features = read_features(self.model.input_values, X, names[0])
        losses, targets = self._objective.read(y, names[1], beside=(first, features[0]))
        weights = None
        if sample_weight is not None:
            weights = check_sample_weight(sample_weight, len(features[0]), steps=self._objective.steps)
        self._objective.settle(losses)
        return Samples(features, targets, weights)

    def update(self, samples: Samples) -> tuple[float, float | None]:
        """One update from checked arrays -> loss, correct predictions, both before it."""
        network = self.network
        network.check_unchanged()
        with np.errstate(over="ignore", invalid="ignore"):
            loss, correct = self.accumulate(samples)
            for watcher in self.watchers:
                watcher.gradients(self)
            self.step_count += 1
            scales = self.rules.gradient_scales([p.gradient for p in network.parameters])
            updates: dict[tuple[bool, float], _core.Update] = {}
            for parameter, scale in zip(network.parameters, scales, strict=True):
                key = parameter.is_weight, scale
                if key not in updates:
                    updates[key] = self._new_update(*key)
                self._move(parameter, updates[key])
            network.move_statistics()
            for follower in self.followers:
                follower.moved(self)
        return loss, correct

    def accumulate(self, samples: Samples) -> tuple[float, float | None]:
        """Fills every parameter's gradient -> loss, correct predictions. The model does not change."""
        masks = self._drop_weights() if self.rules.weight_drop else []
        try:
            loss, correct, slopes = self._forward(samples, training=True)
            if not np.isfinite(loss):
                raise DivergedError(
                    f"loss must be finite, got {loss} at step {self.step_count + 1}: "
                    f"try a learning_rate below {self.learning_rate:g}"
                )
            self.network.backward(slopes, self._objective.logits)
        finally:
            for step, _ in masks:
                step.use(None)
        for step, mask in masks:
            step.weight_parameter.flat_gradient[:] *= mask
        return loss, correct

    def _drop_weights(self) -> list[tuple]:
        masks = []
        for step in self.network.linear_steps:
            mask = self.rules.draw_mask(step.weight_parameter.values.size, self.generator)
            step.use(step.weight_parameter.flat * mask)
            masks.append((step, mask))
        return masks

    def _new_update(self, is_weight: bool, scale: float) -> _core.Update:
        """The constants of the present step for the weights, or the biases, with that scale."""
        rate = self.learning_rate
        constants = self.optimizer.constants(learning_rate=rate, step=self.step_count)
        constants.update(self.rules.options(), gradient_scale=scale, isa=self._isa)
        if is_weight:
            constants.update(self.penalties.options(rate))
        else:
            constants["decay"] = 0
        return _core.Update(**constants)

    def _move(self, parameter: Parameter, update: _core.Update) -> None:
        parameter.apply(update, self.optimizer, self.network.threads)
        if parameter.is_weight and self.penalties.shrink_groups(
            parameter.flat, parameter.rows, self.learning_rate
        ):
            if self.rules.weight_range is not None:
                np.clip(parameter.values, *np.float32(self.rules.weight_range), out=parameter.values)
            parameter.refresh()

    def _forward(self, samples: Samples, *, training: bool) -> tuple[float, float | None, list[np.ndarray]]:
        """-> loss, correct predictions (None for a regression), gradient of each output (outputs, batch)."""
        outputs = self.network.forward(samples.features, self._objective.logits, training=training)
        return self._objective(outputs, samples.targets, samples.weights)

    def evaluate_prepared(self, samples: Samples) -> tuple[float, float | None]:
        tally = Tally()
        for start in range(0, len(samples), _EVALUATION_BATCH):
            part = samples.take(slice(start, start + _EVALUATION_BATCH))
            loss, correct, _ = self._forward(part, training=False)
            tally.add(loss, correct, len(part), part.weights)
        return tally.loss, tally.accuracy

    def penalty(self) -> float:
        """What the penalties add to the loss at the present weights."""
        weights = [p for p in self.network.parameters if p.is_weight]
        return sum(self.penalties.value(p.flat, p.rows) for p in weights)

    def rebuild(self, states: dict[str, dict[str, np.ndarray]] | None = None) -> None:
        """A new network for the model's present arrays; states of the optimizer by parameter, None: new.

        Read-only arrays of the model are replaced by copies first.
        """
        for layer in (*getattr(self.model, "linear_layers", ()), *getattr(self.model, "array_layers", ())):
            layer.make_writable()
        self.network = Network(self.model, threads=self._threads, isa=self._isa, truncate=self.rules.truncate)
        for parameter in self.network.parameters:
            fresh = states is None
            parameter.state = self.optimizer.new_state(parameter.values) if fresh else states[parameter.name]

    # ---- checkpoints ----

    def save(self, path: str | os.PathLike) -> None:
        """Writes model, optimizer state and options as one .npz file without pickle, atomically.

        A Trainer loaded from it goes on as this one would, bit for bit.
        """
        checkpoint.write(path, *self.to_parts())

    @classmethod
    def load(cls, path: str | os.PathLike, *, threads: int | None = None) -> Trainer:
        """The Trainer that save wrote, with a model of its own (the attribute model)."""
        check_threads(threads)
        parts = checkpoint.read(path)
        return cls._from_parts(parts, checkpoint.read_model(parts), threads)

    @classmethod
    def _from_parts(cls, parts: checkpoint.Parts, model, threads: int | None) -> Trainer:
        options = read_options(parts)
        progress = read_progress(parts, model, options["optimizer"])
        parts.finish(beside=("best.", "callback.") if "run" in parts.document else None)
        with checkpoint.reading("trainer"):
            trainer = cls(model, threads=threads, **options)
        trainer.take_progress(progress)
        return trainer

    def to_parts(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Plain data and arrays, as checkpoint.write takes them."""
        document, arrays = checkpoint.write_model(self.model)
        loss, loss_options = self._objective.to_plain()
        document["trainer"] = {
            "optimizer": self.optimizer.to_dict(),
            "learning_rate": self.learning_rate,
            "loss": loss,
            "loss_options": loss_options,
            "penalties": asdict(self.penalties),
            "rules": self.rules.to_dict(),
            "step_count": self.step_count,
            "generator": self.generator.bit_generator.state,
        }
        if self._batch_size is not None:
            document["trainer"]["batch_size"] = self._batch_size
        for parameter in self.network.parameters:
            for slot, array in parameter.state.items():
                arrays[f"state.{parameter.name}.{slot}"] = array
        return document, arrays

    def take_progress(self, progress: Progress) -> None:
        """Goes on from progress, with the model's present arrays."""
        self.rebuild(progress.states)
        self.step_count, self.learning_rate = progress.step_count, progress.learning_rate
        self.generator.bit_generator.state = progress.generator

    def __reduce__(self):
        """Pickles as save does, with the model as an object of its own."""
        document, arrays = self.to_parts()
        states = {name: array for name, array in arrays.items() if name.startswith("state.")}
        return _from_pickle, (type(self), json.dumps(document), states, self.model, self._threads or None)


def _from_pickle(kind: type[Trainer], document: str, states: dict, model, threads: int | None) -> Trainer:
    parts = checkpoint.Parts(json.loads(document), states, most_columns=0)
    return kind._from_parts(parts, model, threads)
