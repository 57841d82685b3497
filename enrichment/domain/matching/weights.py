"""What each piece of evidence weighs, and why: the one table behind `match` and `choose`.

Weights are points of ten to the decade: ten more make the odds that two sides are the same ten times better, three
double them. Points add up, and none can lift a match above the lowest `most` of its evidence: that is how a veto, or
an honest doubt, stays one whatever speaks for it. The figures come from the labelled data (`docs/matching.md`).
"""

from __future__ import annotations

from dataclasses import dataclass

SAME = 0.85
"""Score from which a match is the same recording: 7.5 points."""
UNSURE = 0.60
"""Score below which it is another one: 1.8 points."""
FLOOR = 0.60
"""Artist or title similarity below which no other evidence is looked at."""

TELL = 0.80
"""The most a match can reach that more evidence, or a person, has to decide."""
NO = 0.30
"""The most it can reach once something forbids it."""


@dataclass(frozen=True, slots=True, eq=False)
class Weight:
    """points: added where the evidence is there. slope: taken off for each unit of similarity missing.

    most: the highest score that it leaves possible. The others lift that, and are 0 where they do not: most_isrc where
    the ISRCs are equal, most_exact where the lengths are to the millisecond, most_reissued where they are so on two
    albums.
    """

    why: str
    points: float = 0.0
    slope: float = 0.0
    most: float = 1.0
    most_isrc: float = 0.0
    most_exact: float = 0.0
    most_reissued: float = 0.0


PERFORMER = Weight("of two performers the name is all there is to compare", points=12.0, slope=30.0)
PERFORMER_LOOSE = Weight("a word more or less is another performer", points=12.0, slope=30.0, most=TELL)

ARTIST = Weight("names alone make a match, but a bare one: .94", points=5.0, slope=18.0)
ARTIST_LOOSE = Weight(
    "a word more or less is another band, or its tribute", points=5.0, slope=18.0, most=TELL, most_exact=0.95
)
ARTIST_OTHER = Weight(
    "another performer plays another recording, whatever the code says; but production music is sold under many names",
    most=NO,
    most_isrc=TELL,
    most_reissued=0.90,
)
ARTIST_FOREIGN = Weight("letters of two scripts cannot be compared", points=-5.0, most=TELL, most_isrc=1.0)
ARTIST_UNTOLD = Weight("a title alone is borne by many songs", points=5.0, most=TELL, most_isrc=1.0)

TITLE = Weight("the song's name; together with the artist's it decides", points=7.0, slope=26.0)
TITLE_VAGUE = Weight("a performer has many untitled tracks and intros", points=2.0)
TITLE_LOOSE = Weight("a word more or less is another song", points=7.0, slope=26.0, most=TELL, most_exact=0.95)
TITLE_OTHER = Weight("Californication is not Dani California", most=NO, most_isrc=TELL)
TITLE_FOREIGN = Weight("letters of two scripts cannot be compared", points=-0.4, most=TELL)
TITLE_TRANSLATED = Weight("nor here, but code and length agree", points=-0.4, most=TELL, most_isrc=1.0, most_exact=0.90)
TITLE_UNTOLD = Weight("a performer has many songs", points=7.0, most=TELL)
UNKNOWN = Weight("an ID is what nobody knows: two of them are not the same", most=TELL)
SWAPPED = Weight("file names put the title first as often", points=-2.0)

VERSION_MILD = Weight("a remaster is the same recording, a remixer is spelled in two ways", points=-1.5)
VERSION_OPEN = Weight("a radio edit may be what everybody knows as the song", points=-4.0, most=TELL, most_exact=0.95)
VERSION_VAGUE = Weight("one says whose remix or where it was live, the other does not", points=-5.0, most=TELL)
VERSION_UNNAMED = Weight("nor here, but they are equally long", points=-5.0)
VERSION_RENAMED = Weight("a single version as long as the plain one is the plain one", points=-3.0)
VERSION_RELABELLED = Weight(
    "live or re-recorded, says one album of what the other sells plainly",
    points=-5.0,
    most=NO,
    most_isrc=TELL,
    most_reissued=0.90,
)
VERSION_OTHER = Weight(
    "version tokens must agree: a remix, a live take, Taylor's Version is its own", points=-9.0, most=NO, most_isrc=TELL
)
IMITATION = Weight("karaoke, tribute and cover records bear the original's names", points=-9.0, most=NO, most_isrc=TELL)

DURATION_EXACT = Weight("equal to the millisecond on known albums: nearly a fingerprint", points=3.0)
DURATION_REISSUED = Weight("equal to the millisecond on two albums: the same file, sold twice", points=3.0)
DURATION_GOOD = Weight("of names alone .866 are right, of those 3 s apart .983", points=3.0)
DURATION_FAIR = Weight("fades and gaps differ between releases", points=0.5)
DURATION_FAR = Weight("of those within 15 s .967 are right", points=-1.0, most=0.90)
DURATION_DOUBT = Weight("beyond 15 s it is another edit, or a wrong tag", points=-4.0, most=TELL)
DURATION_VETO = Weight("beyond 30 s another recording, unless the tag is wrong", points=-6.0, most=NO, most_isrc=TELL)

ISRC_EQUAL = Weight("a strong yes, if the names agree: codes are misused and copied", points=5.0)
ISRC_UNEQUAL = Weight("a weak no: re-releases get new codes, tags hold wrong ones", most=0.95)
LINK_EQUAL = Weight("somebody has linked both to one page", points=8.0)
LINK_UNEQUAL = Weight("a weak no: sources have a song more than once", most=0.95)

ALBUM_EQUAL = Weight("an album rarely has two recordings of one name", points=2.5)
LABEL_EQUAL = Weight("labels release many songs, but few of one name", points=0.5)
YEAR_EQUAL = Weight("re-releases have other years, so only equal ones say something", points=0.5)

TITLES_SHARED = Weight("two of a name rarely have a song of one name, hardly ever two", points=5.0)
LABELS_SHARED = Weight("a label has one performer of a name", points=3.0)
COMPANIONS_SHARED = Weight("performers play and are listed with the same people again", points=2.5)
COUNTRY_EQUAL = Weight("of two of a name, half come from other countries", points=1.0)
COUNTRY_UNEQUAL = Weight("people move, and sources mean birth or base", points=-3.0)
AUDIENCE = Weight("ten times the audience of the next of the name is whom people mean", points=4.0)
DOMINANT = 10.0
"""How many times the audience of the next one of the same name makes a performer the one that people mean."""
TITLES_COMPARED, TITLE_TELLS = 2_000, 5
"""Titles and names looked at of one performer, and letters above which one tells performers apart."""
SHARED = 3
"""Titles, labels or companions that count, at most: the first says most."""

EXACT_MS, EQUAL_MS, GOOD_MS, FAIR_MS, FAR_MS, VETO_MS = 10, 1_000, 3_000, 10_000, 15_000, 30_000
"""Milliseconds apart up to which durations are exact, equal, good, fair, far and doubtful."""

RIVAL = 2.0
"""Points: a candidate this close to the best one competes with it."""

BACKED = 7.0
"""Points from which a candidate with one doubt is taken, if its album, code or link is the query's."""
CHOSEN = 0.90
"""The most that such a choice can be sure."""
