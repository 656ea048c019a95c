"""Every exception of the package. All but MemoryError and OSError derive from SparsennError."""


class SparsennError(Exception):
    """Base of this package's own exceptions."""


class ArgumentError(SparsennError, ValueError):
    """An argument is out of range, of the wrong shape, or inconsistent with another."""


class FormatError(SparsennError, ValueError):
    """A model file is truncated, altered, or not a model file."""


class VersionError(FormatError):
    """A model file of a format version that this package does not know."""


class CSRError(SparsennError, ValueError):
    """Arrays that are not a valid CSR matrix."""


class ISAError(SparsennError, ValueError):
    """An instruction set that is unknown, not built, or not supported by this processor."""


class UnsupportedError(SparsennError, ValueError):
    """A valid request that this version cannot serve."""


class MissingPackageError(SparsennError, ImportError):
    """An optional package that a call needs is not installed; the message names the extra that has it."""


class DivergedError(SparsennError, FloatingPointError):
    """Training left the finite numbers."""
