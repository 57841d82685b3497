"""`linernotes`: the commands, their options and their help. What they do is in the modules beside.

Exit codes: 0 done, 1 failed, 2 wrong usage. JSON goes to stdout, everything else that is no answer to stderr.
"""
# ruff: noqa: PLR0917 - a command's parameters are its options; typer passes them by name

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated
from uuid import UUID

import typer

from cli import (
    albums,
    artists,
    audit,
    backfill,
    cache,
    dlq,
    duplicates,
    importing,
    inspect,
    keys,
    listens,
    logs,
    performers,
    reviews,
    schedules,
    tokens,
    train,
)
from cli.bench import bench
from cli.cancel import cancel
from cli.demo import ROWS, demo
from cli.doctor import doctor
from cli.enrich import Options, enrich
from cli.estimate import estimate
from cli.failure import EXPECTED, Failure, sentence
from cli.fleet import WORKERS, settings_of
from cli.ingest import ingest_command
from cli.lookup import Given, lookup
from cli.matching import answer, chosen, matched
from cli.options import AsJson, Data, Id
from cli.parse import Grammar, parse
from cli.serve import serve
from cli.show import note
from cli.up import up
from enrichment.bootstrap import migrate
from enrichment.domain.subjects import Kind
from enrichment.logs import configure as configure_logs

app = typer.Typer(
    name="linernotes",
    help="A fleet that enriches performers, tracks and albums from many upstreams, each at exactly the rate it allows.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage. LINERNOTES_DATABASE_URL, _BROKER_URL and _REDIS_URL name a "
    "fleet; without them a command uses the one that `up` runs on the data folder, or starts its servers meanwhile.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

# The groups of `linernotes --help`.
TRY, HAND, LOOK = "Try and run it here", "Hand work in", "Look at it"
DECIDE, RUN = "Decide what sources cannot", "Operate a fleet"
WARE, TEXT = "Artists for a warehouse", "Read and compare lines, without a fleet"
SourceName = Annotated[str, typer.Argument(metavar="SOURCE", help="As `linernotes sources` names them.")]
Speed = Annotated[
    float, typer.Option(min=0.01, help="Multiplies the simulated limits and the fleet's budgets, divides latencies.")
]


@app.command("demo", rich_help_panel=TRY)
def demo_command(
    data: Data = None,
    rows: Annotated[
        int, typer.Option(min=1, help="Tracks to enrich, with some of their performers and albums.")
    ] = ROWS,
    speed: Speed = 7.0,
    json: AsJson = False,
) -> None:
    """Run the whole fleet on this machine against simulated upstreams, and sum up.

    Real PostgreSQL, Redis, Celery workers and Flower, in `DIR/demo`, which begins empty each time and is kept until the
    next. Needs no network and no keys.
    """
    raise typer.Exit(demo(data, rows=rows, speed=speed, json=json))


@app.command("up", rich_help_panel=TRY)
def up_command(
    data: Data = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the service; another where it is taken, a free one for 0.")
    ] = 8020,
    workers: Annotated[int, typer.Option(min=1, max=32, help="Worker processes, 32 threads each.")] = WORKERS,
    simulate: Annotated[bool, typer.Option("--simulate", help="Ask simulated upstreams, not the real ones.")] = False,
    speed: Speed = 1.0,
    json: AsJson = False,
) -> None:
    """Run the fleet on this machine until Ctrl-C.

    Starts PostgreSQL, Redis, workers, beat, the service with the console, and Flower on one data folder and prints
    where they are. A second start finds everything as it was. Meanwhile all other commands on the same folder use this
    fleet.
    """
    up(data, port=port, workers=workers, simulate=simulate, speed=speed, json=json)


