"""Sequences of train_sequences.py: sets of the UEA and UCR archives, .ts files, from the package aeon."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Sequences(NamedTuple):
    """X (n, steps, features) float32 and labels (n,), for training and tests.

    Features are standardised by the training set; shorter sequences have zeros in front.
    """

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def read_sequences(name: str, folder: Path | None = None) -> Sequences:
    """The set of that name from folder, or from where aeon is installed; it is not imported."""
    if folder is None:
        spec = find_spec("aeon")
        if spec is None:
            raise FileNotFoundError("--data must name a folder of .ts files where aeon is not installed")
        folder = Path(spec.submodule_search_locations[0]) / "datasets" / "data"
    parts = [read_ts(folder / name / f"{name}_{part}.ts") for part in ("TRAIN", "TEST")]
    names = sorted({label for _, labels in parts for label in labels})
    every = np.concatenate(parts[0][0], axis=0, dtype=np.float64)
    mean, deviation = every.mean(axis=0), every.std(axis=0)
    steps = max(len(sequence) for sequences, _ in parts for sequence in sequences)
    arrays = []
    for sequences, labels in parts:
        X = np.zeros((len(sequences), steps, len(mean)), np.float32)
        for row, sequence in zip(X, sequences, strict=True):
            row[steps - len(sequence) :] = (sequence - mean) / deviation
        arrays += [X, np.array([names.index(label) for label in labels])]
    return Sequences(*arrays)


def read_ts(path: Path) -> tuple[list[np.ndarray], list[str]]:
    """Sequences (steps, features) and labels: a line each, features parted by colons, the label last."""
    text = path.read_text(encoding="utf-8")
    lines = text[text.lower().index("@data") :].splitlines()[1:]
    sequences, labels = [], []
    for line in filter(None, map(str.strip, lines)):
        *features, label = line.split(":")
        sequences.append(np.array([own.split(",") for own in features], np.float64).T)
        labels.append(label)
    return sequences, labels
