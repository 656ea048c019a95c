"""python -m sparsenn: the same as the sparsenn command."""

import sys

from .cli import main

sys.exit(main())
