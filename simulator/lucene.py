"""The part of Lucene's query language that MusicBrainz' callers use, evaluated over an index.

field:term, field:"phrase", field:(a OR b), AND, OR, NOT, + and -, [a TO b], escapes; boosts and fuzziness are ignored.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from simulator import names
from simulator.search import COMMON, Index

Scores = dict[int, float]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<phrase>"(?:\\.|[^"\\])*"?)
      | (?P<range>[\[{][^\]}]*[\]}])
      | (?P<open>\() | (?P<close>\))
      | (?P<field>\w+):(?=\S)
      | (?P<sign>[+\-!])(?=[^\s])
      | (?P<word>(?:\\.|[^\s()\[\]{}":\\]|:)+)
      | (?P<other>.)
    )(?:[~^][\d.]*)?""",
    re.VERBOSE | re.DOTALL,
)
_OPERATORS = {"AND": "AND", "&&": "AND", "OR": "OR", "||": "OR", "NOT": "NOT"}


@dataclass(slots=True)
class Term:
    """Words in a field; "" is the default field."""

    field: str
    text: str
    phrase: bool = False


@dataclass(slots=True)
class Range:
    """A field between two bounds."""

    field: str
    text: str


@dataclass(slots=True)
class Group:
    """Clauses, each optional (""), required ("+") or forbidden ("-")."""

    clauses: list[tuple[str, Node]] = field(default_factory=list)


Node = Term | Range | Group


def parse(query: str) -> Group:
    """The query's tree. Reads anything: what is not understood is left out."""
    tokens = [
        (match.lastgroup or "", match.group(match.lastgroup or 0))
        for match in _TOKEN.finditer(query)
        if match.lastgroup
    ]
    return _Parser(tokens).group("")


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    def group(self, name: str) -> Group:
        group, sign, joined = Group(), "", False
        while self._at < len(self._tokens):
            kind, text = self._tokens[self._at]
            self._at += 1
            if kind == "close":
                break
            if kind == "sign":
                sign = "-" if text in "-!" else "+"
            elif kind == "word" and text in _OPERATORS:
                joined, sign = self._operator(_OPERATORS[text], group, sign, joined)
            elif (node := self._node(kind, text, name)) is not None:
                group.clauses.append((sign or ("+" if joined else ""), node))
                sign, joined = "", False
        return group

    @staticmethod
    def _operator(operator: str, group: Group, sign: str, joined: bool) -> tuple[bool, str]:
        if operator == "NOT":
            return joined, "-"
        if operator == "AND" and group.clauses:
            before, node = group.clauses[-1]
            group.clauses[-1] = (before or "+", node)
            return True, sign
        return False, sign

    def _node(self, kind: str, text: str, name: str) -> Node | None:
        if kind == "field":
            if self._at >= len(self._tokens):
                return None
            kind_after, text_after = self._tokens[self._at]
            self._at += 1
            return self._node(kind_after, text_after, text.lower())
        if kind == "open":
            return self.group(name)
        if kind == "range":
            return Range(name, text[1:-1])
        if kind in ("phrase", "word"):
            plain = re.sub(r"\\(.)", r"\1", text.strip('"') if kind == "phrase" else text)
            return Term(name, plain, kind == "phrase")
        return None


@dataclass(slots=True)
class Searcher:
    """Evaluates queries over one index.

    fields: the index' fields that a query's field means, "" being the default. exact: fields that name documents by a
    value, as ids do. ranges: fields that a range can be over, each with the number of a document. norm: the length that
    a document's field counts with.
    """

    index: Index
    fields: Mapping[str, tuple[str, ...]]
    exact: Mapping[str, Callable[[str], list[int]]]
    ranges: Mapping[str, Callable[[int], float]] = field(default_factory=dict)

    def search(self, query: str) -> Scores:
        """The documents that the query finds, with a score each."""
        return self._group(parse(query))

    def _node(self, node: Node) -> Scores:
        if isinstance(node, Group):
            return self._group(node)
        if isinstance(node, Range):
            return (
                {n: 1.0 for n in range(self.index.size) if self._within(node, n)} if node.field in self.ranges else {}
            )
        if node.field in self.exact:
            return dict.fromkeys(self.exact[node.field](node.text), 10.0)
        if node.field in self.ranges:
            return self._node(Range(node.field, f"{node.text} TO {node.text}"))
        return self._words(names.tokens(node.text), self.fields.get(node.field, ()), all_of_them=node.phrase)

    def _group(self, group: Group) -> Scores:
        required = [node for sign, node in group.clauses if sign == "+"]
        optional = [node for sign, node in group.clauses if sign == ""]
        forbidden = [node for sign, node in group.clauses if sign == "-"]
        filters = [node for node in required if isinstance(node, Range)]
        required = [node for node in required if not isinstance(node, Range)]
        scores: Scores | None = None
        for found in self._together(required, all_of_them=True):
            scores = found if scores is None else {n: scores[n] + s for n, s in found.items() if n in scores}
        for found in self._together(optional, all_of_them=False):
            if scores is None:
                scores = {}
            for n, s in found.items():
                if not required or n in scores:
                    scores[n] = scores.get(n, 0.0) + s
        if scores is None:
            scores = self._node(filters.pop()) if filters else {}
        for bounds in filters:
            scores = {n: s for n, s in scores.items() if self._within(bounds, n)}
        for node in forbidden:
            for n in self._node(node):
                scores.pop(n, None)
        return scores

    def _together(self, nodes: list[Node], *, all_of_them: bool) -> list[Scores]:
        """Bare words of one field are looked up together, so that a common one needs no list of its own."""
        together: dict[str, list[str]] = {}
        results = []
        for node in nodes:
            if isinstance(node, Term) and not node.phrase and node.field in self.fields:
                together.setdefault(node.field, []).extend(names.tokens(node.text))
            else:
                results.append(self._node(node))
        for name, words in together.items():
            results.append(self._words(words, self.fields[name], all_of_them=all_of_them))
        return results

    def _words(self, words: list[str], fields: tuple[str, ...], *, all_of_them: bool) -> Scores:
        if not words or not fields:
            return {}
        lists = sorted(
            (sum(len(self.index.having(word, name)) for name in fields), word) for word in dict.fromkeys(words)
        )
        scores: Scores = {}
        for position, (count, word) in enumerate(lists):
            weight = self.index.weight(word, fields)
            if position and (all_of_them or count > COMMON):
                for n in list(scores):
                    gain = max(
                        (self._norm(n, name) for name in fields if word in self.index.fields[name][n]), default=0.0
                    )
                    if gain:
                        scores[n] += weight * gain
                    elif all_of_them:
                        del scores[n]
            else:
                for name in fields:
                    for n in self.index.having(word, name):
                        scores[n] = scores.get(n, 0.0) + weight * self._norm(n, name)
        return scores

    def _norm(self, number: int, name: str) -> float:
        return 1 / math.sqrt(len(self.index.fields[name][number]) or 1)

    def _within(self, node: Range, number: int) -> bool:
        value = self.ranges.get(node.field)
        if value is None:
            return True
        low, _, high = node.text.partition(" TO ")
        return _bound(low, -math.inf) <= value(number) <= _bound(high, math.inf)


def _bound(text: str, default: float) -> float:
    try:
        return float(text.strip())
    except ValueError:
        return default
