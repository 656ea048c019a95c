"""The layers that a model is made of, one a file.

A layer's file holds its attributes, its value and gradient in plain numpy, the bound of its rounding error
and how it is written to other frameworks. What the core knows of the same op is src_c/ops/NAME.c. A new layer
is one of each, an import and a place in the list here.
"""

from .clipped_relu import ClippedReLU
from .elu import ELU
from .gelu import GELU
from .layer import Activation as Activation
from .layer import Layer as Layer
from .leaky_relu import LeakyReLU
from .linear import Linear
from .relu import ReLU
from .sigmoid import Sigmoid
from .softmax import Softmax
from .tanh import Tanh

_KINDS = (ReLU, ClippedReLU, Tanh, Sigmoid, GELU, ELU, LeakyReLU, Softmax)

ACTIVATIONS = {kind.word: kind for kind in _KINDS}  # by the word that mlp(activation=...) takes
LAYER_TYPES = (Linear, *_KINDS)

__all__ = [kind.__name__ for kind in LAYER_TYPES]  # what `import sparsenn` offers
