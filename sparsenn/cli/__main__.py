"""python -m sparsenn.cli: the same as the sparsenn command."""

import sys

from . import main

sys.exit(main())
