"""The cases of graphs.py as a parameter of any test."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from graphs import CASES


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request):
    return request.param