@app.command("enrich", rich_help_panel=HAND)
def enrich_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or JSONL, also gzipped; - is stdin.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", dir_okay=False, help="Where the rows go; else to stdout.")
    ] = None,
    priority: Annotated[
        int, typer.Option(min=1, max=10, help="10 is critical, 4-9 default, 1-3 low_priority; of rows that say none.")
    ] = 3,
    force: Annotated[bool, typer.Option("--force", help="Ask again, however fresh what is known may be.")] = False,
    wait: Annotated[
        float | None,
        typer.Option(min=0, metavar="S", help="Seconds to wait for the results; else until all have ended."),
    ] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Enrich the tracks of a file: one JSON object per row, in the order of the rows.

    Columns (or keys): `artist`, `title`, and if known `album`, `isrc`, `duration_ms`, `id` (your own), `priority`. Rows
    that cannot be read are told on stderr and stand in the output with `"status": "rejected"` and `errors`; the others
    go on.

    With `--json` a summary goes to stdout, and the rows only to `--out`. Exit code 1 if there were rows and none could
    be accepted. What has not ended when the wait is over stays open, and workers go on with it.

    Example: `linernotes enrich plays.csv --priority 7 --out enriched.jsonl`
    """
    if str(file) != "-" and not file.is_file():
        raise typer.BadParameter(f"there is no file {file}", param_hint="FILE")
    if out is not None and not out.resolve().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {out.resolve().parent}", param_hint="--out")
    raise typer.Exit(enrich(str(file), data, Options(out, wait, json), priority=priority, force=force))


@app.command("lookup", rich_help_panel=LOOK)
def lookup_command(
    source: SourceName,
    kind: Annotated[Kind, typer.Argument(metavar="performer|track|album", help="What it is asked about.")],
    artist: Annotated[
        str | None, typer.Option(help="The performer's name, or the artist of the track or album.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Of the track or album.")] = None,
    album: Annotated[str | None, typer.Option(help="The album's title.")] = None,
    isrc: Annotated[str | None, typer.Option(help="The recording's ISRC.")] = None,
    mbid: Annotated[str | None, typer.Option(help="MusicBrainz id of the artist, recording or release.")] = None,
    own_id: Annotated[str | None, typer.Option("--id", help="The source's own id.")] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Ask one source what it knows, within its limits; nothing of it is written to the database.

    One call for each of the source's questions whose needs are given, until one finds something. Exit code 0 where the
    source answered (`found`, `nothing_found`), else 1.

    Example: `linernotes lookup deezer track --isrc GBAAA9400119 --json`
    """
    raise typer.Exit(lookup(source, kind, Given(artist, title, album, isrc, mbid, own_id), data, json=json))


@app.command("parse", rich_help_panel=TEXT)
def parse_command(
    file: Annotated[Path, typer.Argument(metavar="[FILE|-]", help="Lines, also gzipped; - is stdin.")] = Path("-"),
    grammar: Annotated[
        Grammar, typer.Option("--as", help="Tracks and titles, line-ups, or what each line looks like.")
    ] = Grammar.AUTO,
    names: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, metavar="FILE", help="Names that are never cut at a joiner, one a line."
        ),
    ] = None,
) -> None:
    """Take lines apart: of tracklists, video titles, file names, line-ups. One JSON object per line, in their order.

    Artists with roles, title, version, label, catalogue number, time, mash-up elements; `"unknown": true` where nobody
    can look it up ("ID - ID", "tba"). What a line does not say is absent. Needs no fleet.
    """
    if str(file) != "-" and not file.is_file():
        raise typer.BadParameter(f"there is no file {file}", param_hint="FILE")
    raise typer.Exit(parse(str(file), grammar, names))


@app.command("match", rich_help_panel=TEXT)
def match_command(
    file: Annotated[Path, typer.Argument(metavar="[FILE|-]", help="Questions, also gzipped; - is stdin.")] = Path("-"),
) -> None:
    """Are two the same recording? Lines of `{"a": {…}, "b": {…}}` in, `{"verdict", "score", "reasons"}` out, in order.

    A side holds `line` (one raw tracklist line) or any of `artist`, `title`, `album`, `duration_ms`, `isrc` (one or a
    list), `year`, `label`. The verdict is `same`, `different` or `unsure`; each reason tells what it weighs, in points
    of ten to the decade, and the score above which it lets none. A line that is no question is answered with `error`,
    and the exit code is 1.
    """
    raise typer.Exit(answer(_readable(file), matched))


@app.command("choose", rich_help_panel=TEXT)
def choose_command(
    file: Annotated[Path, typer.Argument(metavar="[FILE|-]", help="Questions, also gzipped; - is stdin.")] = Path("-"),
) -> None:
    """Which candidate is it? Lines of `{"query": {…}, "candidates": [{"id", …}]}` in, one answer each out, in order.

    Sides are those of `match`. Answers are `{"verdict", "id", "index", "score", "reasons"}`; the verdict is `chosen`,
    `unsure` (several may be it, or one only may) or `none`.
    """
    raise typer.Exit(answer(_readable(file), chosen))


def _readable(file: Path) -> str:
    if str(file) != "-" and not file.is_file():
        raise typer.BadParameter(f"there is no file {file}", param_hint="FILE")
    return str(file)


sources_app = typer.Typer(help="How each source stands; pause and resume them.", invoke_without_command=True)
app.add_typer(sources_app, name="sources", rich_help_panel=RUN)


