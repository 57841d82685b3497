"""`linernotes tokens`: access tokens of the service are made, listed and revoked."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.failure import Failure
from cli.fleet import opened
from cli.operator import asked_for, who
from cli.options import AsJson, Data
from cli.show import console, note, print_json, table
from enrichment.services import sessions, tokens
from enrichment.services.audit import audited
from enrichment.services.tokens import Scope

app = typer.Typer(help="Access tokens of the HTTP service.", no_args_is_help=True)


@app.command("make")
def make_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is; the audit shows it.")],
    *,
    scopes: Annotated[
        list[Scope] | None, typer.Option("--scope", help="What it may do; may be given several times. [submit, read]")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=36_500, help="Until it expires; else never.")] = None,
    user: Annotated[str | None, typer.Option(help="Whose listens it opens, and nobody else's.")] = None,
    password: Annotated[
        bool,
        typer.Option("--password", help="With its name, a password read from stdin or asked for opens the console."),
    ] = False,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Make a token and print it. It is not kept, so it cannot be shown again."""
    given = scopes or [Scope.SUBMIT, Scope.READ]
    chosen = asked_for("password") if password else None
    if chosen is not None:
        sessions.check_password(chosen)
    with opened(data, with_tables=True) as fleet, audited(fleet.fleet, who(), "make token", name, scopes=given):
        made = tokens.make(fleet.fleet, name, given, days, user)
        if chosen is not None:
            sessions.set_password(fleet.fleet, made.number, chosen)
    if json:
        print_json({"id": made.number, "name": name, "scopes": given, "token": made.secret})
        return
    note(f"token {made.number} ({name}) may {', '.join(given)}; it is shown this once:")
    typer.echo(made.secret)


@app.command("list")
def list_command(data: Data = None, json: AsJson = False) -> None:
    """Every token, with its last four characters."""
    with opened(data, with_tables=True) as fleet:
        found = tokens.listed(fleet.fleet)
    if json:
        print_json(found)
        return
    rows = [
        (each["id"], each["name"], f"…{each['ending']}", ", ".join(each["scopes"]), each["created_at"], _state(each))
        for each in found
    ]
    console().print(table("Access tokens", (">id", "name", "ends in", "scopes", "made", "state"), rows))


def _state(token: dict[str, object]) -> str:
    if token["valid"]:
        return f"until {token['expires_at']}" if token["expires_at"] else "valid"
    return "revoked" if token["revoked_at"] else "expired"


@app.command("revoke")
def revoke_command(
    given: Annotated[str, typer.Argument(metavar="ID|NAME", help="As `tokens list` shows it.")], data: Data = None
) -> None:
    """Let a token open nothing any more, anywhere, within two seconds."""
    with opened(data, with_tables=True) as fleet, audited(fleet.fleet, who(), "revoke token", given):
        revoked = tokens.revoke(fleet.fleet, given)
        if not revoked:
            raise Failure(f"no valid token has the number or the name {given!r}; `linernotes tokens list` shows them")
    note(f"revoked: {', '.join(str(number) for number in revoked)}")
