"""The world: the same in each run, as large as asked for, known to each source in its share."""

from __future__ import annotations

import csv
import gzip
import io
import re
from itertools import islice
from pathlib import Path

import pytest

from simulator import catalogue, dice, names, shares
from simulator.truth import World, read_date
from simulator.upstreams import Part, Shelf, metabrainz


def facts(world: World) -> list[tuple[object, ...]]:
    tracks = [
        (
            t.recording.key,
            t.recording.mbid,
            t.isrc,
            t.spotify_id,
            t.deezer_id,
            t.tempo,
            t.key,
            t.album.mbid,
            t.album.barcode,
        )
        for t in world.tracks
    ]
    people = [(p.key, p.mbid, p.country, p.genres, p.discogs_id, p.deezer_id) for p in world.performers.values()]
    return [*tracks, *people]


def test_it_is_the_same_in_each_run(world: World) -> None:
    assert facts(World.build()) == facts(world)


def test_invented_facts_have_valid_shapes(world: World) -> None:
    for track in world.tracks:
        assert re.fullmatch(r"[A-Z]{2}[A-Z0-9]{3}\d{7}", track.isrc.upper()), track.isrc
        assert re.fullmatch(r"[0-9A-Za-z]{22}", track.spotify_id)
        assert 0 <= track.key <= 11
    for album in world.albums.values():
        digits = [int(digit) for digit in album.barcode.rjust(13, "0")]
        assert (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10 == 0
    ids = [thing.mbid for kind in (world.performers, world.recordings, world.albums) for thing in kind.values()]
    assert len(set(ids)) == len(ids)
    assert len({track.deezer_id for track in world.tracks}) == len(world.tracks)


def test_real_facts_stand(world: World) -> None:
    for row in islice(catalogue.load(), 100):
        track = next(track for track in world.tracks if track.spotify_id == row["spotify_id"])
        assert track.duration_ms == row["duration_ms"]
        assert row.get("isrc", track.isrc) == track.isrc
        assert row.get("tempo", track.tempo) == track.tempo


def test_the_small_catalogue_is_large_and_mixed_enough() -> None:
    rows = list(catalogue.load())
    assert len(rows) >= 420
    assert len({name for row in rows for name in row["artists"]}) >= 160
    assert len({(row["artists"][0], row["album"]) for row in rows}) >= 110
    assert len({genre for row in rows for genre in row.get("genres", ())}) >= 100
    text = "".join(row["title"] + "".join(row["artists"]) for row in rows)
    for script in ("[а-я]", "[ぁ-ん]", "[ァ-ン]", "[一-龥]", "[가-힣]", "[א-ת]", "[à-ÿ]"):
        assert re.search(script, text), script
    assert catalogue.SMALL.stat().st_size < 500_000
    requests = catalogue.small_requests()
    assert len(requests) == len(rows)
    assert all(request.keys() <= {"artist", "title", "album", "duration_ms"} for request in requests)


@pytest.mark.parametrize(
    ("raw", "clean", "featured"),
    [
        ("Run to the Hills - 2015 Remaster", "Run to the Hills", ()),
        ("Five Years - 2012 Remaster", "Five Years", ()),
        ("Asia (2007 - Remaster;)", "Asia", ()),
        ("Pharaohs (feat. Abnormal Sleepz)", "Pharaohs", ("Abnormal Sleepz",)),
        ("Cuckoo feat. Lisa D (passive-aggressive mix)", "Cuckoo (passive-aggressive mix)", ("Lisa D",)),
        ("Blow (with Drake & Offset)", "Blow", ("Drake", "Offset")),
        ("Dancing (With you)", "Dancing (With you)", ()),
        ("Blow (Feat. Drake & Offset)", "Blow", ("Drake", "Offset")),
        ("Useles (Kruder & Dorfmeister remix)", "Useles (Kruder & Dorfmeister remix)", ()),
        ("Dead Eyes See No Future - Live at Wacken 2016", "Dead Eyes See No Future (Live at Wacken 2016)", ()),
        ("About a Girl [Live]", "About a Girl (Live)", ()),
        ("Rising [Fokuz]", "Rising", ()),
        ("Somnium (Original Mix)", "Somnium", ()),
        ("Revolution (Album Version)", "Revolution", ()),
        ("How Deep Is The Ocean (How High Is The Sky)", "How Deep Is The Ocean (How High Is The Sky)", ()),
        ("(S1 Score) Truce", "(S1 Score) Truce", ()),
        ("[untitled]", "[untitled]", ()),
        ("Live", "Live", ()),
        ("Лето (Live)", "Лето (Live)", ()),
    ],
)  # fmt: skip
def test_titles_lose_their_decoration_and_keep_their_version(raw: str, clean: str, featured: tuple[str, ...]) -> None:
    title = names.read_title(raw)
    assert title.clean == clean
    assert title.featured == featured


@pytest.mark.parametrize(
    ("text", "date"), [("9/5/2025", "2025-09-05"), ("2004", "2004"), ("1990-03", "1990-03"), (None, "")]
)
def test_dates_are_read(text: str | None, date: str) -> None:
    assert read_date(text) == date


def assert_shares(world: World) -> None:
    shelf = Shelf(world)
    originals = [recording for recording in world.recordings.values() if not recording.sibling]
    for source in ("musicbrainz", "deezer", "spotify"):
        part = Part(source, shelf)
        known = sum(part.has(recording) for recording in originals) / len(originals)
        assert known == pytest.approx(shares.SHARES[source, "recording"], abs=0.03), source
        wrong = sum(part.isrc(r.tracks[0]) != r.tracks[0].isrc for r in originals) / len(originals)
        assert wrong == pytest.approx(0.01, abs=0.012), source
    part = Part("listenbrainz", shelf)
    brainz = [recording for recording in originals if part.has(recording)]
    with_isrc = sum(bool(metabrainz.isrcs(part, recording)) for recording in brainz) / len(brainz)
    assert with_isrc == pytest.approx(0.70, abs=0.035)
    covers = sum(shares.knows("coverartarchive", "release", key) for key in world.albums) / len(world.albums)
    assert covers == pytest.approx(0.75, abs=0.03)
    bpm = sum(shares.knows("deezer", "bpm", track.deezer_id) for track in world.tracks) / len(world.tracks)
    assert bpm == pytest.approx(0.75, abs=0.03)


def test_each_source_knows_its_share_of_the_small_catalogue(world: World) -> None:
    assert_shares(world)


def test_each_source_knows_its_share_of_the_big_catalogue(data: Path) -> None:
    assert_shares(World.build(data / "catalogue" / "tracks.jsonl.gz"))


def test_listens_have_a_clean_original_but_for_some(data: Path, tmp_path: Path) -> None:
    log = data / "workload" / "scrobbles.csv.gz"
    some = tmp_path / "some.csv"
    with gzip.open(log, "rt", encoding="utf-8") as lines:
        some.write_text("".join(islice(lines, 12_000)), "utf-8")
    world = World.build(listens=some)
    keys = set()
    with io.StringIO(some.read_text("utf-8")) as text:
        for row in csv.DictReader(text):
            title = names.read_title(row["track"])
            artist = names.squash(names.read_artist(row["artist"])[0])
            keys.add(f"{artist}|{names.squash(title.base)}|{names.squash(title.version) if title.version else ''}")
    missing = {key for key in keys if key not in world.recordings}
    assert missing == world.nowhere & keys
    assert len(missing) / len(keys) == pytest.approx(0.05, abs=0.01)


def test_searches_can_be_fooled(world: World) -> None:
    kinds = {recording.sibling for recording in world.recordings.values()}
    assert kinds == {"", "live", "remix", "karaoke", "cover", "namesake"}
    part = Part("deezer", Shelf(world))
    sibling = next(r for r in world.recordings.values() if r.sibling == "karaoke" and part.has(r))
    original = next(r for r in world.recordings.values() if sibling.title.startswith(f"{r.title} (Karaoke"))
    found = part.find_recordings(names.tokens(original.title), ("title",), 10)
    assert sibling in found


def test_chance_is_even() -> None:
    falls = [dice.share("evenness", n) for n in range(10_000)]
    assert sum(falls) / len(falls) == pytest.approx(0.5, abs=0.02)
