"""MusicBrainz' XML (MMD 2.0) in the shape of its JSON, so that sources read one shape.

The parser of musicbrainzngs has a third shape and leaves out what is newer than itself, genres among it.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

_PLURALS = {"medium-list": "media", "alias-list": "aliases", "label-info-list": "label-info"}
_TEXT_ONLY = frozenset({"isrc", "iso-3166-1-code", "iso-3166-2-code", "secondary-type", "attribute"})
_SPACE = b"\xef\xbb\xbf \t\r\n"


def is_xml(body: bytes) -> bool:
    """Is this XML, or JSON? Told by the body: mirrors and recordings answer in either, whatever was asked for."""
    return body.lstrip(_SPACE).startswith(b"<")


def from_xml(body: bytes) -> dict[str, Any]:
    """A reply: the entity itself for a lookup, `{"recordings": […], "count": "7"}` and the like for a search.

    Raises ValueError where it is not MusicBrainz' XML.
    """
    try:
        root = ET.fromstring(body.lstrip(_SPACE))  # noqa: S314 - expat bounds what entities grow to
    except (ET.ParseError, UnicodeError, LookupError) as error:
        raise ValueError(f"not XML: {error}") from error
    if _name(root.tag) != "metadata":
        raise ValueError(f"not MusicBrainz' XML but <{_name(root.tag)[:40]}>")
    content = _object(root)
    for listed in root:
        if _name(listed.tag).endswith("-list"):
            content |= listed.attrib
    entities = [
        value for name, value in content.items() if isinstance(value, dict) and not root.find(f"{{*}}{name}-list")
    ]
    return entities[0] if len(entities) == 1 and len(root) == 1 else content


def _name(tag: str) -> str:
    return tag.rpartition("}")[2]


def _plural(name: str) -> str:
    return _PLURALS.get(name, name.removesuffix("-list") + "s")


def _object(element: ET.Element) -> dict[str, Any]:
    result: dict[str, Any] = {_name(name): value for name, value in element.attrib.items()}
    for child in element:
        name = _name(child.tag)
        if name == "relation-list":
            kind = child.get("target-type", "")
            result.setdefault("relations", []).extend(_relation(relation, kind) for relation in child)
        elif name == "artist-credit":
            result[name] = [_object(credit) for credit in child]
        elif name.endswith("-list"):
            result[_plural(name)] = [_value(row) for row in child]
        else:
            result[name] = _value(child)
    if _name(element.tag) == "release-group" and "type" in result:
        result.setdefault("primary-type", result["type"])
    return result


def _value(element: ET.Element) -> Any:
    name = _name(element.tag)
    if name in _TEXT_ONLY and not len(element):  # the reply to an ISRC is called `isrc` too, and holds its recordings
        return element.get("id") or element.text or ""
    if name == "alias":
        return {**element.attrib, "name": element.text or ""}
    if len(element) or element.attrib:
        return _object(element)
    return element.text or ""


def _relation(element: ET.Element, kind: str) -> dict[str, Any]:
    result = _object(element) | {"target-type": kind}
    if kind == "url" and not isinstance(result.get("url"), dict):
        result["url"] = {"resource": element.findtext("{*}target") or ""}
    return result
