"""A small set of sequences as the files that bench/sequence_data.py reads."""

from pathlib import Path

import numpy as np


def write_two_classes(folder: Path, rng: np.random.Generator) -> Path:
    """folder with a set Two: whether the first of two features rises or falls; 3 to 5 steps."""
    (folder / "Two").mkdir()
    for part, count in (("TRAIN", 12), ("TEST", 8)):
        lines = []
        for index in range(count):
            first = np.arange(3 + index % 3) * (1.0 if index % 2 else -1.0)
            rows = ",".join(map(str, first)), ",".join(map(str, rng.standard_normal(len(first))))
            lines.append(":".join((*rows, "up" if index % 2 else "down")))
        head = "#about\n@problemName Two\n@dimensions 2\n@data\n"
        (folder / "Two" / f"Two_{part}.ts").write_text(head + "\n".join(lines) + "\n")
    return folder
