"""The runners: one adapter a file, found by looking into this folder.

An adapter module is named after its runner and defines `class Runner`:

    modules                  modules or distributions whose versions go into the report
    available()              -> (bool, reason when not)
    prepare(layers, x, threads)   packs layers for x (batch, inputs) float32; everything here is untimed
    run()                    the timed call
    variant                  where it chose among several ways, the one taken; goes into the report
    peak_gflops              this library's: GFLOP/s of multiply-adds in the registers of one core
    output()                 -> (batch, outputs): what the last run() computed, in rows

One that takes model files has two more; what it runs need not be linear layers:

    prepare_network(paths, inputs, threads)   the network of paths["onnx"], sizes fixed, or of
                             paths["safetensors"], for inputs: name to (batch, ...) float32
    outputs()                -> what the last run() computed, an array for each output of the network
    multiply_adds            this library's: of one sample on stored weights

Adapters import their library inside methods only, and nothing of sparsenn but this folder, so that a worker
in an interpreter that has no sparsenn can load them. The modules named in HELPERS are shared.
"""

import importlib
import pkgutil

HELPERS = ("layer", "onnx_model", "stopwatch")
LIBRARY = "sparsenn"  # the runner all others are compared with


def names() -> list[str]:
    """Every runner, the library itself first."""
    found = [module.name for module in pkgutil.iter_modules(__path__) if module.name not in HELPERS]
    return sorted(found, key=lambda name: (name != LIBRARY, name))


def network_names() -> list[str]:
    """The baselines that take model files."""
    return [name for name in names() if name != LIBRARY and hasattr(create(name), "prepare_network")]


def create(name: str):
    """A new runner of that name. ValueError when there is none."""
    if name not in names():
        raise ValueError(f"baseline must be one of {', '.join(names())}, got {name!r}")
    return importlib.import_module(f"{__name__}.{name}").Runner()


def select(wanted: list[str] | None) -> list[str]:
    """Baselines by name or by the part before an underscore ("torch": both); None: all of them."""
    peers = [name for name in names() if name != LIBRARY]
    if wanted is None:
        return peers
    chosen = []
    for word in wanted:
        matching = [name for name in peers if name == word] or [
            name for name in peers if name.startswith(f"{word}_")
        ]
        if not matching:
            raise ValueError(f"baseline must be one of {', '.join(peers)}, got {word!r}")
        chosen += [name for name in matching if name not in chosen]
    return chosen
