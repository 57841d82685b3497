"""`python -m simulator`: the upstreams on localhost."""

from __future__ import annotations

import argparse
import sys

from simulator.server import serve


def main() -> int:
    """Read the options and serve. Exit code 1 where it cannot."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description="The upstreams on localhost.")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--catalogue", help="tracks.jsonl[.gz]; without it the small one that ships")
    parser.add_argument("--listens", help="scrobbles.csv[.gz]")
    parser.add_argument("--scenario", help="faults, a JSON file")
    parser.add_argument("--log", help="a line for each request, JSONL")
    parser.add_argument("--speed", type=float, default=1.0, help="multiplies limits, divides latencies")
    parser.add_argument("--unlimited", action="store_true")
    parser.add_argument("--attached", action="store_true", help="end with the parent process")
    try:
        serve(**vars(parser.parse_args()))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"simulator: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
