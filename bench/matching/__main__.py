"""`python -m bench.matching`."""

import sys

from bench.report import start

sys.exit(start("matching", sys.argv[1:]))
