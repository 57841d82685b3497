"""`linernotes train`: the fleet learns from its own answers."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Annotated

import typer

from cli.failure import Failure
from cli.fleet import opened
from cli.options import AsJson, Data
from cli.show import console, note, print_json, table
from enrichment.domain.predicting import Model
from enrichment.services.training import train_sources

RARE = 20
"""A feature of fewer subjects says nothing."""

app = typer.Typer(help="Learn from the fleet's own answers.", no_args_is_help=True)


@app.command("sources")
def sources_command(
    limit: Annotated[int, typer.Option(min=1, max=10_000_000, help="Of the newest answers so many.")] = 200_000,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure only; nothing is used.")] = False,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Learn which source knows a subject, and skip what is unlikely in low_priority, where that saves calls.

    What it would have saved and lost is measured on a third of the subjects, which is not learnt from. Needs
    scikit-learn (the extra `train`); workers do not.
    """
    if find_spec("sklearn") is None:
        raise Failure("scikit-learn is not installed; the extra `train` brings it: pip install 'linernotes[train]'")
    with opened(data, with_tables=True) as fleet:
        trained = train_sources(fleet.fleet, fit, limit, dry_run=dry_run)
    if json:
        print_json(trained)
        return
    columns = ("source", "question", ">answers", ">found", ">calls saved", ">coverage lost", "used")
    rows = [
        (
            each["source"],
            each["question"],
            each["answers"],
            each["found"],
            f"{each['calls_saved']:.1%}",
            f"{each['coverage_lost']:.1%}",
            "yes" if each["used"] and not dry_run else "it would pay" if each["used"] else "no",
        )
        for each in trained
    ]
    console().print(table("What the fleet has learnt of its sources", columns, rows))
    if not trained:
        note("no question has been answered often enough to learn from")


def fit(told: Sequence[frozenset[str]], found: Sequence[bool]) -> Model:
    """A logistic model."""
    from sklearn.feature_extraction.text import CountVectorizer  # noqa: PLC0415 - an extra, of this command alone
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    # Each subject is its features; those of few are left out.
    words = CountVectorizer(analyzer=list, min_df=RARE, binary=True)
    learnt = LogisticRegression(max_iter=500).fit(words.fit_transform(told), found)
    weights = zip(words.get_feature_names_out(), learnt.coef_[0], strict=True)
    return Model(float(learnt.intercept_[0]), {str(name): round(float(weight), 4) for name, weight in weights})
