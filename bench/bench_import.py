"""How long `import sparsenn` takes, and how much memory: in fresh processes, beside numpy and scipy alone.

    python bench/bench_import.py [--rounds 15]

Seconds from the first statement of a running interpreter to the end of the import, the median and the
fastest of the rounds, and MB resident then. sparsenn's has numpy's in it; a first model brings scipy.sparse.
Exits with 1 where the fastest import takes 0.25 s or more, or 60 MB or more.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

SECONDS, MB = 0.25, 60
PROGRAM = """
import time
start = time.perf_counter()
{statement}
seconds = time.perf_counter() - start
with open("/proc/self/status") as file:
    kilobytes = int(file.read().partition("VmRSS:")[2].split()[0])
import json
print(json.dumps([seconds, kilobytes / 1024]))
"""
STATEMENTS = {
    "numpy": "import numpy",
    "numpy, scipy.sparse": "import numpy, scipy.sparse",
    "sparsenn": "import sparsenn",
    "sparsenn, a first model": "import sparsenn; sparsenn.mlp([8, 4])",
}


def measure(statement: str) -> list[float]:
    """-> seconds, MB, of one new process."""
    command = [sys.executable, "-c", PROGRAM.format(statement=statement)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="processes a line (default: %(default)s)")
    rounds = parser.parse_args().rounds
    found = {name: [] for name in STATEMENTS}
    for _ in range(rounds):  # in turn, so that a busy spell meets all of them
        for name, statement in STATEMENTS.items():
            found[name].append(measure(statement))
    print(f"{'':24} {'median s':>9} {'fastest s':>9} {'MB':>6}")
    for name, rows in found.items():
        seconds, megabytes = zip(*rows, strict=True)
        print(f"{name:24} {statistics.median(seconds):9.3f} {min(seconds):9.3f} {max(megabytes):6.1f}")
    seconds, megabytes = zip(*found["sparsenn"], strict=True)
    return 0 if min(seconds) < SECONDS and max(megabytes) < MB else 1


if __name__ == "__main__":
    sys.exit(main())
