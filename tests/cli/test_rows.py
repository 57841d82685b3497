"""Reading what producers hand in: good rows are taken, bad ones are told, each by itself."""

from __future__ import annotations

import gzip
import json

import pytest

from cli.failure import Failure
from cli.rows import Row, read_rows


def rows(data: bytes, name: str = "tracks.csv", priority: int = 3) -> list[Row]:
    return list(read_rows(data, name, priority=priority, force=False).rows)


def test_the_columns_of_a_csv_become_a_request() -> None:
    (row,) = rows(
        b"artist,title,album,isrc,duration_ms,id\nBj\xc3\xb6rk,J\xc3\xb3ga,Homogenic,GBAAA9700001,305000,42\n"
    )
    assert row.request is not None
    assert row.request.artist_name == "Björk"
    assert row.request.track_title == "Jóga"
    assert row.request.album_title == "Homogenic"
    assert row.request.existing_isrc == "GBAAA9700001"
    assert row.request.duration_ms == 305_000
    assert row.request.track_id == "42"
    assert row.request.priority == 3


@pytest.mark.parametrize(
    "header", ["artist_name,track_title", "Artist,Track", "artist , title", "artist;title", "artist\ttitle"]
)
def test_other_names_of_the_columns_are_known(header: str) -> None:
    separator = next((mark for mark in ";\t" if mark in header), ",")
    (row,) = rows(f"{header}\nQueen{separator}Innuendo\n".encode())
    assert row.request is not None
    assert (row.request.artist_name, row.request.track_title) == ("Queen", "Innuendo")


def test_columns_that_nobody_reads_are_named() -> None:
    table = read_rows(b"user,artist,title\nu1,Queen,Innuendo\n", "x.csv", priority=3, force=True)
    assert table.ignored == ("user",)
    assert table.rows[0].request is not None
    assert table.rows[0].request.force_refresh


def test_empty_fields_are_not_known_and_a_row_may_say_its_priority() -> None:
    (row,) = rows(b"artist,title,album,duration_ms,priority\nQueen,Innuendo,,,10\n")
    assert row.request is not None
    assert (row.request.album_title, row.request.duration_ms, row.request.priority) == (None, None, 10)


def test_byte_order_mark_crlf_blank_lines_and_line_breaks_in_quotes() -> None:
    first, second = rows(b'\xef\xbb\xbfartist,title\r\n\r\nQueen,"One\r\nTwo"\r\nQueen,Three\r\n')
    assert (first.track_title, first.line) == ("One\nTwo", 3)
    assert (second.track_title, second.line, second.number) == ("Three", 5, 2)


def test_gzip_and_jsonl() -> None:
    lines = [{"artist": "Queen", "title": "Innuendo", "duration_ms": 390_000}, {"artist": "Queen", "track": "Bijou"}]
    data = gzip.compress("\n".join(json.dumps(line) for line in lines).encode())
    assert [row.track_title for row in rows(data, "tracks.jsonl.gz")] == ["Innuendo", "Bijou"]


def test_a_file_that_is_empty_or_has_only_a_header_has_no_rows() -> None:
    assert rows(b"") == []
    assert rows(b"artist,title\n") == []


@pytest.mark.parametrize("data", [b"name,song\nQueen,Innuendo\n", b"Queen,Innuendo\n", b'"unclosed\nQueen,x\n'])
def test_a_header_that_names_nothing_we_know_is_told(data: bytes) -> None:
    with pytest.raises(Failure, match="first line must name the columns"):
        rows(data)


GOOD = b"Radiohead,Creep,\n"
BAD_CSV = {
    "too few fields": (b"Queen,Innuendo\n", "has 2 fields where the header has 3"),
    "too many fields": (b"Queen,Innuendo,1,2\n", "has 4 fields where the header has 3"),
    "a quote in the middle": (b'Queen,"Innu"endo,1\n', "is not valid CSV"),
    "an unclosed quote": (b'"Queen,Innuendo,1\n', "is not valid CSV"),
    "an empty artist": (b",Innuendo,1\n", "artist_name: is empty"),
    "a blank title": (b"Queen,  ,1\n", "track_title: is empty"),
    "no duration": (b"Queen,Innuendo,long\n", "duration_ms: Input should be a valid integer"),
    "a negative duration": (b"Queen,Innuendo,-5\n", "duration_ms: Input should be greater than 0"),
    "invalid UTF-8": (b"Queen\xff,Innuendo,1\n", "artist_name: is not valid UTF-8"),
    "a NUL byte": (b"Queen,Innu\x00endo,1\n", "track_title: Value error, contains a NUL byte"),
    "a title of 10 kB": (
        b"Queen," + b"x" * 10_000 + b",1\n",
        "track_title: String should have at most 1000 characters",
    ),
    "a field of 1 MB": (b"Queen," + b"x" * 1_000_000 + b",1\n", "is not valid CSV"),
}


@pytest.mark.parametrize(("bad", "told"), BAD_CSV.values(), ids=BAD_CSV)
def test_a_bad_row_is_told_and_the_others_go_on(bad: bytes, told: str) -> None:
    before, row, *after = rows(b"artist,title,duration_ms\n" + GOOD + bad + GOOD + GOOD)
    assert row.request is None
    assert told in row.errors[0]
    assert (row.number, row.line) == (2, 3)
    assert [each.request is not None for each in (before, *after)] == [True, True, True]
    assert json.dumps(row.errors).isascii()


BAD_JSON = {
    "no JSON": (b"{nope", "row: is not JSON"),
    "a list": (b"[1]", "row: is not a JSON object"),
    "a number for a name": (b'{"artist": {}, "title": "x"}', "artist_name: Input should be a valid string"),
    "a lone surrogate": (b'{"artist": "\\udce9", "title": "x"}', "artist_name: is not valid UTF-8"),
    "another surrogate": (b'{"artist": "\\ud800", "title": "x"}', "artist_name"),
    "an unknown priority": (b'{"artist": "a", "title": "x", "priority": 11}', "priority: Input should be less than"),
    "deep nesting": (b"[" * 100_000, "row: is not JSON"),
}


@pytest.mark.parametrize(("bad", "told"), BAD_JSON.values(), ids=BAD_JSON)
def test_a_bad_line_of_jsonl_is_told(bad: bytes, told: str) -> None:
    good = b'{"artist": "Queen", "title": "Innuendo"}'
    first, row, last = rows(b"\n".join((good, bad, good)), "tracks.jsonl")
    assert first.request is not None
    assert last.request is not None
    assert row.request is None
    assert told in row.errors[0]


def test_an_id_alone_is_enough() -> None:
    (row,) = rows(b"id\n4711\n")
    assert row.request is not None
    assert row.request.track_id == "4711"


def test_what_is_repeated_in_the_output_can_be_written() -> None:
    (row,) = rows(b"artist,title\nCaf\xff\x00,x\n")
    assert row.artist_name == "Caf��"
