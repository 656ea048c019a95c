"""In tests/: python -m fuzz --count 100000 [target ...]; every target where none is named."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

from . import checkpoint, data_files, engine, safetensors
from . import onnx as onnx_files

TARGETS = {
    target.name: target
    for module in (checkpoint, data_files, safetensors, onnx_files)
    for target in module.TARGETS
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--count", type=int, default=100_000, help="files a target (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=0, help="number of the first file")
    args = parser.parse_args()
    unknown = set(args.targets) - TARGETS.keys()
    if unknown:
        parser.error(f"TARGET must be one of {', '.join(TARGETS)}, got {', '.join(sorted(unknown))}")
    faults = 0
    for name in args.targets or TARGETS:
        begin = time.perf_counter()
        with (
            tempfile.TemporaryDirectory(dir=engine.FASTEST) as folder,
            tqdm(total=args.count, desc=name, disable=None) as bar,
        ):
            try:
                outcomes = engine.run(
                    TARGETS[name],
                    Path(folder),
                    count=args.count,
                    seed=args.seed,
                    start=args.start,
                    each=bar.update,
                )
            except engine.Fault as fault:
                faults += 1
                print(fault, flush=True)
                continue
        text = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
        print(f"{name}: {args.count} files in {time.perf_counter() - begin:.0f} s: {text}", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
