"""TheAudioDB's API v1: every value text or null, null for nothing found, the key in the path and one row for the public
key. A key that it does not know, and a method that it does not have, get a page in HTML.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, ClassVar

from simulator import dice, names, places, shares, sound
from simulator.truth import Album, Performer, Recording, Track
from simulator.upstreams.base import Part, Upstream
from simulator.wire import Reply, Request, json_reply

PUBLIC_KEY = "123"
OLD_KEYS = ("", "1", "2", "195003")
"""Public keys of other years, switched off since."""
POPULAR = 60
FIRST_ARTIST, FIRST_ALBUM, FIRST_TRACK = 111_000, 2_109_000, 32_700_000
LANGUAGES = ("DE", "FR", "CN", "IT", "JP", "RU", "ES", "PT", "SE", "NL", "HU", "NO", "IL", "PL")
_STYLES = {"house": "Electronic", "techno": "Electronic", "hip hop": "Urban/R&B", "jazz": "Jazz", "metal": "Metal"}
_KEYS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_FEATURES = ("danceability", "energy", "valence", "acousticness", "instrumentalness", "liveness", "speechiness")
_ROWS = {"artists": 10, "album": 100, "track": 100}
"""The most rows of a search with a key of one's own."""
_PAGE = (
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">\r\n'
    "<html><head><title>{title}</title></head><body><h1>Server Error</h1><h2>{title}</h2></body></html>\r\n"
)

Json = dict[str, Any]


def _page(status: int, title: str) -> Reply:
    return Reply(status, _PAGE.format(title=title).encode(), {"content-type": "text/html", "server": "cloudflare"})


class _Written(Part):
    """What members wrote up: performers, with all that is theirs; of popular ones more."""

    @cached_property
    def _known(self) -> bytes:
        return bytes(self.has_written(recording.artists[0]) for recording in self.shelf.recordings)

    def has_written(self, performer: Performer) -> bool:
        """Whether somebody wrote the performer up."""
        what = "popular" if performer.popularity >= POPULAR else "recording"
        return shares.knows(self.source, what, performer.key)


