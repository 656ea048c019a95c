"""sparsenn info: the processor, the kernel sets, the threads and the versions."""

from __future__ import annotations

import argparse
import platform

from ._json import json_text


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser("info", help="processor, kernel sets, OpenMP, threads and versions")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    info = collect()
    if args.json:
        print(json_text(info))
        return 0
    cpu, versions = info["cpu"], info["versions"]
    lines = {
        "sparsenn": versions["sparsenn"],
        "processor": cpu["model"] or "unknown",
        "kernel set": cpu["isa"],
        "built": ", ".join(cpu["isas_built"]),
        "usable here": ", ".join(cpu["isas_usable"]),
        "OpenMP": "yes" if cpu["openmp"] else "no: everything runs in one thread",
        "threads": cpu["threads"],
        "Python": f"{versions['python']}, numpy {versions['numpy']}, scipy {versions['scipy']}",
        "platform": info["platform"],
    }
    for name, value in lines.items():
        print(f"{name:<12} {value}")
    return 0


def collect() -> dict:
    """What info prints, as data: cpu (see sparsenn.cpu_info), versions and platform."""
    import numpy
    import scipy

    import sparsenn

    return {
        "cpu": sparsenn.cpu_info(),
        "versions": {
            "sparsenn": sparsenn.__version__,
            "python": platform.python_version(),
            "numpy": numpy.__version__,
            "scipy": scipy.__version__,
        },
        "platform": platform.platform(),
    }