@sources_app.callback()
def sources_command(
    context: typer.Context,
    data: Data = None,
    terms: Annotated[bool, typer.Option("--terms", help="What each operator asks of those who use its data.")] = False,
    json: AsJson = False,
) -> None:
    """How each source stands: address, budget, breaker, pause and its reason, work in flight and waiting, keys, terms.

    Of keys it says only whether they are set.
    """
    if context.invoked_subcommand is None:
        inspect.sources(data, json=json, terms=terms)


@sources_app.command("resume")
def resume_command(name: SourceName, data: Data = None) -> None:
    """End a source's pause or stop. What was put aside is taken up again."""
    inspect.resume(data, name)


@sources_app.command("pause")
def pause_command(
    name: SourceName,
    seconds: Annotated[
        float, typer.Argument(min=0.001, metavar="SECONDS", help="Above 86400 it is a stop, until somebody resumes it.")
    ],
    reason: Annotated[str, typer.Option(help="Shown with the source, and kept in the audit.")] = "paused by hand",
    data: Data = None,
) -> None:
    """No calls to a source for so many seconds, by the whole fleet. A pause is never shortened by another.

    Above a quarter of an hour its lookups are put aside, and nobody waits for them, until it ends.
    """
    inspect.pause(data, name, seconds, reason)


@sources_app.command("reset")
def reset_command(name: SourceName, data: Data = None) -> None:
    """Close a source's open breaker: one call goes first. A pause that the upstream asked for is none, and stays."""
    inspect.reset(data, name)


@app.command("simulate", rich_help_panel=TRY)
def simulate_command(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 takes a free one.")],
    catalogue: Annotated[
        Path | None, typer.Option(exists=True, help="What is known: tracks.jsonl[.gz]; else the one that ships.")
    ] = None,
    listens: Annotated[
        Path | None, typer.Option(exists=True, help="scrobbles.csv[.gz]: what is known has a record for each track.")
    ] = None,
    scenario: Annotated[Path | None, typer.Option(exists=True, help="Faults on demand, a JSON file.")] = None,
    log: Annotated[Path | None, typer.Option(help="A line for each request with its verdict, JSONL.")] = None,
    speed: Speed = 1.0,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="No limits and no shed load.")] = False,
) -> None:
    """Serve the upstreams on localhost, with their formats, limits and refusals, until Ctrl-C.

    A fleet at the same LINERNOTES_SPEED asks them with `LINERNOTES_UPSTREAM_URL=http://127.0.0.1:PORT`.
    """
    from simulator.server import serve  # noqa: PLC0415 - the other commands do without it, and start sooner

    try:
        serve(port, catalogue=catalogue, listens=listens, scenario=scenario, log=log, speed=speed, unlimited=unlimited)
    except ValueError as error:
        raise Failure(f"{scenario}: {error}") from error


@app.command(
    "bench", rich_help_panel=TRY, context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True}
)
def bench_command(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Without it: which there are.")] = None,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[--json] …", help="Its own options; `bench NAME --help` tells them.")
    ] = None,
) -> None:
    """Measure what was promised: figures, and checks on them.

    With `--json` one object: name, figures, checks, machine. Exit code 1 where a check does not hold.
    """
    raise typer.Exit(bench(name, arguments or []))


@app.command("stats", rich_help_panel=LOOK)
def stats_command(data: Data = None, json: AsJson = False) -> None:
    """Subjects by status, coverage of each field in percent, findings by source, open dead letters."""
    inspect.stats(data, json=json)


@app.command("queue", rich_help_panel=LOOK)
def queue_command(data: Data = None, json: AsJson = False) -> None:
    """Open lookups by source, lane and state, with the age of the oldest."""
    inspect.queue(data, json=json)


