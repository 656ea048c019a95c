"""The networks that the demo trains and prunes: a perceptron and a convolutional one."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import sparsenn as snn

from ..bench import baselines
from ..bench.jobs import Job, LayersJob, NetworkJob
from ..bench.masks import layers_of

SIZES = (64, 1024, 1024, 10)
CHANNELS = (64, 128, 128)


@dataclass(frozen=True)
class Network:
    """One of the demo's networks.

    text    what it is called in the report
    prefix  of the files that are left
    shape   of an image as it is read
    keep    layers that stay dense, as prune takes them
    make    the network with random weights, from a seed
    job     what runners are given, from a model and images (batch, *shape) float32
    peers   what the dense network is timed with beside a plan: runners by name
    """

    text: str
    prefix: str
    shape: tuple[int, ...]
    keep: tuple[int, ...]
    make: Callable[[int], snn.Model]
    job: Callable[[snn.Model, np.ndarray], Job]
    peers: Callable[[], dict[str, str]]


def layers_job(model: snn.Model, images: np.ndarray) -> Job:
    return LayersJob(layers_of(model), images)


def network_job(model: snn.Model, images: np.ndarray) -> Job:
    return NetworkJob(model, {model.input_values[0].name: images})


def network_peers() -> dict[str, str]:
    """Those of ONNX Runtime and PyTorch that are installed; both read ONNX."""
    if importlib.util.find_spec("onnx") is None:
        return {}
    wanted = {"onnxruntime": "onnxruntime", "torch": "torch_dense"}
    takes = baselines.network_names()
    return {
        name: runner
        for name, runner in wanted.items()
        if runner in takes and baselines.create(runner).available()[0]
    }


def convolutional(seed: int) -> snn.Model:
    """Three 3 x 3 convolutions, each with batch normalisation, two pools and a linear layer, on 8 x 8 images.

    Weights of a variance of 2 / inputs (He et al. 2015).
    """
    generator = np.random.default_rng(seed)

    def weight(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape, np.float32) * np.sqrt(2 / np.prod(shape[1:]))

    value, inputs = snn.Input((1, 8, 8), name="image"), 1
    x = value
    for number, outputs in enumerate(CHANNELS):
        x = snn.Conv2d(weight(outputs, inputs, 3, 3), padding=1)(x)
        x = snn.ReLU()(snn.BatchNorm(np.ones(outputs))(x))
        x = snn.MaxPool2d(2)(x) if number else x
        inputs = outputs
    x = snn.Flatten()(x)
    return snn.Model(inputs=value, outputs=snn.Linear(weight(10, x.dims[1]), np.zeros(10))(x))


NETWORKS = {
    "mlp": Network(
        text="-".join(map(str, SIZES)),
        prefix="",
        shape=SIZES[:1],
        keep=(-1,),
        make=lambda seed: snn.mlp(SIZES, seed=seed),
        job=layers_job,
        peers=lambda: {"numpy": "numpy"},
    ),
    "cnn": Network(
        text=f"convolutions of {', '.join(map(str, CHANNELS))} channels",
        prefix="cnn-",
        shape=(1, 8, 8),
        keep=(0, -1),
        make=convolutional,
        job=network_job,
        peers=network_peers,
    ),
}
