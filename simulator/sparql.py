"""Enough of SPARQL 1.1 to answer questions about a few known things (w3.org/TR/sparql11-query).

SELECT of variables or *, DISTINCT and LIMIT; triples with `;` and `,`, paths a/b, VALUES of one or several variables,
OPTIONAL, UNION, FILTER of LANG() or of a variable by = and IN, FILTER [NOT] EXISTS, BIND of a term or of COALESCE.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

_SPACE = re.compile(r"(?:\s+|#[^\n]*)*")
_TOKEN = re.compile(
    r"""(?P<token><[^<>\s]*>|"(?:[^"\\]|\\.)*"(?:@[\w-]+)?|'(?:[^'\\]|\\.)*'(?:@[\w-]+)?|[?$]\w+
    |[A-Za-z][\w-]*:[\w.-]*\w|[A-Za-z][\w-]*:|:\w+|\w+|[{}().;,/=*]|!=)""",
    re.VERBOSE,
)
_ESCAPES = {r"\"": '"', r"\'": "'", r"\\": "\\", r"\n": "\n", r"\t": "\t"}


class SyntaxProblem(ValueError):  # noqa: N818 - what WDQS calls MalformedQueryException
    """The query cannot be read; the message says where."""


class Term(NamedTuple):
    """An IRI ("uri"), a text ("literal") with its language, or a "bnode"."""

    type: str
    value: str
    language: str = ""


Row = dict[str, Term]
Node = str | Term
"""A variable's name, or what stands there."""
Match = Callable[[Term | None, Term | None, Term | None], Iterable[tuple[Term, Term, Term]]]
"""The triples that fit; None is anything."""
Pattern = Callable[[list[Row], Match], list[Row]]


@dataclass(frozen=True, slots=True)
class Query:
    """A query that was read: the variables it selects (none for *), what it does, the most rows that it gives."""

    variables: tuple[str, ...]
    pattern: Pattern
    limit: int | None
    distinct: bool

    def rows(self, match: Match) -> list[Row]:
        """The rows of the answer."""
        found = self.pattern([{}], match)
        if self.variables:
            found = [{name: row[name] for name in self.variables if name in row} for row in found]
        if self.distinct:
            found = list({tuple(sorted(row.items())): row for row in found}.values())
        return found[: self.limit]


def read(text: str, prefixes: dict[str, str]) -> Query:
    """The query of this text. Raises SyntaxProblem."""
    return _Reader(text, prefixes).query()


