"""How much of the world each source knows. One table: a later source adds its lines here.

What a source knows is chosen by hash of what it is about, so that runs compare. Shares without a remark are those that
the project set itself; estimates are marked.
"""

from __future__ import annotations

from simulator import dice

SHARES: dict[tuple[str, str], float] = {
    ("musicbrainz", "recording"): 0.85,
    ("musicbrainz", "isrc"): 0.70,  # of the recordings that it knows
    ("deezer", "recording"): 0.90,
    ("deezer", "isrc"): 1.0,
    ("deezer", "bpm"): 0.75,
    ("deezer", "picture"): 0.85,  # estimate: the others have the grey placeholder
    ("spotify", "recording"): 0.96,
    ("spotify", "isrc"): 1.0,
    ("coverartarchive", "release"): 0.75,
    # Estimates: tags are dense on artists and albums, sparse on recordings; most artists have some links.
    ("musicbrainz", "artist_tags"): 0.75,
    ("musicbrainz", "group_tags"): 0.60,
    ("musicbrainz", "recording_tags"): 0.30,
    ("musicbrainz", "country"): 0.85,
    ("musicbrainz", "url"): 0.70,
    ("musicbrainz", "length"): 0.95,
    ("musicbrainz", "barcode"): 0.80,
    ("musicbrainz", "label"): 0.80,
    ("spotify", "artist_genres"): 0.70,
    ("spotify", "picture"): 0.95,
    # Faults of the data themselves
    ("any", "wrong_isrc"): 0.01,
    ("any", "nowhere"): 0.05,  # of the distinct tracks of a listening log
}

SAME_AS = {("listenbrainz", "recording"): "musicbrainz", ("coverartarchive", "recording"): "musicbrainz"}
"""ListenBrainz and the Cover Art Archive hang on MusicBrainz' data: they know the same recordings."""


def knows(source: str, what: str, identity: object) -> bool:
    """Whether the source has this fact about the thing with this identity. Raises KeyError for an unknown share."""
    source = SAME_AS.get((source, what), source)
    return dice.share(source, what, identity) < SHARES[source, what]
