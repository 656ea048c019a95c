"""A model file as a C constant: NAME.c and NAME.h, for snn_model_load_memory."""

from __future__ import annotations

import os
import re
from pathlib import Path

from .errors import ArgumentError
from .file_replace import replace_file
from .io import load
from .paths import as_path

HEADER = """\
/* {name}: a sparsenn model of {size} bytes, {what}, for
 * snn_model_load_memory. */
#ifndef SPARSENN_MODEL_{name}_H
#define SPARSENN_MODEL_{name}_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {{
#endif
extern const unsigned char {name}[{size}];
extern const size_t {name}_size;
#ifdef __cplusplus
}}
#endif

#endif
"""

SOURCE = """\
/* Written by sparsenn export; {name}.h describes it. The bytes of the model file, aligned to 64. */
#include "{name}.h"

#if defined(__cplusplus)
#define MODEL_ALIGNED alignas(64)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define MODEL_ALIGNED _Alignas(64)
#elif defined(__GNUC__)
#define MODEL_ALIGNED __attribute__((aligned(64)))
#else
#define MODEL_ALIGNED
#endif

const size_t {name}_size = {size};
/* clang-format off */
MODEL_ALIGNED const unsigned char {name}[{size}] = {{
{rows}
}};
"""

BYTES_A_ROW = 24

# Words that C11 and C++17 keep for themselves.
RESERVED = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t
    class compl const const_cast constexpr continue decltype default delete do double dynamic_cast
    else enum explicit export extern false float for friend goto if inline int long mutable
    namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
    reinterpret_cast restrict return short signed sizeof static static_assert static_cast struct
    switch template this thread_local throw true try typedef typeid typename union unsigned using
    virtual void volatile wchar_t while xor xor_eq main size_t
"""


def write_c_array(path: str | os.PathLike, name: str, *, folder: str | os.PathLike = ".") -> dict:
    """Writes folder/name.c and folder/name.h, which hold the bytes of the model file as `name`.

    name  a C identifier: letters, digits and _, not beginning with a digit or _, not reserved
    ->    source and header (paths), model_bytes, inputs, outputs (of a graph lists of names)

    The file is validated first, and its name_size bytes are kept as they are. Each of the two files is
    replaced whole or not at all. Raises ValueError for a bad name, and what load raises.
    """
    check_name(name)
    folder = Path(as_path(folder, "folder"))
    if not folder.is_dir():
        raise NotADirectoryError(f"--out must be a folder that exists, got {folder}")
    model = load(path)
    content = Path(as_path(path)).read_bytes()
    inputs, outputs = (
        getattr(model, side) if model.is_chain else [value.name for value in values]
        for side, values in (("inputs", model.input_values), ("outputs", model.output_values))
    )
    # Of a graph the counts alone: a name may hold what ends a comment.
    counts = (inputs, outputs) if model.is_chain else (f"a graph of {len(inputs)}", len(outputs))
    what = "{} inputs and {} outputs".format(*counts)
    fields = {"name": name, "size": len(content), "what": what}
    source, header = folder / f"{name}.c", folder / f"{name}.h"
    replace_file(source, SOURCE.format(rows=format_rows(content), **fields))
    replace_file(header, HEADER.format(**fields))
    return {
        "source": str(source),
        "header": str(header),
        "model_bytes": len(content),
        "inputs": inputs,
        "outputs": outputs,
    }


def check_name(name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"--c-array must be a str, got {type(name).__name__}")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or name in RESERVED.split():
        raise ArgumentError(f"--c-array must be a C identifier that is not reserved, got {name!r}")


def format_rows(content: bytes) -> str:
    """The bytes as decimal numbers, 24 a row."""
    rows = (content[at : at + BYTES_A_ROW] for at in range(0, len(content), BYTES_A_ROW))
    return ",\n".join(",".join(map(str, row)) for row in rows)
