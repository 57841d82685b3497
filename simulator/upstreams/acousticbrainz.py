"""AcousticBrainz: what was computed from the sound of recordings until 2022, by MBID, one or 25 a call."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from simulator import dice, sound
from simulator.limits import Limit
from simulator.truth import Recording
from simulator.upstreams import metabrainz
from simulator.upstreams.base import Upstream
from simulator.wire import Reply, Request, json_reply

MOST_ITEMS = 25
END = "2022"
_STEPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_ESSENTIA = {"essentia": "2.1-beta2", "essentia_git_sha": "v2.1_beta2", "extractor": "music 1.0"}

Json = dict[str, Any]
Wanted = tuple[str, int]


class _BadRequest(Exception):  # noqa: N818 - named as the status it becomes
    pass


def _reply(content: Any, status: int = 200, items: int = 1) -> Reply:
    return json_reply(content, status, content_type="application/json", items=items)


def _message(status: int, message: str) -> Reply:
    return _reply({"message": message}, status)


class AcousticBrainz(Upstream):
    """Low-level and high-level documents, and how many there are."""

    source = "acousticbrainz"
    roots: ClassVar[tuple[str, ...]] = ("/api/v1/",)
    seconds: ClassVar[float] = 0.3

    def prepare(self) -> tuple[object, ...]:
        """The index by MBID."""
        return (self.world.by_mbid,)

    def answer(self, request: Request) -> Reply:
        """As the real one answers this path."""
        *mbids, what = [part for part in request.path.removeprefix("/api/v1").split("/") if part] or [""]
        try:
            if what not in ("low-level", "high-level", "count") or len(mbids) > 1:
                return _message(404, "The requested URL was not found on the server.")
            if mbids:
                return self._one(mbids[0], what, request)
            return self._several(what, request)
        except _BadRequest as bad:
            return _message(400, str(bad))

    def refuse(self, _wait: int, _request: Request) -> Reply:
        """429; how long to wait stands in the headers that every reply has."""
        return _message(429, "You have exceeded your rate limit.")

    def stamps(self, reply: Reply, limit: Limit | None, now: float) -> dict[str, str]:
        """X-RateLimit-*, with the seconds that are left of the window."""
        return metabrainz.window_headers(reply, limit, now)

    # -- finding

    def _find(self, mbid: str, offset: int) -> Recording | None:
        """The recording, where it has been submitted so often."""
        recording = self.world.by_mbid.get(mbid)
        if recording is None or offset >= self._submissions(recording):
            return None
        return recording

    def _submissions(self, recording: Recording) -> int:
        if recording.date[:4] >= END or not self.part.has(recording):
            return 0
        return 1 + dice.number("submissions", recording.key) % 60

    def _one(self, asked: str, what: str, request: Request) -> Reply:
        mbid, offset = _normal(asked), request.number("n", 0, 0, 1_000_000)
        if what == "count":
            recording = self.world.by_mbid.get(mbid)
            return _reply({"mbid": mbid, "count": self._submissions(recording) if recording else 0})
        recording = self._find(mbid, offset)
        if recording is None:
            return _message(404, "Not found")
        return _reply(_low_level(recording, offset) if what == "low-level" else _high_level(recording, offset))

    def _several(self, what: str, request: Request) -> Reply:
        """Documents by MBID and offset; what is not there is left out."""
        asked, wanted = _read_ids(request.arg("recording_ids"))
        content: Json = {}
        for mbid, offset in wanted:
            recording = self._find(mbid, offset)
            if recording is None:
                continue
            if what == "count":
                content[mbid] = {"count": self._submissions(recording)}
            elif what == "low-level":
                document = _leaves_of(_low_level(recording, offset), request.arg("features"))
                content.setdefault(mbid, {})[str(offset)] = document
            else:
                content.setdefault(mbid, {})[str(offset)] = _high_level(recording, offset)
        mapping = {theirs: ours for theirs, ours in asked.items() if theirs != ours}
        return _reply(dict(sorted(content.items())) | {"mbid_mapping": mapping}, items=len(wanted))


def _normal(mbid: str) -> str:
    try:
        return str(uuid.UUID(mbid))
    except ValueError:
        raise _BadRequest(f"'{mbid}' is not a valid UUID") from None


def _read_ids(text: str) -> tuple[dict[str, str], list[Wanted]]:
    """MBIDs as they were sent, with their normal form; and what is wanted, without repeats."""
    if not text:
        raise _BadRequest("Missing `recording_ids` parameter")
    asked: dict[str, str] = {}
    wanted: dict[Wanted, None] = {}
    for item in text.split(";"):
        mbid, colon, offset = item.partition(":")
        if ":" in offset:
            raise _BadRequest(f"More than 1 colon (:) in '{item}'")
        if mbid:
            asked[mbid] = _normal(mbid)
            wanted[asked[mbid], int(offset) if colon and offset.isdecimal() else 0] = None
    if len(wanted) > MOST_ITEMS:
        raise _BadRequest(f"More than {MOST_ITEMS} recordings not allowed per request")
    return asked, list(wanted)


# -- showing


def _low_level(recording: Recording, offset: int) -> Json:
    """The document of one submission: each differs a little."""
    track = recording.tracks[offset % len(recording.tracks)]
    chance = dice.share("submission", recording.key, offset)
    scale = "major" if track.mode else "minor"
    return {
        "lowlevel": {
            "average_loudness": round(0.3 + 0.6 * chance, 12),
            "dynamic_complexity": round(2 + 5 * chance, 12),
        },
        "metadata": _metadata(recording, offset),
        "rhythm": {
            "beats_count": int(recording.duration_ms / 60_000 * track.tempo),
            "bpm": round(sound.tempo("acousticbrainz", track) + (chance - 0.5) / 4, 9),
            "danceability": round(0.9 + 0.6 * chance, 10),
            "onset_rate": round(2 + 4 * chance, 10),
        },
        "tonal": {
            "chords_changes_rate": round(0.05 + 0.05 * chance, 12),
            "chords_key": _STEPS[track.key],
            "chords_scale": scale,
            "key_key": _STEPS[track.key],
            "key_scale": scale,
            "key_strength": round(0.3 + 0.6 * dice.share("key strength", recording.key), 12),
            "tuning_frequency": round(434 + 8 * chance, 9),
        },
    }


def _metadata(recording: Recording, offset: int) -> Json:
    track = recording.tracks[offset % len(recording.tracks)]
    return {
        "audio_properties": {
            "analysis_sample_rate": 44100,
            "bit_rate": 0,
            "codec": "flac",
            "downmix": "mix",
            "equal_loudness": 0,
            "length": round(track.duration_ms / 1000, 9),
            "lossless": True,
            "md5_encoded": dice.hexadecimal(32, "submission", recording.key, offset),
            "replay_gain": round(-12 + 8 * dice.share("gain", recording.key), 11),
            "sample_rate": 44100,
        },
        "tags": {
            "album": [track.album.title],
            "artist": [recording.credit],
            "date": [track.album.date],
            "file_name": f"{track.position:02d} {track.title}.flac",
            "musicbrainz_recordingid": [recording.mbid],
            "title": [track.title],
            "tracknumber": [str(track.position)],
        },
        "version": _ESSENTIA,
    }


def _leaves_of(document: Json, features: str) -> Json:
    """What was asked for of a document, with the metadata that always comes along; all of it where nothing was."""
    if not features:
        return document
    metadata = document["metadata"]
    kept: Json = {"metadata": {name: metadata[name] for name in ("audio_properties", "version")}}
    for leaf in features.split(";"):
        branch, _, name = leaf.partition(".")
        if name in document.get(branch, ()):
            kept.setdefault(branch, {})[name] = document[branch][name]
    return kept


def _high_level(recording: Recording, offset: int) -> Json:
    """Classifiers: what they say of genres is chance, as with the real one."""
    track = recording.tracks[0]
    heard = sound.features(track)
    metadata = _metadata(recording, offset)
    return {
        "highlevel": {
            "danceability": _classified("danceable", "not_danceable", heard["danceability"]),
            "genre_dortmund": _classified("electronic", "rock", dice.share("dortmund", recording.key)),
            "mood_acoustic": _classified("acoustic", "not_acoustic", heard["acousticness"]),
            "mood_happy": _classified("happy", "not_happy", dice.share("happy", recording.key, offset)),
            "voice_instrumental": _classified("instrumental", "voice", heard["instrumentalness"]),
        },
        "metadata": {
            **metadata,
            "version": {"highlevel": {"models_essentia_git_sha": "v2.1_beta1"}, "lowlevel": _ESSENTIA},
        },
    }


def _classified(one: str, other: str, chance: float) -> Json:
    likely = one if chance >= 0.5 else other
    return {"all": {one: chance, other: 1 - chance}, "probability": max(chance, 1 - chance), "value": likely}
