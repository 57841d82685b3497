"""What analysers hear in the world's tracks: facts where the catalogue has them, else invented by hash."""

from __future__ import annotations

from simulator import dice, shares
from simulator.truth import FEATURES, Track

_LOUDEST, _RANGE = -3.0, 12.0
_FASTEST_DOUBLED = 110.0


def features(track: Track) -> dict[str, float]:
    """Spotify's audio features by name: loudness in dB, the others from 0 to 1."""
    if track.features is not None:
        return dict(zip(FEATURES, track.features, strict=True))
    chances = {name: dice.share(name, track.recording.key) for name in FEATURES}
    chances["loudness"] = _LOUDEST - _RANGE * chances["loudness"]
    return {name: round(value, 3) for name, value in chances.items()}


def tempo(source: str, track: Track) -> float:
    """Beats per minute as a source states them: of a few slow ones the double, of a few fast ones the half."""
    if not shares.knows("any", "octave", (source, track.recording.key)):
        return track.tempo
    return track.tempo * (2 if track.tempo < _FASTEST_DOUBLED else 0.5)
