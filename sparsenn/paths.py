"""Paths that users give: checked once, before anything is opened or written."""

from __future__ import annotations

import os
import stat

from .errors import ArgumentError, FormatError


def as_path(path: str | bytes | os.PathLike, name: str = "path") -> str:
    """path as a str that the file system can take; name is the argument's, for the message.

    Raises TypeError for anything but str, bytes and os.PathLike, ArgumentError for a NUL character, at which
    C would stop reading, and for what the file system's encoding has no bytes for.
    """
    try:
        text = os.fspath(path)
    except TypeError:
        raise TypeError(f"{name} must be a str, bytes or os.PathLike, got {type(path).__name__}") from None
    try:
        decoded = os.fsdecode(text)
        os.fsencode(decoded)
    except UnicodeError as error:
        raise ArgumentError(
            f"{name} must be a name that the file system can encode, got {text!r}: {error.reason}"
        ) from None
    if "\0" in decoded:
        raise ArgumentError(f"{name} must not hold a NUL character, got {text!r}")
    return decoded


def open_regular(path: str):
    """The file, open for reading bytes. FormatError for a folder, a FIFO or a device, without waiting."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FormatError(f"path must be a regular file, got {path!r}")
    return os.fdopen(handle, "rb")
