"""Single weights, wherever they are: unstructured sparsity."""

from ...model import Model
from ..csr import weight_count
from ..selection import select_kept
from ._request import Request


def apply(request: Request) -> Model:
    """The least important weights go, exactly as many as asked for."""
    counts = [weight_count(weight) for weight in request.weights()]
    return request.keep(
        select_kept(
            request.scores(), counts, layers=request.layers, amount=request.amount, scope=request.scope
        )
    )
