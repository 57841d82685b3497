"""What the operator says: read once from the environment and `.env`, frozen.

`LINERNOTES_DATABASE_URL`, `_BROKER_URL`, `_REDIS_URL`, `_SECRET_KEYS`, `_UPSTREAM_URL`, `_SPEED`, `_COMMERCIAL`,
`_MERGE_CERTAIN`, `_OPEN_TO_ALL`, `_LOG_FORMAT`, `_TIMEZONE`, `_LANDING`, `_DATA`, `_THREADS`, `_JOURNAL`,
`_STOP_SECONDS`; for a schedule `LINERNOTES_SCHEDULE_<NAME>`; for a source `LINERNOTES_<SOURCE>_URL`, `_BUDGET`,
`_BREAKER_THRESHOLD`, `_BREAKER_SECONDS` and options of its own; keys under their own names (`SPOTIFY_CLIENT_ID` …).
`.env.example` lists them all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from enrichment.domain.questions import Budget, Limit

PREFIX = "LINERNOTES_"


def _sqlalchemy_url(value: object) -> object:
    """`postgresql://` names psycopg 3 to us, as it does to psql."""
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", value) if isinstance(value, str) else value


class Settings(BaseModel):
    """environ: everything that was read, for what sources declare themselves."""

    model_config = ConfigDict(frozen=True)

    database_url: Annotated[str, BeforeValidator(_sqlalchemy_url)] = Field(default="", repr=False)
    broker_url: str = Field(default="", repr=False)
    redis_url: str = Field(default="", repr=False)
    upstream_url: str = ""
    secret_keys: str = Field(default="", repr=False)
    speed: float = Field(default=1.0, gt=0)
    commercial: bool = False
    merge_certain: bool = False
    open_to_all: str = ""
    log_format: Literal["console", "json"] = "console"
    timezone: str = "Europe/Paris"
    landing: str = ""
    data: Path = Path(".linernotes")
    threads: int = Field(default=32, ge=2, le=256)
    journal: bool = True
    stop_seconds: float = Field(default=25.0, gt=0)
    environ: Mapping[str, SecretStr] = Field(default_factory=dict, repr=False)

    def source_url(self, name: str, default: str) -> str:
        """Where a source is: its own setting, else below the simulator's URL, else where it really is."""
        own = self.text(f"{PREFIX}{name.upper()}_URL")
        simulated = f"{self.upstream_url.rstrip('/')}/{name}" if self.upstream_url else default
        return (own or simulated).rstrip("/")

    def site_url(self, source: str, site: str, default: str, sources: Collection[str]) -> str:
        """Where a further host of a source is: that of the source it names, else it moves along with its own source."""
        if own := self.text(f"{PREFIX}{source.upper()}_{site.upper()}_URL"):
            return own.rstrip("/")
        if site in sources:
            return self.source_url(site, default)
        return self.source_url(source, "") or default.rstrip("/")

    def source_budget(self, name: str, default: Budget) -> Budget:
        """A source's budget, in this fleet's speed. Raises ValueError for a setting nobody can read."""
        own = self.text(f"{PREFIX}{name.upper()}_BUDGET")
        return (read_budget(own, default) if own else default).faster(self.speed)

    def source_options(self, name: str) -> dict[str, str]:
        """Everything set for a source, by lower-case name. What is empty is not set."""
        start = f"{PREFIX}{name.upper()}_"
        own = {key[len(start) :].lower(): self.text(key) for key in self.environ if key.startswith(start)}
        return {option: value for option, value in own.items() if value}

    @property
    def landing_folder(self) -> str:
        """Folder or URL of the landing files."""
        return self.landing or str((self.data / "landing").absolute())

    def text(self, variable: str) -> str:
        """A variable's value, empty where it is not set."""
        value = self.environ.get(variable)
        return value.get_secret_value().strip() if value is not None else ""


def load(environ: Mapping[str, str] | None = None, **changes: Any) -> Settings:
    """The settings, from `.env` and the environment (which wins), or from what is handed in.

    Raises pydantic.ValidationError naming the variable that cannot be read.
    """
    if environ is None:
        environ = {k: v for k, v in dotenv_values(".env").items() if v is not None} | dict(os.environ)
    fixed = {
        name: environ[f"{PREFIX}{name.upper()}"]
        for name in Settings.model_fields
        if environ.get(f"{PREFIX}{name.upper()}")
    }
    kept = {name: SecretStr(value) for name, value in environ.items()}
    return Settings(**(fixed | {"environ": kept} | changes))


_LIMIT = re.compile(r"(?P<calls>\d+(\.\d+)?)/(?P<seconds>\d+(\.\d+)?)s?")


def read_budget(text: str, default: Budget) -> Budget:
    """A budget as an operator writes it: `45/5, burst=4, concurrency=8, day=800`; several limits are kept all at once.

    What is not said stays as in `default`. Raises ValueError.
    """
    limits, named = [], {}
    for part in re.split(r"[,;\s]+", text.strip()):
        if match := _LIMIT.fullmatch(part):
            limits.append((float(match["calls"]), float(match["seconds"])))
            continue
        name, equals, value = part.partition("=")
        if not equals or name not in ("burst", "concurrency", "day") or not re.fullmatch(r"\d+(\.\d+)?", value):
            raise ValueError(f"budget {text!r}: {part!r} is neither calls/seconds nor burst=, concurrency= or day=")
        named[name] = float(value)
    if any(calls <= 0 or seconds <= 0 for calls, seconds in limits):
        raise ValueError(f"budget {text!r}: calls and seconds must be above 0")
    burst = named.get("burst", default.limits[0].burst if default.limits else 1.0)
    return Budget(
        tuple(Limit(calls, seconds, max(1.0, burst)) for calls, seconds in limits) or default.limits,
        int(named.get("concurrency", default.concurrency)) or 1,
        int(named["day"]) if "day" in named else default.per_day,
    )
