"""Files of listens, as others export them."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from datetime import UTC, datetime

import pytest

from cli.failure import Failure
from cli.listens import read_listens
from enrichment.services.listen_shapes import read_listen

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GHAN = (
    "uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid\n"
    '1700000000,"14 Nov 2023, 22:13",Air,,"Moon, Safari",,La femme,\n'
)
BARE = 'Air,"Moon, Safari",La femme,14 Nov 2023 22:13\n'
STATS = 'Artist;Album;AlbumId;Track;Date#ann\n"Air";"Moon, Safari";"";"La femme";"1700000000000"\n'
LISTEN = {
    "listened_at": 1_700_000_000,
    "track_metadata": {"artist_name": "Air", "track_name": "La femme", "release_name": "Moon, Safari"},
}


def exported() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("user.json", '{"username": "ann"}')
        archive.writestr("listens/2023/11.jsonl", json.dumps(LISTEN) + "\n")
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        GHAN.encode(),
        b"\xef\xbb\xbf" + GHAN.replace("\n", "\r\n").encode(),
        gzip.compress(GHAN.encode()),
        BARE.encode(),
        STATS.encode(),
        json.dumps(LISTEN).encode(),
        f"{json.dumps(LISTEN)}\n\n".encode(),
        json.dumps([{"track": [LISTEN]}]).encode(),
        exported(),
    ],
)
def test_all_hold_the_same_listen(content: bytes) -> None:
    ((_, given),) = read_listens(content, "export")
    read = read_listen(given, NOW)
    assert read is not None
    assert (read.artist_name, read.album_name, read.track_name) == ("Air", "Moon, Safari", "La femme")
    assert read.listened_at.replace(second=0) == datetime(2023, 11, 14, 22, 13, tzinfo=UTC)


def test_bad_lines_are_themselves() -> None:
    lines = f'{GHAN}1,2\n1,2,"Air,,B,,T,\n1,2,\xff,,B,,T,\n'.encode("latin-1")
    found = list(read_listens(lines, "f"))
    assert [line for line, _ in found] == [2, 3, 4, 5]
    assert [said if isinstance(said, str) else "" for _, said in found[1:]] == [
        "has 2 fields where the header has 8; quote fields that hold the separator",
        found[2][1],
        "is not valid UTF-8; save the file as UTF-8",
    ]
    assert "is not valid CSV" in found[2][1]
    assert [said for _, said in read_listens(b'{"a": 1}\n{"a"\n', "f")][1].startswith("is not JSON")


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"a,b,c\n1,2,3\n", "the first line must name the columns"),
        (b"[1, 2", "begins as a JSON list"),
        (b"PK\x03\x04nonsense", "cannot be unpacked"),
        (b"\x1f\x8bnonsense", "cannot be unpacked"),
    ],
)
def test_what_is_no_export(content: bytes, wrong: str) -> None:
    with pytest.raises(Failure, match=wrong):
        list(read_listens(content, "f"))
