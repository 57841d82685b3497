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
    ("spotify", "features"): 0.97,  # estimate, of its tracks
    ("coverartarchive", "release"): 0.75,
    ("discogs", "album"): 0.60,
    ("discogs", "electronic_album"): 0.80,
    ("discogs", "picture"): 0.75,  # estimate
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
    ("reccobeats", "recording"): 0.70,
    ("reccobeats", "key"): 0.97,  # estimate: the others have -1
    ("acousticbrainz", "recording"): 0.60,  # of those before 2022
    # TheAudioDB's members write up performers, with all that is theirs. Its facts without a remark are estimates.
    ("theaudiodb", "recording"): 0.30,
    ("theaudiodb", "popular"): 0.70,
    ("theaudiodb", "tempo"): 0.25,  # one of four tracks looked at in 2026, all with a key (public index, 60317677328)
    ("theaudiodb", "mbid"): 0.90,  # of what MusicBrainz has
    ("theaudiodb", "isrc"): 0.40,
    ("theaudiodb", "picture"): 0.90,
    ("theaudiodb", "biography"): 0.80,
    ("theaudiodb", "label"): 0.50,
    ("itunes", "recording"): 0.90,
    ("itunes", "edition"): 0.33,  # dates of a later edition: 5 of 15 well-known songs (upstreams.md, 4)
    ("lastfm", "recording"): 0.95,
    # Of what MusicBrainz has. Of the 14,978 distinct tracks of three listening logs that carry Last.fm's MBIDs (shared
    # data, workload) 65, 82 and 58 % have these; MusicBrainz, as it is here, has 85, 92 and 87 % of them.
    ("lastfm", "track_mbid"): 0.77,
    ("lastfm", "artist_mbid"): 0.89,
    ("lastfm", "album_mbid"): 0.67,
    # Estimates
    ("lastfm", "recording_mbid"): 0.50,  # the others are MBIDs of a track on some release
    ("lastfm", "duration"): 0.85,
    ("lastfm", "album"): 0.85,  # of a track's page
    ("lastfm", "cover"): 0.90,
    ("lastfm", "track_tags"): 0.60,
    ("lastfm", "album_tags"): 0.70,
    ("lastfm", "biography"): 0.60,
    ("lastfm", "miscorrected"): 0.10,  # of the titles that it does not know
    ("wikidata", "performer"): 0.40,
    # Estimates: what the items of performers state.
    ("wikidata", "picture"): 0.60,
    ("wikidata", "country"): 0.85,
    ("wikidata", "genre"): 0.75,
    ("wikidata", "link"): 0.50,
    ("wikidata", "spotify"): 0.80,
    ("wikidata", "discogs"): 0.65,
    ("wikidata", "deezer"): 0.45,
    # metabrainz/listenbrainz-server, pull request 3678: exporting playlists by this index drops 22 % of the tracks, and
    # MusicBrainz has a link to Spotify for 10 of 11 of those. Its sample are one person's playlists: we take less.
    ("labs", "spotify"): 0.78,
    ("musicbrainz", "spotify_link"): 0.60,
    # Resident Advisor has those who play in clubs; estimates.
    ("residentadvisor", "electronic"): 0.70,
    ("residentadvisor", "performer"): 0.05,
    ("residentadvisor", "picture"): 0.75,
    ("residentadvisor", "link"): 0.50,
    # Faults of the data themselves
    ("any", "wrong_isrc"): 0.01,
    ("any", "octave"): 0.06,  # estimate: an analyser's tempo that is half or double
    ("any", "nowhere"): 0.05,  # of the distinct tracks of a listening log
}

SAME_AS = {("listenbrainz", "recording"): "musicbrainz", ("coverartarchive", "recording"): "musicbrainz"}
"""ListenBrainz and the Cover Art Archive hang on MusicBrainz' data: they know the same recordings."""


def knows(source: str, what: str, identity: object) -> bool:
    """Whether the source has this fact about the thing with this identity. Raises KeyError for an unknown share."""
    source = SAME_AS.get((source, what), source)
    return dice.share(source, what, identity) < SHARES[source, what]
