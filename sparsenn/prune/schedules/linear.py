"""Linear: as many weights go in each step."""


def sparsity(progress: float, start: float, final: float) -> float:
    """start + (final - start) progress."""
    return start + (final - start) * progress
