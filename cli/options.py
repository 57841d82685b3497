"""Options that many commands share, in the same words everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Data folder of the embedded fleet [LINERNOTES_DATA, .linernotes]."),
]
Id = Annotated[str, typer.Argument(metavar="ID", help="The producer's own id, or ours.")]
Priority = Annotated[int, typer.Option(min=1, max=10, help="10 is critical, 4-9 default, 1-3 low_priority.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout, for programs.")]
