"""Exponential: the same share of the weights that are left goes in each step."""


def sparsity(progress: float, start: float, final: float) -> float:
    """1 - (1 - start) ((1 - final) / (1 - start))^progress.

    Source: the iterative pruning of Frankle and Carbin 2019, arXiv:1803.03635, section 1
    """
    return 1 - (1 - start) * ((1 - final) / (1 - start)) ** progress
