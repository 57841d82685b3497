"""Options that many commands share, in the same words everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Data folder of the embedded fleet [LINERNOTES_DATA, .linernotes]."),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout, for programs.")]
