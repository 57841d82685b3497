"""File names: what shops, rippers and taggers make of a track's name before it becomes one line of text."""

from __future__ import annotations

import re

from enrichment.domain.parsing.noise import strip_extension

_SHOP_ID = re.compile(r"^\d{5,9}_(?=\D)")
_SCENE = re.compile(
    r"^(?:(?P<position>[A-H]?\d{1,3})[-_.])?(?P<artist>[^\s-]+(?:-(?=-)[^\s-]+)*)-(?P<title>[^\s-]\S*)$"
)
_NUMBER = re.compile(r"^(?P<position>\d{1,3})[-_.](?=[^\W\d])")
_PADDED = re.compile(r"^(?P<position>0?\d{1,2})\s+(?=\D.*\s-\s)")
_MV = re.compile(r"^(?:MV|PV)_", re.IGNORECASE)


def opened(text: str) -> tuple[str, str, bool]:
    """(line, position, was it a file's name?) of a cleaned text. What is no file's name comes back as it is.

    Underscores become spaces, "___" the "&" that it was, "09-the_artist-some_title" a line with " - ". A folder before
    the name goes where the name has an extension.
    """
    text, extended = strip_extension(text)
    if extended and ("/" in text or "\\" in text):
        text = re.split(r"[/\\]", text)[-1]
    if not extended and "_" not in text:
        return text, "", False
    if " " not in text:
        line, position = _tight(text)
        return line, position, extended or line != text
    return _loose(text, extended=extended)


def _tight(text: str) -> tuple[str, str]:
    """A name without spaces."""
    if "_-_" in text:
        return _spaced(text.replace("_-_", " - ")), ""
    scene = _SCENE.match(text) if text.count("_") or text[:1].isdigit() else None
    if scene and scene["artist"]:
        return f"{_spaced(scene['artist'])} - {_spaced(scene['title'])}", scene["position"] or ""
    return _spaced(text), ""


def _loose(text: str, *, extended: bool) -> tuple[str, str, bool]:
    """A name with spaces, where an underscore stands for what file systems forbid."""
    mv = _MV.sub("", text)
    if mv != text:
        return mv.replace("_", " - ", 1).replace("_", " "), "", True
    shop = _SHOP_ID.sub("", text)
    if shop != text:
        name, *versions = shop.split("_")
        return name + "".join(f" ({version})" for version in versions), "", True
    if "_-_" in text:
        return _spaced(text.replace("_-_", " - ")), "", True
    position = ""
    if extended and (match := _NUMBER.match(text) or _PADDED.match(text)):
        position, text = match["position"], text[match.end() :]
    return _restored(text), position, extended


_FORBIDDEN = (
    (re.compile(r"(?<=\b7)_|(?<=\b12)_"), '"'),
    (re.compile(r"(?<!\w)_(\w[^_]*)_(?!\w)"), r'"\1"'),
    (re.compile(r" _ "), " / "),
)


def _restored(text: str) -> str:
    """Underscores back to the quotes and slashes that file systems forbid."""
    for rule, mark in _FORBIDDEN:
        text = rule.sub(mark, text)
    return text


def _spaced(text: str) -> str:
    return " ".join(text.replace("___", " & ").replace("_", " ").split())
