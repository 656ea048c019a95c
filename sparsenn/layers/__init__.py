"""The layers that a model is made of, one a file.

A layer's file holds its attributes, its value and gradient in plain numpy and the bound of its rounding
error. What the core knows of the same op is src_c/ops/NAME.c. A new layer is one of each and a line here.
"""

from .clipped_relu import ClippedReLU
from .elu import ELU
from .gelu import GELU
from .layer import Activation, Layer
from .leaky_relu import LeakyReLU
from .linear import Linear
from .relu import ReLU
from .sigmoid import Sigmoid
from .softmax import Softmax
from .tanh import Tanh

__all__ = [
    "ELU",
    "GELU",
    "Activation",
    "ClippedReLU",
    "Layer",
    "Linear",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
]

# By the word that mlp(activation=...) takes.
ACTIVATIONS = {kind.word: kind for kind in (ReLU, ClippedReLU, Tanh, Sigmoid, GELU, ELU, LeakyReLU, Softmax)}
LAYER_TYPES = (Linear, *ACTIVATIONS.values())
