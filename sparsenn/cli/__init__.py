"""The sparsenn command.

Every module of this folder whose name has no leading underscore is a sub-command of that name. It holds
    add_parser(subparsers)   adds its parser, named like the module
    run(args) -> int         does it and returns the exit code
and imports what is heavy inside run, so that the command starts quickly.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence

BAD_INPUT = 2


def find_commands() -> dict:
    """Every sub-command's module, by name."""
    names = sorted(info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_"))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}


def make_parser(commands: dict) -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    from .. import __version__

    parser = argparse.ArgumentParser(prog="sparsenn", description="Sparse neural networks on CPUs.")
    parser.add_argument("--version", action="version", version=f"sparsenn {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in commands.values():
        module.add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one sub-command; argv defaults to sys.argv[1:].

    Returns its exit code, or 2 after one line on stderr for bad input: a file that is not there or not
    valid, a value out of range, a kernel set that this processor lacks, training that diverges.
    """
    from ..errors import DivergedError

    commands = find_commands()
    args = make_parser(commands).parse_args(argv)
    try:
        code = commands[args.command].run(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader, head for example, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("sparsenn: interrupted", file=sys.stderr)
        return 130
    except (ValueError, TypeError, OSError, MemoryError, DivergedError) as error:
        print(f"sparsenn {args.command}: error: {_one_line(error)}", file=sys.stderr)
        return BAD_INPUT


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.strerror}: {error.filename}" if error.filename is not None else error.strerror
    else:
        text = str(error) or type(error).__name__
    return " ".join(text.split())
