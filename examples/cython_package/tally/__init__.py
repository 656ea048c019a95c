"""Counts the classes that a sparse network gives to samples."""

from ._count import count

__all__ = ["count"]