class _Reader:
    def __init__(self, text: str, prefixes: dict[str, str]) -> None:
        self._prefixes = dict(prefixes)
        self._tokens = list(_tokens(text))
        self._at = 0

    # -- tokens

    @property
    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, *expected: str) -> str:
        token = self._next
        if not token or (expected and token.upper() not in expected):
            raise SyntaxProblem(
                f"Encountered {token or '<EOF>'!r} at token {self._at}. Was expecting {expected or 'more'}"
            )
        self._at += 1
        return token

    def _skip(self, *tokens: str) -> bool:
        found = self._next.upper() in tokens
        self._at += found
        return found

    # -- the query

    def query(self) -> Query:
        while self._skip("PREFIX"):
            name = self._take().removesuffix(":")
            self._prefixes[name] = self._take()[1:-1]
        self._take("SELECT")
        distinct = self._skip("DISTINCT", "REDUCED")
        variables: list[str] = []
        while self._next.startswith(("?", "$")):
            variables.append(self._take()[1:])
        if not variables:
            self._take("*")
        self._skip("WHERE")
        pattern = self._group()
        limit = int(self._take()) if self._skip("LIMIT") else None
        if self._next:
            raise SyntaxProblem(f"Encountered {self._next!r} behind the query")
        return Query(tuple(variables), pattern, limit, distinct)

    def _group(self) -> Pattern:
        self._take("{")
        parts: list[Pattern] = []
        filters: list[Pattern] = []  # of the whole group, wherever they stand
        while not self._skip("}"):
            if self._skip("."):
                continue
            (filters if self._next.upper() == "FILTER" else parts).append(self._part())
        return _chain([*parts, *filters])

    def _part(self) -> Pattern:
        readers = {
            "VALUES": self._values,
            "OPTIONAL": self._optional,
            "FILTER": self._filter,
            "BIND": self._bind,
            "{": self._union,
        }
        reader = readers.get(self._next.upper(), self._triples)
        if reader not in (self._union, self._triples):
            self._take()
        return reader()

    def _union(self) -> Pattern:
        groups = [self._group()]
        while self._skip("UNION"):
            groups.append(self._group())
        return lambda rows, match: [row for group in groups for row in group(rows, match)]

    def _optional(self) -> Pattern:
        group = self._group()
        return lambda rows, match: [more for row in rows for more in (group([row], match) or [row])]

    def _values(self) -> Pattern:
        several = self._skip("(")
        names = [self._take()[1:]]
        while several and not self._skip(")"):
            names.append(self._take()[1:])
        self._take("{")
        table: list[Row] = []
        while not self._skip("}"):
            if several:
                self._take("(")
            terms = [self._node() for _ in names]
            if several:
                self._take(")")
            table.append({name: term for name, term in zip(names, terms, strict=True) if isinstance(term, Term)})
        return lambda rows, _match: [row | more for row in rows for more in table if _fits(row, more)]

    def _bind(self) -> Pattern:
        self._take("(")
        if self._skip("COALESCE"):
            self._take("(")
            sources = [self._node()]
            while self._skip(","):
                sources.append(self._node())
            self._take(")")
        else:
            sources = [self._node()]
        self._take("AS")
        name = self._take()[1:]
        self._take(")")

        def bind(rows: list[Row], _match: Match) -> list[Row]:
            known = ((row, next((term for term in (_value(row, s) for s in sources) if term), None)) for row in rows)
            return [row | {name: term} if term else row for row, term in known]

        return bind

    def _filter(self) -> Pattern:
        wanted = not self._skip("NOT")
        if self._skip("EXISTS"):
            group = self._group()
            return lambda rows, match: [row for row in rows if bool(group([row], match)) is wanted]
        self._take("(")
        of_language = self._skip("LANG")
        if of_language:
            self._take("(")
        name = self._take()[1:]
        if of_language:
            self._take(")")
        allowed = self._allowed()
        self._take(")")

        def compare(rows: list[Row], _match: Match) -> list[Row]:
            known = ((row, row[name]) for row in rows if name in row)
            return [row for row, term in known if (term.language if of_language else term.value) in allowed]

        return compare

    def _allowed(self) -> set[str]:
        if self._take("=", "IN") == "=":
            return {self._term().value}
        self._take("(")
        allowed = {self._term().value}
        while self._skip(","):
            allowed.add(self._term().value)
        self._take(")")
        return allowed

    # -- triples

    def _triples(self) -> Pattern:
        subject = self._node()
        parts = []
        while True:
            path = self._path()
            parts.append(_Path(subject, path, self._node()))
            while self._skip(","):
                parts.append(_Path(subject, path, self._node()))
            if not self._skip(";") or self._next in (".", "}"):
                return _chain(parts)

    def _path(self) -> list[Node]:
        steps = [self._node()]
        while self._skip("/"):
            steps.append(self._node())
        return steps

    def _term(self) -> Term:
        node = self._node()
        if isinstance(node, str):
            raise SyntaxProblem(f"a variable where a value was expected: ?{node}")
        return node

    def _node(self) -> Node:
        token = self._take()
        if token[0] in "?$":
            return token[1:]
        if token[0] == "<":
            return Term("uri", token[1:-1])
        if token[0] in "\"'":
            quoted, _, language = token.rpartition("@") if token[-1] not in "\"'" else (token, "", "")
            text = re.sub(r"\\.", lambda escape: _ESCAPES.get(escape[0], escape[0][1]), quoted[1:-1])
            return Term("literal", text, language)
        if token == "a":
            return Term("uri", "http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
        prefix, colon, name = token.partition(":")
        if not colon or prefix not in self._prefixes:
            raise SyntaxProblem(f"Encountered {token!r}: no term, and no prefix that is declared")
        return Term("uri", self._prefixes[prefix] + name)


@dataclass(frozen=True, slots=True)
class _Path:
    """A triple, or several in a row that meet in what has no name."""

    subject: Node
    steps: list[Node]
    object: Node

    def __call__(self, rows: list[Row], match: Match) -> list[Row]:
        return [found for row in rows for found in self._walk(row, self.subject, self.steps, match)]

    def _walk(self, row: Row, subject: Node, steps: list[Node], match: Match) -> Iterator[Row]:
        first, *rest = steps
        target: Node = self.object if not rest else f" {len(rest)}"
        nodes = (subject, first, target)
        for triple in match(*(_value(row, node) for node in nodes)):
            more = {node: term for node, term in zip(nodes, triple, strict=True) if isinstance(node, str)}
            if not _fits(row, more):
                continue
            if rest:
                yield from self._walk({**row, **more}, target, rest, match)
            else:
                yield {name: term for name, term in {**row, **more}.items() if not name.startswith(" ")}


def _value(row: Row, node: Node) -> Term | None:
    return row.get(node) if isinstance(node, str) else node


def _fits(row: Row, more: Row) -> bool:
    return all(row.get(name, term) == term for name, term in more.items())


def _chain(parts: list[Any]) -> Pattern:
    def chained(rows: list[Row], match: Match) -> list[Row]:
        for part in parts:
            rows = part(rows, match)
        return rows

    return chained


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while (at := _skip_space(text, at)) < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise SyntaxProblem(f"Lexical error at {text[at : at + 20]!r}")
        yield match["token"]
        at = match.end()


def _skip_space(text: str, at: int) -> int:
    """Where the next token begins, behind blanks and comments."""
    space = _SPACE.match(text, at)
    return space.end() if space else at