@app.command("estimate", rich_help_panel=HAND)
def estimate_command(
    tracks: Annotated[int, typer.Option(min=0, help="New tracks; without any count the backlog is estimated.")] = 0,
    performers: Annotated[int, typer.Option(min=0, help="New performers.")] = 0,
    albums: Annotated[int, typer.Option(min=0, help="New albums.")] = 0,
    priority: Annotated[int, typer.Option(min=1, max=10, help="At which they are asked for.")] = 3,
    keys: Annotated[
        str | None, typer.Option(metavar="KEYS", help="Names of keys by commas, all, or none; else those there are.")
    ] = None,
    cores: Annotated[int | None, typer.Option(min=1, help="For workers and servers; else this machine's.")] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """How long a backfill takes, by source and all in, what bounds it, and what it needs.

    From budgets, and from what the fleet's own last subjects have taken, or the measured ones that ship.

    Example: `linernotes estimate --tracks 200000 --keys all`
    """
    counts = {Kind.TRACK: tracks, Kind.PERFORMER: performers, Kind.ALBUM: albums}
    estimate(data, counts, priority=priority, keys=keys, cores=cores, json=json)


@app.command("doctor", rich_help_panel=RUN)
def doctor_command(data: Data = None, json: AsJson = False) -> None:
    """Is everything there that a fleet needs? Settings, servers, tables, clocks, workers, keys, ways to the upstreams.

    Says what to do about what is wrong, and ends with exit code 1 then. Changes nothing, and asks no upstream anything.
    """
    raise typer.Exit(doctor(data, json=json))


@app.command("migrate", rich_help_panel=RUN)
def migrate_command() -> None:
    """Bring the tables of LINERNOTES_DATABASE_URL up to date. Embedded databases are migrated by themselves."""
    url = settings_of().database_url
    if not url:
        raise Failure("LINERNOTES_DATABASE_URL is not set; embedded databases are migrated by themselves")
    migrate(url)


@app.command("serve", rich_help_panel=RUN)
def serve_command(
    host: Annotated[str, typer.Option(help="The address to listen at; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8020,
    data: Data = None,
) -> None:
    """Serve HTTP and the console until Ctrl-C. `up` does it too, with workers.

    Callers need a token: `linernotes tokens make`. The embedded fleet makes one for itself.
    """
    serve(data, host, port)


@app.command("cancel", rich_help_panel=HAND)
def cancel_command(
    batch: Annotated[UUID, typer.Argument(metavar="BATCH", help="Its id, as POST /enrich/batch answered.")],
    data: Data = None,
    json: AsJson = False,
) -> None:
    """End what is still open of a batch, as far as nobody else has asked for it."""
    cancel(data, batch, json=json)


app.add_typer(tokens.app, name="tokens", rich_help_panel=RUN)
app.add_typer(keys.app, name="keys", rich_help_panel=RUN)
app.add_typer(dlq.app, name="dlq", rich_help_panel=RUN)
app.add_typer(schedules.app, name="schedules", rich_help_panel=RUN)
app.add_typer(backfill.app, name="backfill", rich_help_panel=HAND)
app.command("ingest", rich_help_panel=WARE)(ingest_command)
app.add_typer(artists.app, name="artists", rich_help_panel=WARE)
app.add_typer(logs.app, name="log", rich_help_panel=RUN)
app.add_typer(cache.app, name="cache", rich_help_panel=RUN)
app.add_typer(audit.app, name="audit", rich_help_panel=RUN)

app.add_typer(importing.app, name="import", rich_help_panel=HAND)
app.add_typer(listens.app, name="listens", rich_help_panel=LOOK)
app.add_typer(listens.sync, name="sync", rich_help_panel=HAND)
app.add_typer(performers.app, name="performer", rich_help_panel=LOOK)
app.add_typer(albums.app, name="album", rich_help_panel=LOOK)
app.add_typer(duplicates.app, name="duplicates", rich_help_panel=DECIDE)
app.add_typer(train.app, name="train", rich_help_panel=RUN)
app.add_typer(reviews.app, name="reviews", rich_help_panel=DECIDE)
app.command("lock", rich_help_panel=DECIDE)(reviews.lock_command)
app.command("unlock", rich_help_panel=DECIDE)(reviews.unlock_command)

track_app = typer.Typer(help="One track: who said what.", no_args_is_help=True)
app.add_typer(track_app, name="track", rich_help_panel=LOOK)


@track_app.command("report")
def track_report_command(given: Id, data: Data = None, json: AsJson = False) -> None:
    """What is known of a track, who said so and when, and who was asked."""
    inspect.subject(data, Kind.TRACK, given, json=json)


@app.callback()
def common() -> None:
    """Logs go to stderr, for every command."""
    configure_logs(settings_of().log_format)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """The console script."""
    signal.signal(signal.SIGTERM, _interrupt)  # children are stopped in order then, as with Ctrl-C
    try:
        app()  # ends with SystemExit, wrong usage told and all
    except SystemExit as end:
        sys.exit(end.code if end.code in (None, 0, 1, 2) else 1)  # typer's 130 after Ctrl-C is none of ours
    except (Failure, *EXPECTED) as error:
        note(f"linernotes: {sentence(error)}")
    sys.exit(1)


if __name__ == "__main__":
    main()
