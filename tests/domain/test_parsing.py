"""The grammar of lines: what each part says, that nothing raises, and that everything is quick."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.matching.parsing import judge, own_rows
from enrichment.domain.parsing import (
    RULES,
    Artist,
    clean_field,
    dictionary,
    is_unknown,
    is_well_known,
    kinds_of,
    looks_like_lineup,
    read,
    read_all,
    read_credit,
    read_label,
    read_line,
    read_lineup,
    split_names,
    split_video,
)
from tests.support import is_quick, seconds_of, slowness


@pytest.mark.parametrize("row", own_rows(), ids=lambda row: str(row["input"]))
def test_our_own_labelled_lines(row: dict[str, object]) -> None:
    judged = judge(row)
    assert judged is not None
    assert judged[0], (row["expected"], read(str(row["input"])).as_json())


@pytest.mark.parametrize(
    ("credit", "names"),
    [
        ("Simon & Garfunkel", ["Simon & Garfunkel"]),
        ("Above and Beyond", ["Above and Beyond"]),
        ("Dimitri Vegas & Like Mike & Ummet Ozcan", ["Dimitri Vegas & Like Mike", "Ummet Ozcan"]),
        ("Anyma & Rebūke", ["Anyma", "Rebūke"]),
        ("Zoe & The Unheard Ofs", ["Zoe & The Unheard Ofs"]),
        ("Love and Sorrow", ["Love and Sorrow"]),
        ("Alok, INNERVERSE, and FREY", ["Alok", "INNERVERSE", "FREY"]),
        ("Harry Connick, Jr.", ["Harry Connick, Jr."]),
        ("10,000 Somethings", ["10,000 Somethings"]),
        ("Allie X & Mitski", ["Allie X", "Mitski"]),
        ("Pig&Dan & Adam Beyer", ["Pig&Dan", "Adam Beyer"]),
        ("", []),
    ],
)
def test_names_are_cut_where_no_dictionary_knows_the_whole(credit: str, names: list[str]) -> None:
    assert split_names(credit) == names


def test_the_dictionary_handed_in_is_asked_before_a_name_is_cut() -> None:
    known = dictionary(["Airey & Trippier", "Nobody, Somebody & Co"])
    assert split_names("Airey & Trippier", known) == ["Airey & Trippier"]
    assert split_names("Airey & Trippier") == ["Airey", "Trippier"]
    assert split_names("AIREY AND TRIPPIER x Nobody, Somebody & Co", known) == [
        "AIREY AND TRIPPIER",
        "Nobody, Somebody & Co",
    ]
    assert known("above & beyond")
    assert is_well_known("The Chainsmokers")


def test_roles() -> None:
    assert read_credit("A feat. B & C vs. D pres. E") == (
        Artist("A"),
        Artist("B", "featured"),
        Artist("C", "featured"),
        Artist("D", "versus"),
        Artist("E", "presented_as"),
    )
    assert read_credit("Green Velvet (ft. Phoebe)") == (Artist("Green Velvet"), Artist("Phoebe", "featured"))


@pytest.mark.parametrize(
    ("version", "kinds"),
    [
        ("Extended Mix", ("extended",)),
        ("Andrea Parker Mix", ("remix",)),
        ("Club Mix", ("mix",)),
        ("Original Mix", ("original",)),
        ("2011 Remaster", ("remaster",)),
        ("Taylor's Version", ("rerecording",)),
        ("Mono / Remastered 2009", ("mono", "remaster")),
        ('12" Version', ("extended", "version")),
        ("Live at Wembley", ("live",)),
        ("Acapella", ("acappella",)),
        ("Deluxe Edition", ("edition",)),
        ("Sub", ()),
    ],
)
def test_kinds_of_version(version: str, kinds: tuple[str, ...]) -> None:
    assert kinds_of(version) == kinds


@pytest.mark.parametrize(
    ("line", "remixers"),
    [
        ("A - B (C Remix)", ["C"]),
        ("A - B (C & D Extended Remix)", ["C", "D"]),
        ("A - B (Remix by C)", ["C"]),
        ("A - B (Adam F's Deep Space Mix)", ["Adam F"]),
        ("Hardwell - B (Hardwell UMF 2016 Mashup)", ["Hardwell"]),
        ("A - B (Extended Remix)", []),
        ("A - B (2011 Remaster)", []),
        ("A - B (Taylor's Version)", []),
    ],
)
def test_remixers(line: str, remixers: list[str]) -> None:
    assert [artist.name for artist in read_line(line).artists if artist.role == "remixer"] == remixers


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Anjunabeats - ANJ-123", ("Anjunabeats", "ANJ-123")),
        ("F Communications - F104", ("F Communications", "F104")),
        ("DC110", ("", "DC110")),
        ("Drumcode", ("Drumcode", "")),
        ("STMPD / Sony", ("STMPD / Sony", "")),
    ],
)
def test_labels_and_catalogue_numbers(text: str, label: tuple[str, str]) -> None:
    assert read_label(text) == label


def test_three_forms_of_a_title() -> None:
    forms = read_line("Daft Punk – Da Funk (feat. X) [Chemical Brothers Remix] (Official Video)").as_json()["forms"]
    assert forms == {
        "raw": "Da Funk (feat. X) [Chemical Brothers Remix]",
        "search": "Da Funk Chemical Brothers Remix",
        "key": "da funk | chemical brothers remix",
    }


def test_nobody_looks_up_what_nobody_knows() -> None:
    line = read_line("ID - ID (Bicep Remix)")
    assert line.unknown
    assert line.search == line.key == ""
    assert "forms" not in line.as_json()
    assert not is_unknown("Identity")
    assert not read_line("Massive Attack - Unknown Pleasures").unknown


def test_what_a_line_does_not_say_is_absent() -> None:
    assert set(read_line("Bicep - Glue").as_json()) == {
        *("kind", "artists", "credit", "title", "full_title", "unknown", "forms", "raw")
    }
    assert None not in read_line("").as_json().values()


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("Track Title - Remastered 2015", "Track Title"),
        ("Track Title - Live", "Track Title"),
        ("Track Title (Official Video)", "Track Title"),
        ("Track Title | Some Channel", "Track Title"),
        ("Track Title HQ", "Track Title"),
    ],
)
def test_a_title_alone_has_no_artist(line: str, title: str) -> None:
    found = read(line)
    assert (found.kind, found.title, found.artists) == ("title", title, ())


def test_a_numbered_line_has_an_artist_whatever_its_title() -> None:
    assert [artist.name for artist in read_line("05 - Leftfield - Original").artists] == ["Leftfield"]


def test_line_ups_are_told_from_tracks() -> None:
    assert looks_like_lineup("Ben Klock, Marcel Dettmann (live), Answer Code Request, tba")
    assert looks_like_lineup("Palomeque b2b Tigran")
    assert not looks_like_lineup("A$AP Mob, A, B, C, D - RAF (feat. A, B, C, D)")
    assert not looks_like_lineup("KAAZE vs. G-Eazy & Bebe Rexha - Milk, Myself And I (Hardwell In The House Edit)")


def test_a_bare_name_is_what_the_lines_before_were() -> None:
    bare = "Robot Girl"
    assert [line.kind for line in read_all(["A - B", bare])] == ["track", "title"]
    assert [line.kind for line in read_all(["A b2b B", bare])] == ["lineup", "lineup"]
    assert next(read_all(["The Chainsmokers"])).kind == "lineup"


def test_stages_and_acts_of_a_line_up() -> None:
    line = read_lineup("Berghain:, Kobosil, , Säule: , Erika (live), Steve Bicknell aka Lost")
    assert [(stage.name, stage.artists) for stage in line.stages] == [("Berghain", 1), ("Säule", 2)]
    assert line.artists[1:] == (Artist("Erika", act="live"), Artist("Steve Bicknell", aka="Lost"))


def test_a_line_up_without_names_is_unknown() -> None:
    assert read_lineup("Berghain:, line up tba, , Panorama Bar:, line up tba").unknown
    assert read_lineup(".").unknown


def test_a_video_tells_artist_and_title() -> None:
    assert split_video("Low Roar - Give Up (Official Video).mov") == ("Low Roar", "Give Up")
    assert split_video("GOT7 “Fly” M/V") == ("GOT7", "Fly")
    assert split_video("Title", artist="Artist") == ("Artist", "Title")
    assert split_video("Artist", title="Title") == ("Artist", "Title")


def test_a_field_is_cleaned_by_the_rule_alone() -> None:
    assert clean_field("remove-live", "Song (Live) [Remastered]") == "Song [Remastered]"
    assert clean_field("remove-remastered", "Song - Live / Remastered") == "Song - Live"
    assert clean_field("fix-track-suffix", "Song - A-Trak Remix") == "Song (A-Trak Remix)"
    assert clean_field("remove-feature", "Draft Left Gift") == "Draft Left Gift"
    with pytest.raises(KeyError):
        clean_field("no-such-rule", "x")


SNIPPETS = [
    *(
        "(",
        "[",
        ")",
        "]",
        "{",
        " - ",
        "-",
        "  ",
        "\u00a0",
        ", ",
        "feat. ",
        "vs. ",
        " & ",
        " x ",
        " b2b ",
        "ID",
        "?",
        "tba",
    ),
    *("[12:33]", "01. ", "0", "'", '"', "*", "|", "/", "Remix", "Remaster 2009", "live", "Official Video", "edition"),
    *(
        '12"',
        "_",
        "_-_",
        ".mp3",
        "...",
        "@",
        "The ",
        " of the week: ",
        "Berghain:",
        "強",
        "ｆ",
        "\u200b",
        "\u202e",
        "&amp;",
    ),
    *("\n", "\x00", "aka ", "pres. ", "w/ ", "+", "Records", "[Label - CAT001]", "A", "\ud800", "'s", "é"),
]
LINES = st.one_of(
    st.text(max_size=300),
    st.lists(st.sampled_from(SNIPPETS), max_size=200).map("".join),
    st.tuples(st.lists(st.sampled_from(SNIPPETS), min_size=1, max_size=3).map("".join), st.integers(1, 3000)).map(
        lambda repeated: (repeated[0] * repeated[1])[:10_000]
    ),
)
READERS: list[Callable[[str], object]] = [
    lambda text: json.dumps(read(text).as_json()),
    read_line,
    read_lineup,
    split_video,
    *(lambda text, rule=rule: clean_field(rule, text) for rule in RULES),  # type: ignore[misc]
]


@settings(max_examples=150, deadline=None)
@given(LINES)
def test_no_text_raises_or_takes_more_than_ten_milliseconds(text: str) -> None:
    is_well_known(text)  # the dictionary is read once, before the first line
    for reader in READERS:
        assert is_quick(lambda _, reader=reader: reader(text)), text


def test_five_thousand_lines_a_second() -> None:
    lines = [str(row["input"]) for row in own_rows()] * 25

    def work() -> None:
        for line in read_all(lines):
            line.as_json()

    assert max(slowness() * len(lines) / seconds_of(work) for _ in range(5)) >= 5_000
