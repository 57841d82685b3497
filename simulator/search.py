"""Full-text search over the world: an inverted index by field, and the ranking of a plain query."""

from __future__ import annotations

import heapq
import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

Documents = Sequence[Sequence[str]]

COMMON = 3000
"""Words on more documents than this are only looked at where a query has no rarer one: it keeps a search under 1 ms."""


class Index:
    """Documents of several fields. A document is known by its number, the position in the lists it was made from."""

    def __init__(self, fields: dict[str, Documents]) -> None:
        self.fields = fields
        self.size = len(next(iter(fields.values())))
        self._postings: dict[str, dict[str, array[int]]] = {}
        for name, documents in fields.items():
            postings: dict[str, array[int]] = {}
            for number, words in enumerate(documents):
                for word in set(words):
                    found = postings.get(word)
                    if found is None:
                        postings[word] = array("I", (number,))
                    else:
                        found.append(number)
            self._postings[name] = postings

    def having(self, word: str, field: str) -> Sequence[int]:
        """The documents with this word in this field, in order."""
        return self._postings[field].get(word, ())

    def weight(self, word: str, fields: Iterable[str]) -> float:
        """How telling the word is: the rarer, the more."""
        count = sum(len(self.having(word, field)) for field in fields)
        return math.log(1 + self.size / (1 + count))

    def rank(
        self,
        words: Sequence[str],
        fields: Sequence[str],
        limit: int,
        *,
        allowed: Callable[[int], bool],
        least: float = 0.5,
        prefer: Callable[[int], float] = lambda _: 0.0,
    ) -> list[tuple[int, float]]:
        """The best documents for the words in any of the fields, with their scores from 0 to about 1, best first.

        least: the weighted share of the query's words that a document must have. prefer: a little extra, 0 to 1.
        """
        wanted = {word: self.weight(word, fields) for word in words}
        total = sum(wanted.values())
        if not total:
            return []
        scored = []
        for number in self._candidates(wanted, fields, max(4 * limit, 60)):
            if not allowed(number):
                continue
            present: set[str] = set()
            length = 0
            for field in fields:
                document = self.fields[field][number]
                length += len(document)
                present.update(document)
            had = [word for word in wanted if word in present]
            recall = sum(wanted[word] for word in had) / total
            if recall >= least:
                score = 0.75 * recall + 0.22 * len(had) / max(1, length) + 0.03 * prefer(number)
                scored.append((number, score))
        return heapq.nsmallest(limit, scored, key=lambda hit: (-hit[1], hit[0]))

    def _candidates(self, wanted: dict[str, float], fields: Sequence[str], limit: int) -> list[int]:
        postings = [self.having(word, field) for word in wanted for field in fields]
        postings = sorted((found for found in postings if found), key=len)
        rare = [found for found in postings if len(found) <= COMMON] or [found[:COMMON] for found in postings[:1]]
        counts: Counter[int] = Counter()
        for found in rare:
            counts.update(found)
        # Cut by how many words a document has, then by order: what is left out has fewer words than all that stay.
        return heapq.nsmallest(limit, counts, key=lambda number: (-counts[number], number))
