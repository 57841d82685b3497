"""`python -m bench.peers MODULE [FILE [LANE]]`: hands in the tracks of a JSON file, or makes its tables."""

import importlib
import json
import sys
from pathlib import Path

name, *rest = sys.argv[1:]
peer = importlib.import_module(f"bench.peers.{name}")
if rest:
    file, *lane = rest
    peer.submit(json.loads(Path(file).read_text("utf-8")), *lane)
elif hasattr(peer, "prepare"):
    peer.prepare()
