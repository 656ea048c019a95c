"""Recurrent networks of weights that others published for torch: they agree with torch, pruned ones too.

pip install --no-deps --target "$SPARSENN_MODELS" resemblyzer==0.1.4 legere==0.11.0
"""

import os

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")

from test_real_models import path_of  # noqa: E402

import sparsenn as snn  # noqa: E402

nn = torch.nn
pytestmark = pytest.mark.skipif(
    not os.environ.get("SPARSENN_MODELS"), reason="SPARSENN_MODELS names no folder with published models"
)


class VoiceEncoder(nn.Module):
    """Who speaks: three LSTM layers over mel spectrograms, a linear layer of the last state."""

    def __init__(self):
        super().__init__()
        self.lstm, self.linear = nn.LSTM(40, 256, 3, batch_first=True), nn.Linear(256, 256)

    def forward(self, x):
        _, (h, _) = self.lstm(x)
        return torch.relu(self.linear(h[-1]))


class Separable(nn.Module):
    """A depthwise and a pointwise convolution, each with batch normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int]):
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x):
        return torch.relu(self.bn2(self.pointwise(torch.relu(self.bn1(self.depthwise(x))))))


class LineReader(nn.Module):
    """Text of a line 32 pixels high: convolutions, a GRU both ways, classes at every fourth column."""

    BLOCKS = (
        (24, 48, 2, 2),
        (48, 64, 1, 1),
        (64, 96, 2, 1),
        (96, 128, 1, 1),
        (128, 160, 2, 1),
        (160, 192, 2, 1),
    )

    def __init__(self, classes: int):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU())
        self.blocks = nn.Sequential(*(Separable(i, o, (down, across)) for i, o, down, across in self.BLOCKS))
        self.rnn = nn.GRU(192, 128, batch_first=True, bidirectional=True)
        self.head = nn.Linear(256, classes)

    def forward(self, x):
        h = self.blocks(self.stem(x)).squeeze(2).permute(0, 2, 1)
        return self.head(self.rnn(h)[0])


def loaded(path, key: str) -> dict:
    return torch.load(path, map_location="cpu", weights_only=True)[key]


@pytest.fixture(scope="module")
def encoder():
    state = loaded(path_of("resemblyzer/pretrained.pt"), "model_state")
    module = VoiceEncoder()
    module.load_state_dict({name: x for name, x in state.items() if not name.startswith("similarity")})
    return module.eval()


@pytest.fixture(scope="module")
def reader():
    state = loaded(path_of("legere/data/model.pt"), "model")
    module = LineReader(len(state["head.bias"]))
    module.load_state_dict(state)
    return module.eval()


def spectrogram(rng, batch: int, steps: int) -> np.ndarray:
    """As loud as speech: most of it near 0, moving slowly from step to step."""
    walk = np.cumsum(rng.standard_normal((batch, steps, 40)), axis=1) / 8
    return (0.02 * np.exp(np.clip(walk, -4, 4))).astype(np.float32)


def line(rng, batch: int, width: int) -> np.ndarray:
    """Dark strokes on white."""
    images = np.ones((batch, 1, 32, width), np.float32)
    for image in images:
        for left in range(4, width - 8, 6):
            image[:, rng.integers(4, 12) : rng.integers(18, 28), left : left + int(rng.integers(1, 4))] = -1
    return images


def check(module, model: snn.Model, inputs) -> None:
    """Plans of one and two threads against torch: the same bits, near what torch gives."""
    plans = [snn.compile(model, threads=threads, tune="off", cache=False) for threads in (1, 2)]
    for x in inputs:
        with torch.no_grad():
            wanted = module(torch.from_numpy(x)).numpy()
        got = [plan.run(x) for plan in plans]
        np.testing.assert_array_equal(got[0], got[1])
        assert got[0].shape == wanted.shape
        assert abs(got[0] - wanted).max() <= 2e-5 * abs(wanted).max()


@pytest.mark.parametrize("sparsity", [0, 0.8, 0.9])
def test_the_voice_encoder(encoder, sparsity):
    rng = np.random.default_rng(0)
    model = snn.from_torch(encoder, input_shapes={"x": (None, None, 40)})
    assert sum(isinstance(layer, snn.LSTM) for layer in model.layers) == 3
    module = encoder
    if sparsity:
        model = snn.prune(model, sparsity=sparsity)
        module = snn.to_torch(model.with_dims([(None, 160, 40)]))
    check(module, model, [spectrogram(rng, batch, 160) for batch in (1, 3)])


@pytest.mark.parametrize("sparsity", [0, 0.8])
def test_the_line_reader(reader, sparsity):
    rng = np.random.default_rng(0)
    model = snn.from_torch(reader, input_shapes={"x": (None, 1, 32, None)})
    module = reader
    if sparsity:
        model = snn.prune(model, sparsity=sparsity)
        module = snn.to_torch(model)
    check(module, model, [line(rng, batch, width) for batch, width in ((1, 128), (3, 200))])


def test_the_voice_encoder_is_fine_tuned(encoder):
    """Pruned to 80 % and trained on what the whole network gives, it comes nearer to that."""
    rng = np.random.default_rng(0)
    X = spectrogram(rng, 18, 20)
    with torch.no_grad():
        y = encoder(torch.from_numpy(X)).numpy()
    model = snn.prune(snn.from_torch(encoder, input_shapes={"x": (None, 20, 40)}), sparsity=0.8)
    history = snn.train(model, X, y, epochs=5, batch_size=6, learning_rate=1e-3, loss="mse")
    assert history.loss[-1] < 0.7 * history.loss[0]
