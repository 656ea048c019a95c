"""Channels of convolutions, and whatever is tied to them: the structure neuron by the name that fits."""

from .neuron import COUNTS_NEURONS as COUNTS_NEURONS
from .neuron import apply as apply
