"""Compiles tally/_count.pyx with the header of the installed sparsenn."""

from Cython.Build import cythonize
from setuptools import Extension, setup

import sparsenn

setup(
    ext_modules=cythonize(
        [Extension("tally._count", ["tally/_count.pyx"], include_dirs=[sparsenn.get_include()])],
        compiler_directives={"language_level": 3, "boundscheck": False, "wraparound": False},
    )
)
