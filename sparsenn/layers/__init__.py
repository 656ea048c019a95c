"""The layers that a model is made of, one a file.

A layer's file holds its attributes, its dims, its value and gradient in plain numpy, the bound of its
rounding error and how it is written to other frameworks. What the core knows of the same op is
src_c/ops/NAME.c. A new layer is one of each, an import and a place in a list here.
"""

from .abs import Abs
from .add import Add
from .array_layer import ArrayLayer as ArrayLayer
from .attention import Attention
from .avg_pool2d import AvgPool2d
from .axis_norm import AxisNorm as AxisNorm
from .axis_softmax import AxisSoftmax
from .batch_norm import BatchNorm
from .clipped_relu import ClippedReLU
from .concat import Concat
from .conv2d import Conv2d
from .depth_to_space import DepthToSpace
from .div import Div
from .elu import ELU
from .embedding import Embedding
from .equal import Equal
from .exp import Exp
from .expand import Expand
from .flatten import Flatten
from .function import Function as Function
from .gelu import GELU
from .gelu_tanh import GELUTanh
from .gru import GRU
from .hard_sigmoid import HardSigmoid
from .hard_swish import HardSwish
from .layer import Activation as Activation
from .layer import Layer as Layer
from .layer_norm import LayerNorm
from .leaky_relu import LeakyReLU
from .less import Less
from .less_equal import LessEqual
from .linear import Linear
from .log import Log
from .log_softmax import LogSoftmax
from .lstm import LSTM
from .matmul import MatMul
from .matrix import Matrix as Matrix
from .max import Max
from .max_pool2d import MaxPool2d
from .min import Min
from .mish import Mish
from .mul import Mul
from .pad import Pad
from .pair import Pair as Pair
from .prefix import Prefix
from .prelu import PReLU
from .recurrent import Recurrent as Recurrent
from .reduce_max import ReduceMax
from .reduce_mean import ReduceMean
from .reduce_min import ReduceMin
from .reduce_sum import ReduceSum
from .relu import ReLU
from .reshape import Reshape
from .resize import Resize
from .rms_norm import RMSNorm
from .rnn import RNN
from .sigmoid import Sigmoid
from .silu import SiLU
from .slice import Slice
from .softmax import Softmax
from .softplus import Softplus
from .space_to_depth import SpaceToDepth
from .split import Split
from .sqrt import Sqrt
from .stepwise_linear import StepwiseLinear
from .sub import Sub
from .tanh import Tanh
from .transpose import Transpose
from .where import Where

_KINDS = (
    *(ReLU, ClippedReLU, Tanh, Sigmoid, GELU, ELU, LeakyReLU, SiLU, Softmax),
    *(HardSigmoid, HardSwish, Softplus, Mish, GELUTanh),
)

ACTIVATIONS = {kind.word: kind for kind in _KINDS}  # by the word that mlp(activation=...) takes
LAYER_TYPES = (Linear, *_KINDS)  # of a chain
_MOVES = (Concat, Slice, Prefix, Reshape, Transpose, Expand, Pad, DepthToSpace, SpaceToDepth)
_WINDOWS = (Conv2d, MaxPool2d, AvgPool2d)
_OVER_AXES = (ReduceSum, ReduceMean, ReduceMax, ReduceMin, AxisSoftmax, LogSoftmax, Resize)
_NORMS = (BatchNorm, LayerNorm, RMSNorm)
_PRODUCTS = (MatMul, Attention, Embedding)
_RECURRENT = (LSTM, GRU, RNN)
_PAIRS = (Add, Mul, Sub, Div, Min, Max, PReLU, Equal, Less, LessEqual)
_FUNCTIONS = (Abs, Exp, Log, Sqrt)
GRAPH_TYPES = (  # of a graph alone
    *(*_PAIRS, Where, *_FUNCTIONS, *_MOVES),
    *(*_WINDOWS, *_OVER_AXES, *_NORMS, *_PRODUCTS, *_RECURRENT),
)

# What `import sparsenn` offers. Split, Flatten and StepwiseLinear make other layers.
__all__ = [kind.__name__ for kind in (*LAYER_TYPES, *GRAPH_TYPES, Split, Flatten, StepwiseLinear)]
