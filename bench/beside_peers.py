"""Networks beside the libraries that are installed, each in a process of its own: what the benches share."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import sparsenn as snn
from sparsenn.bench import baselines, report, runner
from sparsenn.bench.jobs import NetworkJob, exact_outputs
from sparsenn.cli._json import json_text
from sparsenn.cli.bench import labels, parse_counts, parse_numbers, show_cell
from sparsenn.file_replace import replace_file

CHECKED = 2  # samples that are compared with float64


class ProtoJob(NetworkJob):
    """A model, and the ONNX file that peers are given in place of what would be exported of it."""

    def __init__(self, model: snn.Model, proto: bytes, inputs: dict[str, np.ndarray]):
        """proto: of the shapes of these inputs."""
        super().__init__(model, inputs)
        self.proto = proto

    def write(self, folder: Path) -> dict[str, str]:
        paths = {"safetensors": str(folder / "network.safetensors"), "onnx": str(folder / "network.onnx")}
        paths["inputs"] = str(folder / "inputs.npz")
        np.savez(paths["inputs"], **self.inputs)
        snn.save(self.model, paths["safetensors"])
        replace_file(paths["onnx"], self.proto)
        return paths

    def check(self, name: str, outputs: list[np.ndarray]) -> None:
        first = {key: array[:CHECKED] for key, array in self.inputs.items()}
        self._exact = self._exact or exact_outputs(self.model, first)
        super().check(name, outputs)


def add_options(parser: argparse.ArgumentParser, *, batch: str) -> None:
    """The options that run reads; batch: the default one."""
    parser.add_argument("--sparsity", default="80,90,95", help="per cent (default: %(default)s)")
    parser.add_argument("--batch", default=batch, help="default: %(default)s")
    parser.add_argument("--threads", default=str(report.machine()["threads"]), help="default: %(default)s")
    parser.add_argument("--baseline", help="baselines to run (default: every one that can)")
    parser.add_argument("--rounds", type=int, default=15, help="default: %(default)s")
    parser.add_argument("--deepsparse-python", metavar="PATH", help="an interpreter with DeepSparse and onnx")
    parser.add_argument("--starts", type=int, default=1, help="of DeepSparse (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write everything measured there")


def run(args: argparse.Namespace, networks: list) -> tuple[list[runner.Cell], list[runner.Workers]]:
    """Measures every network, at every sparsity, batch and number of threads; writes --json."""
    sparsities = [percent / 100 for percent in parse_numbers("--sparsity", args.sparsity)]
    wanted = baselines.select(args.baseline and args.baseline.split(","))
    peers = [name for name in wanted if name in baselines.network_names()]
    pythons = {"deepsparse": args.deepsparse_python} if args.deepsparse_python else {}
    cells, runs, began = [], [], time.monotonic()
    for threads in parse_counts("--threads", args.threads):
        with runner.Workers(labels(peers, args.starts), threads, pythons) as workers:
            cells += runner.run_cells(
                workers,
                networks,
                sparsities=sparsities,
                batches=parse_counts("--batch", args.batch),
                rounds=args.rounds,
                progress=lambda cell: show_cell(cell, time.monotonic() - began),
            )
        runs.append(workers)
    if args.json:
        replace_file(args.json, json_text(report.as_data(cells, runs, vars(args)), indent=1) + "\n")
    return cells, runs