class TheAudioDB(Upstream):
    """Artists, albums and tracks by MBID, by its own ids and by name."""

    source = "theaudiodb"
    roots: ClassVar[tuple[str, ...]] = ("/api/v1/json/",)
    seconds: ClassVar[float] = 0.15
    names_wait: ClassVar[bool] = False

    def __init__(self, part: Part, **options: Any) -> None:
        super().__init__(_Written(part.source, part.shelf), **options)

    def prepare(self) -> tuple[object, ...]:
        """The indexes by MBID and by name."""
        return self._albums, self._performers, self.world.by_mbid, self.part.shelf.place

    def answer(self, request: Request) -> Reply:
        """As the real one answers this path."""
        methods: dict[str, Callable[[Request], Reply]] = {
            "search.php": lambda asked: self._artists(asked, self._named(asked.arg("s"))),
            "searchalbum.php": lambda asked: self._show_albums(asked, self._find_albums(asked)),
            "searchtrack.php": lambda asked: self._tracks(asked, self._find_tracks(asked)),
            "artist-mb.php": lambda asked: self._artists(asked, self._by_mbid(asked.arg("i"))),
            "album-mb.php": lambda asked: self._show_albums(asked, self._by_group(asked.arg("i"))),
            "track-mb.php": lambda asked: self._tracks(asked, self._by_recording(asked.arg("i"))),
        }
        *folder, key, method = [part for part in request.path.split("/") if part] or ["", ""]
        if folder != ["api", "v1", "json"] or key in OLD_KEYS or method not in methods:
            return _page(404, "404 - File or directory not found.")
        return methods[method](request)

    def refuse(self, _wait: int, _request: Request) -> Reply:
        """429, and nothing about how long."""
        return _page(429, "429 - Too many requests.")

    # -- finding

    @cached_property
    def _performers(self) -> dict[str, list[Performer]]:
        """Those that are written up, by every name, the best known first."""
        found: dict[str, list[Performer]] = {}
        for performer in sorted(self.part.shelf.performers, key=lambda one: -one.popularity):
            if self.part.has_performer(performer):
                for name in dict.fromkeys(map(names.squash, (performer.name, *performer.aliases))):
                    found.setdefault(name, []).append(performer)
        return found

    @cached_property
    def _albums(self) -> dict[str, int]:
        """The place of each album on the shelf, by its key."""
        return {album.key: place for place, album in enumerate(self.part.shelf.albums)}

    @cached_property
    def _places(self) -> dict[str, int]:
        return {performer.key: place for place, performer in enumerate(self.part.shelf.performers)}

    def _named(self, name: str) -> list[Performer]:
        return self._performers.get(names.squash(name), []) if name.strip() else []

    def _find_albums(self, request: Request) -> list[Album]:
        """Of this artist those whose title begins like this; all of them where no title is asked for."""
        wanted = names.squash(request.arg("a")) if request.arg("a").strip() else ""
        albums = [album for artist in self._named(request.arg("s")) for album in artist.albums]
        return _best(wanted, ((album, album.title) for album in albums if self.part.has_album(album)))

    def _find_tracks(self, request: Request) -> list[Recording]:
        """Of this artist those whose title begins like this."""
        wanted = names.squash(request.arg("t")) if request.arg("t").strip() else ""
        tracks = [track for artist in self._named(request.arg("s")) for track in self.part.tracks(artist.tracks)]
        recordings = dict.fromkeys(track.recording for track in tracks)
        return _best(wanted, ((recording, recording.title) for recording in recordings))

    def _by_mbid(self, mbid: str) -> list[Performer]:
        performer = self.world.performer_by_mbid.get(mbid.lower())
        return [performer] if performer and self.part.has_performer(performer) and self._mbid(performer) else []

    def _by_group(self, mbid: str) -> list[Album]:
        album = self.world.album_by_group.get(mbid.lower())
        return [album] if album and self.part.has_album(album) and self._group(album) else []

    def _by_recording(self, mbid: str) -> list[Recording]:
        recording = self.world.by_mbid.get(mbid.lower())
        return [recording] if recording and self.part.has(recording) and self._recording(recording) else []

    # -- the shapes

    def _reply(self, request: Request, name: str, rows: list[Json]) -> Reply:
        key = request.path.split("/")[-2]
        shown = rows[: 1 if key == PUBLIC_KEY else _ROWS[name]]
        headers = {"server": "cloudflare", "x-powered-by": "PHP/8.4.14", "access-control-allow-origin": "*"}
        return json_reply({name: shown or None}, content_type="application/json", headers=headers)

    def _artists(self, request: Request, found: list[Performer]) -> Reply:
        return self._reply(request, "artists", [self._artist(performer, request.base) for performer in found])

    def _show_albums(self, request: Request, found: list[Album]) -> Reply:
        return self._reply(request, "album", [self._album(album, request.base) for album in found])

    def _tracks(self, request: Request, found: list[Recording]) -> Reply:
        return self._reply(request, "track", [self._track(one.tracks[0]) for one in found])

    def _says(self, what: str, key: str) -> bool:
        return shares.knows(self.source, what, key)

    def _mbid(self, performer: Performer) -> str | None:
        return performer.mbid if self.part.tells_mbid("mbid", performer) else None

    def _group(self, album: Album) -> str | None:
        return album.group_mbid if self.part.tells_mbid("mbid", album) else None

    def _recording(self, recording: Recording) -> str | None:
        return recording.mbid if self.part.tells_mbid("mbid", recording) else None

    def _picture(self, base: str, folder: str, key: str) -> str | None:
        """Where the picture is; on some there is none."""
        known = self._says("picture", f"{folder} {key}")
        return f"{base}/artwork/images/media/{folder}/{dice.hexadecimal(16, folder, key)}.jpg" if known else None

    def _artist(self, performer: Performer, base: str) -> Json:
        name, key, genre = performer.name, performer.key, performer.genres[0]
        place = places.NAMES.get(performer.country, "")
        area = performer.area if performer.area != place else ""
        site = f"www.{''.join(names.tokens(name)) or 'band'}.example.com"
        return {
            "idArtist": str(FIRST_ARTIST + self._places[key]),
            "strArtist": name,
            "strArtistStripped": None,
            "strArtistAlternate": "; ".join(performer.aliases),
            "strLabel": None,
            "idLabel": None,
            "intFormedYear": performer.begin[:4] or None,
            "intBornYear": performer.begin[:4] or None if performer.type == "Person" else None,
            "intDiedYear": performer.end[:4] or None,
            "strDisbanded": "Yes" if performer.end and performer.type == "Group" else None,
            **_styles(genre),
            "strMood": dice.choose(("Happy", "Sad", "Relaxed", "Energetic"), "mood", key),
            "strWebsite": site,
            "strFacebook": f"www.facebook.com/{''.join(names.tokens(name))}" if self._says("picture", key) else "",
            "strTwitter": dice.choose(("", "1", f"twitter.com/{''.join(names.tokens(name))}"), "twitter", key),
            "strBiographyEN": f"{name} make {genre} music." if self._says("biography", key) else None,
            **{f"strBiography{language}": None for language in LANGUAGES},
            "strGender": dice.choose(("Male", "Female", "Mixed"), "gender", key),
            "intMembers": "1" if performer.type == "Person" else str(2 + dice.number("members", key) % 4),
            "strCountry": ", ".join(filter(None, (area, place))) or None,
            "strCountryCode": performer.country if place else None,
            "strArtistThumb": self._picture(base, "artist/thumb", key),
            "strArtistWideThumb": self._picture(base, "artist/widethumb", key),
            "strArtistFanart": self._picture(base, "artist/fanart", key),
            "strArtistFanart2": self._picture(base, "artist/fanart", f"{key} 2"),
            "strArtistFanart3": "",
            "strArtistFanart4": None,
            "strArtistLogo": None,
            "strArtistCutout": None,
            "strArtistClearart": None,
            "strArtistBanner": None,
            "strMusicBrainzID": self._mbid(performer),
            "strISNIcode": None,
            "strLastFMChart": None,
            "intCharted": str(dice.number("charted", key) % 4),
            "strLocked": "unlocked",
        }

    def _album(self, album: Album, base: str) -> Json:
        key, artist = album.key, album.artist
        return {
            "idAlbum": str(FIRST_ALBUM + self._albums[key]),
            "idArtist": str(FIRST_ARTIST + self._places.get(artist.key, 0)),
            "idLabel": None,
            "strAlbum": album.title,
            "strAlbumStripped": album.title,
            "strArtist": artist.name,
            "strArtistStripped": artist.name,
            "intYearReleased": album.date[:4] or "0",
            **_styles(artist.genres[0]),
            "strLabel": album.label if self._says("label", key) else None,
            "strReleaseFormat": album.kind.title(),
            "intSales": "0",
            "strAlbumThumb": self._picture(base, "album/thumb", key),
            "strAlbumThumbHQ": None,
            "strAlbumBack": None,
            "strAlbumCDart": "",
            **{f"strAlbum{what}": None for what in ("Spine", "3DCase", "3DFlat", "3DFace", "3DThumb")},
            "strDescription": f"{album.title} by {artist.name}.",
            **{f"strDescription{language}": None for language in LANGUAGES},
            **dict.fromkeys(("intLoved", "intScore", "intScoreVotes", "intPopularity")),
            "strReview": "",
            "strMood": "",
            "strTheme": None,
            "strSpeed": "",
            "strLocation": None,
            "strMusicBrainzID": self._group(album),
            "strMusicBrainzArtistID": self._mbid(artist),
            "strAllMusicID": f"mw{dice.number('allmusic', key) % 10**10:010d}",
            "strBBCReviewID": None,
            "strRateYourMusicID": None,
            "strDiscogsID": str(1000 + dice.number("discogs master", key) % 2_000_000),
            "strWikidataID": None,
            "strWikipediaID": None,
            **{f"str{where}ID": None for where in ("Genius", "LyricWiki", "MusicMoz", "Itunes", "Amazon")},
            "strUPCID": album.barcode if self._says("isrc", key) else None,
            "strSpotifyID": album.spotify_id if self._says("isrc", key) else None,
            "strLocked": "unlocked",
            "intChecked": "0",
        }

    def _track(self, track: Track) -> Json:
        recording, album = track.recording, track.album
        key, artist = recording.key, recording.artists[0]
        coded = self._says("isrc", key)
        return {
            "idTrack": str(FIRST_TRACK + self.part.shelf.place[key]),
            "idAlbum": str(FIRST_ALBUM + self._albums[album.key]),
            "idArtist": str(FIRST_ARTIST + self._places[artist.key]),
            "idLyric": "0",
            "idIMVDB": None,
            "strTrack": recording.title,
            "strAlbum": album.title,
            "strArtist": artist.name,
            "strArtistAlternate": None,
            "intCD": None,
            "intDuration": str(track.duration_ms),
            **_styles(artist.genres[0]),
            "strMood": None,
            "strTheme": None,
            "strDescriptionEN": None,
            **{f"strDescription{language}": None for language in LANGUAGES},
            "strTrackThumb": None,
            "strTrack3DCase": None,
            "strTrackLyrics": "",
            "strMusicVid": f"http://www.youtube.com/watch?v={dice.spotify_id('video', key)[:11]}" if coded else "",
            **dict.fromkeys(("strMusicVidDirector", "strMusicVidCompany", "intMusicVidViews", "intMusicVidLikes")),
            "intTrackNumber": str(track.position),
            "intLoved": None,
            "intScore": None,
            "intScoreVotes": None,
            "intTotalListeners": str(artist.followers // 10),
            "intTotalPlays": str(artist.followers),
            "strMusicBrainzID": self._recording(recording),
            "strMusicBrainzAlbumID": self._group(album),
            "strMusicBrainzArtistID": self._mbid(artist),
            "strISRC": self.part.isrc(track) if coded else None,
            "strSpotifyID": track.spotify_id if coded else None,
            **self._sound(track),
            "strLocked": "unlocked",
        }

    def _sound(self, track: Track) -> Json:
        """Tempo and key on a part of the tracks, features on those that somebody measured."""
        known = self._says("tempo", track.recording.key)
        mode = "" if track.mode else "m"
        heard = sound.features(track) if known and track.features else {}
        return {
            "intTempo": str(round(sound.tempo(self.source, track))) if known else None,
            "strKey": f"{_KEYS[track.key]}{mode}" if known else None,
            "strOpenKey": None,
            "strTimeSignature": "4/4" if known else None,
            **{f"int{name.title()}": _of_a_hundred(heard.get(name)) for name in _FEATURES},
        }


def _of_a_hundred(share: float | None) -> str | None:
    return None if share is None else str(round(100 * share))


def _styles(genre: str) -> Json:
    style = next((style for word, style in _STYLES.items() if word in genre), "Rock/Pop")
    return {"strStyle": style, "strGenre": genre.title()}


def _best(wanted: str, titled: Iterable[tuple[Any, str]]) -> list[Any]:
    """Those whose title begins with what is wanted, the same title first."""
    fitting = [(names.squash(title), thing) for thing, title in titled if names.squash(title).startswith(wanted)]
    return [thing for _, thing in sorted(fitting, key=lambda pair: len(pair[0]))]
