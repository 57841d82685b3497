"""`python -m bench.chaos`."""

import sys

from bench.report import start

sys.exit(start("chaos", sys.argv[1:]))
