"""Networks to measure without a file: sparsenn bench --preset NAME. Random weights, made here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import encoders, layers, sequences
from ..graph.value import Input
from ..model import Model
from .jobs import Variant
from .model_files import SPARSITIES, ModelFile
from .shapes import Network


@dataclass
class MadeNetwork(ModelFile):
    """A network that make() gives, measured as a dense model file is: pruned to each sparsity.

    path  its name alone: there is no file
    """

    make: Callable[[], Model] = Model

    def read(self) -> Model:
        return self.make()

    def variants(self, sparsities: list[float] | None, mask: str) -> Iterator[Variant]:
        return super().variants(sparsities or [*SPARSITIES], mask)


@dataclass(frozen=True)
class Preset:
    """networks(keep), keep None: as this preset keeps layers dense; batches where none are asked for."""

    networks: Callable[[Sequence[int] | None], list[Network | MadeNetwork]]
    batches: str
    about: str


def mlp(keep: Sequence[int] | None) -> list[Network | MadeNetwork]:
    widths = ([784, 2048, 2048, 10], [784, 1024, 1024, 1024, 10])
    return [Network(name="-".join(map(str, sizes)), widths=sizes) for sizes in widths]


def resnet(keep: Sequence[int] | None) -> list[Network | MadeNetwork]:
    return [MadeNetwork(Path("resnet18"), keep=(0, -1) if keep is None else keep, make=resnet18)]


def bert(keep: Sequence[int] | None) -> list[Network | MadeNetwork]:
    """The widths of BERT-base, two of its blocks; vectors come in, so that no table of words is measured."""
    return [MadeNetwork(Path("bert-2x768-128"), keep=keep or (), make=encoder)]


def rnn(keep: Sequence[int] | None) -> list[Network | MadeNetwork]:
    kinds = {"lstm": sequences.lstm, "gru": sequences.gru}
    return [
        MadeNetwork(
            Path(f"{name}-2x512-100"),
            keep=keep or (),
            make=lambda kind=kind: kind([128, 512, 512, 10], steps=100),
        )
        for name, kind in kinds.items()
    ]


def encoder() -> Model:
    return encoders.encoder(768, 768, 10, blocks=2, heads=12, patches=True, tokens=128, norm_first=False)


def resnet18() -> Model:
    """Source: He et al. 2016, arXiv:1512.03385; normalisations folded, so without them."""
    random = np.random.default_rng(0)

    def convolution(x, outputs: int, size: int, stride: int = 1):
        inputs = x.dims[1]
        weight = random.standard_normal((outputs, inputs, size, size)) * (2 / (inputs * size * size)) ** 0.5
        return layers.Conv2d(weight, np.zeros(outputs), stride=stride, padding=size // 2)(x)

    source = Input((3, 224, 224), name="images")
    x = layers.MaxPool2d(3, stride=2, padding=1)(layers.ReLU()(convolution(source, 64, 7, 2)))
    for stage in range(4):
        for index in range(2):
            outputs, stride = 64 << stage, 2 if stage and not index else 1
            skip = x if x.dims[1] == outputs else convolution(x, outputs, 1, stride)
            inner = layers.ReLU()(convolution(x, outputs, 3, stride))
            x = layers.ReLU()(layers.Add()(layers.Mul()(convolution(inner, outputs, 3), 0.25), skip))
    flat = layers.Flatten()(layers.AvgPool2d(7)(x))
    weight = random.standard_normal((1000, 512)) * 512**-0.5
    return Model(inputs=source, outputs=layers.Linear(weight, np.zeros(1000))(flat))


PRESETS = {
    "mlp": Preset(mlp, "1,16,64", "perceptrons of 1024 and 2048 wide layers"),
    "resnet": Preset(resnet, "1,16", "ResNet-18 at 224 x 224, the first and the last layer dense"),
    "bert": Preset(bert, "1,16", "an encoder of two blocks of 768 features, 128 tokens"),
    "rnn": Preset(rnn, "1,16", "LSTM and GRU, two layers of 512 units, 100 steps"),
}
