"""`<data>/fleet.json`: what a running `linernotes up` was started with, for the other commands of the same folder.

It holds passwords and keys, so it is for its user alone; it is there only while `up` runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.failure import Failure

NAME = "fleet.json"


def write(data: Path, addresses: Mapping[str, Any], environment: Mapping[str, str]) -> None:
    """addresses: as `up --json` prints them. environment: the variables of its programs."""
    scratch = data / f"{NAME}.new"
    scratch.unlink(missing_ok=True)
    scratch.touch(mode=0o600)
    scratch.write_text(json.dumps({"addresses": addresses, "environment": environment}), "utf-8")
    scratch.replace(data / NAME)


def read(data: Path) -> dict[str, str]:
    """The environment of the fleet that runs on this folder; empty where none has said."""
    path = data / NAME
    if not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text("utf-8"))["environment"]
        return {str(name): str(value) for name, value in kept.items()}
    except (ValueError, KeyError, AttributeError) as error:
        raise Failure(f"{path} cannot be read ({error}); stop `linernotes up` and start it again") from error


def forget(data: Path) -> None:
    """Nothing runs here any more."""
    (data / NAME).unlink(missing_ok=True)
