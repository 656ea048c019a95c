"""Which criteria rank by what was recorded during training, and the callbacks of train that record it."""

from __future__ import annotations

from ..model import Model
from .movement import RecordMovement
from .recorder import RecordRange

_RECORDERS = {"change": RecordRange, "movement": RecordMovement}


def recorders_of(criterion, model: Model, record: list | None = None) -> list:
    """The callbacks of train that a criterion, a name or a function, needs for a model.

    record  of the same model, to go on from, as record_of gave it in another process
    """
    return [_RECORDERS[criterion](model, record)] if needs_record(criterion) else []


def record_of(recorders: list) -> list | None:
    """What recorders_of takes; None where there is no recorder."""
    for recorder in recorders:
        return recorder.ranges() if isinstance(recorder, RecordRange) else recorder.scores()
    return None


def needs_record(criterion) -> bool:
    """Whether a criterion ranks by what was recorded."""
    return isinstance(criterion, str) and criterion in _RECORDERS
