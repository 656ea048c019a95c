"""Cubic: fast at first, while there is much to remove, then slower and slower."""


def sparsity(progress: float, start: float, final: float) -> float:
    """final + (start - final) (1 - progress)^3.

    Source: Zhu and Gupta 2017, arXiv:1710.01878, eq. 1
    """
    return final + (start - final) * (1 - progress) ** 3
