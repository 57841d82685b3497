"""Some lookups kill the worker that asks them: Deezer falls over their titles, and takes the whole process along."""

import os
from collections.abc import Sequence
from typing import Any

from bench.chaos.broken import POISON
from enrichment.bootstrap import make_sources
from enrichment.domain.outcomes import Answer
from enrichment.domain.questions import Question
from enrichment.sources.base import Ask
from enrichment.sources.deezer import Deezer
from workers import process
from workers.app import app


class Deadly(Deezer):
    """Deezer, but for some titles."""

    def ask(self, question: Question, asks: Sequence[Ask], client: Any) -> Sequence[Answer]:
        """Does not return where one of them is poison."""
        if any(POISON in str(ask.keys.get("title", "")).lower() for ask in asks):
            os._exit(139)
        return super().ask(question, asks, client)


sources = make_sources(process.settings())
process.parts.sources = sources | {Deadly.name: Deadly(sources[Deadly.name].options)}

__all__ = ["app"]
