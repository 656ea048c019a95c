"""Writes a file so that its name always stands for a whole one: the old until the new is on the disk.

What sparsenn.save does in C (src_c/base/file_replace.c), for everything that Python writes; the tests hold
both to one table.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator

from .paths import as_path


def replace_file(path: str | bytes | os.PathLike, content, *, name: str = "path") -> None:
    """path then holds either what it held or all of content: bytes, or a str that is written as UTF-8.

    A link is followed, so that the file it points to is replaced; an existing file passes on its permissions
    and, where that is allowed, its owner; a new one gets those of the umask. Raises OSError, and leaves all
    as it was, for a target that is no regular file or may not be written, a link to nothing, a folder that
    is not there, and what fails while writing; name is the argument's, for as_path.
    """
    with _target(path, name) as (folder, target, old):
        temporary = _write_temporary(folder, content.encode() if isinstance(content, str) else content, old)
        try:
            os.rename(temporary, target, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            _remove(folder, temporary)
            raise
        try:
            os.fsync(folder)
        except OSError as error:
            if error.errno != errno.EINVAL:  # some file systems cannot flush a folder
                raise


def check_replaceable(path: str | bytes | os.PathLike, *, name: str = "path") -> None:
    """Raises what replace_file would raise before it writes."""
    with _target(path, name):
        pass


@contextlib.contextmanager
def _target(path, name: str) -> Iterator[tuple[int, str, os.stat_result | None]]:
    """The folder's descriptor, the name in it, links resolved, and what is there now; None: nothing."""
    path = as_path(path, name)
    with contextlib.suppress(FileNotFoundError):
        path = os.path.realpath(path, strict=True)
    folder_name, target = os.path.split(path)
    if not target:
        raise IsADirectoryError(errno.EISDIR, f"{name} must name a file", path)
    folder = os.open(folder_name or os.curdir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield folder, target, _check_target(folder, target, path)
    finally:
        os.close(folder)


def _check_target(folder: int, target: str, path: str) -> os.stat_result | None:
    """What is to be replaced; None: nothing is there."""
    try:
        old = os.stat(target, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(errno.EISDIR, "cannot write: a folder", path)
    if stat.S_ISLNK(old.st_mode):
        raise FileNotFoundError(errno.ENOENT, "cannot write: a link to nothing", path)
    if not stat.S_ISREG(old.st_mode):
        raise OSError(errno.EINVAL, "cannot write: not a regular file", path)
    if not os.access(target, os.W_OK, dir_fd=folder):
        raise PermissionError(errno.EACCES, "cannot write the file", path)
    return old


def _write_temporary(folder: int, content, old: os.stat_result | None) -> str:
    """The name in folder of a new file that holds content and is on the disk."""
    temporary = f".sparsenn-{os.getpid()}-{secrets.token_hex(8)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    # Never wider than the old file's permissions, not for a moment.
    handle = os.open(temporary, flags, 0o666 if old is None else old.st_mode & 0o777, dir_fd=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            if old is not None:
                _keep_ownership(handle, old)
            file.write(content)
            file.flush()
            os.fsync(handle)
    except BaseException:
        _remove(folder, temporary)
        raise
    return temporary


def _keep_ownership(handle: int, old: os.stat_result) -> None:
    """A file system or user that cannot is no reason not to write."""
    now = os.fstat(handle)
    with contextlib.suppress(OSError):
        if (now.st_uid, now.st_gid) != (old.st_uid, old.st_gid):
            os.fchown(handle, old.st_uid, old.st_gid)
        os.fchmod(handle, old.st_mode & 0o777)


def _remove(folder: int, temporary: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(temporary, dir_fd=folder)
