"""MusicBrainz' XML (mmd-2.0), made of the same documents as its JSON.

The two differ in shape, not in content: lists are wrapped in `<x-list count="…">`, ids and types are attributes, the
score has a namespace of its own, relations are grouped by the kind of their target.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

NAMESPACE = "http://musicbrainz.org/ns/mmd-2.0#"
EXT = "http://musicbrainz.org/ns/ext#-2.0"
HELP = "For usage, please see: https://musicbrainz.org/development/mmd"

Json = dict[str, Any]

_ITEMS = {
    "aliases": "alias",
    "artists": "artist",
    "genres": "genre",
    "iso-3166-1-codes": "iso-3166-1-code",
    "label-info": "label-info",
    "recordings": "recording",
    "release-events": "release-event",
    "release-groups": "release-group",
    "releases": "release",
    "secondary-types": "secondary-type",
    "tags": "tag",
    "urls": "url",
}
# Attributes in XML, said elsewhere, or not at all.
_SILENT = {
    "id", "type", "type-id",
    "artist-credit-id", "asin", "format-id", "gender-id", "ipis", "isnis", "packaging-id", "primary-type-id",
    "score", "secondary-type-ids", "status-id", "track-count", "track-offset", "video",
}  # fmt: skip


def document(name: str, content: Any, *, count: int | None = None, offset: int | None = None) -> bytes:
    """A whole reply: `content` is one thing's JSON under its element's name, or a list under the items' name."""
    root = ET.Element("metadata", {"xmlns": NAMESPACE, "xmlns:ext": EXT})
    if isinstance(content, list):
        attributes = {} if count is None else {"count": str(count), "offset": str(offset or 0)}
        parent = ET.SubElement(root, f"{name}-list", attributes)
        for one in content:
            _thing(parent, name, one)
    else:
        _thing(root, name, content)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode").encode(
        "utf-8", "replace"
    )


def error(message: str) -> bytes:
    """A refusal or complaint."""
    root = ET.Element("error")
    for text in (message, HELP):
        ET.SubElement(root, "text").text = text
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root)


def _thing(parent: ET.Element, name: str, content: Any) -> None:
    if not isinstance(content, dict):
        ET.SubElement(parent, name).text = _text(content)
        return
    element = ET.SubElement(parent, name)
    if name == "alias":
        element.text = content["name"]
        element.attrib.update({key: content[key] for key in ("sort-name", "locale", "type") if content.get(key)})
        return
    for key in ("type", "type-id", "id"):
        if content.get(key):
            element.set(key, str(content[key]))
    if name == "release-group" and content.get("primary-type"):
        element.set("type", content["primary-type"])
    if "score" in content:
        element.set("ext:score", str(content["score"]))
    if name in ("tag", "genre") and "count" in content:
        element.set("count", str(content["count"]))
    silent = _SILENT if name == "cover-art-archive" else _SILENT | {"count"}
    for key, value in content.items():
        if key not in silent and value not in (None, "", []):
            _child(element, key, value)


def _child(parent: ET.Element, key: str, value: Any) -> None:
    if key == "artist-credit":
        _credit(parent, value)
    elif key == "isrcs":
        listed = ET.SubElement(parent, "isrc-list", {"count": str(len(value))})
        for isrc in value:
            ET.SubElement(listed, "isrc", {"id": isrc})
    elif key == "media":
        _media(parent, value)
    elif key == "relations":
        _relations(parent, value)
    elif key in _ITEMS:
        item = _ITEMS[key]
        plain = item in ("tag", "genre", "iso-3166-1-code", "secondary-type")
        listed = ET.SubElement(parent, f"{item}-list", {} if plain else {"count": str(len(value))})
        for one in value:
            _thing(listed, item, one)
    else:
        _thing(parent, key, value)


def _credit(parent: ET.Element, credited: list[Json]) -> None:
    credit = ET.SubElement(parent, "artist-credit")
    for one in credited:
        join = {"joinphrase": one["joinphrase"]} if one.get("joinphrase") else {}
        named = ET.SubElement(credit, "name-credit", join)
        if one["name"] != one["artist"]["name"]:
            ET.SubElement(named, "name").text = one["name"]
        _thing(named, "artist", one["artist"])


def _media(parent: ET.Element, media: list[Json]) -> None:
    listed = ET.SubElement(parent, "medium-list", {"count": str(len(media))})
    ET.SubElement(listed, "track-count").text = str(sum(medium["track-count"] for medium in media))
    for medium in media:
        element = ET.SubElement(listed, "medium")
        for key in ("position", "format"):
            if medium.get(key):
                ET.SubElement(element, key).text = str(medium[key])
        tracks = medium.get("tracks") or medium.get("track") or []
        attributes = {"count": str(medium["track-count"]), "offset": str(medium.get("track-offset", 0))}
        track_list = ET.SubElement(element, "track-list", attributes)
        for track in tracks:
            _thing(track_list, "track", track)


def _relations(parent: ET.Element, relations: list[Json]) -> None:
    for target in dict.fromkeys(relation["target-type"] for relation in relations):
        listed = ET.SubElement(parent, "relation-list", {"target-type": target.replace("_", "-")})
        for relation in relations:
            if relation["target-type"] != target:
                continue
            element = ET.SubElement(listed, "relation", {"type-id": relation["type-id"], "type": relation["type"]})
            thing = relation[target]
            named = {"id": thing["id"]} if target == "url" else {}
            ET.SubElement(element, "target", named).text = thing.get("resource", thing["id"])
            if relation["direction"] == "backward":
                ET.SubElement(element, "direction").text = "backward"
            if target != "url":
                _thing(element, target, thing)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
