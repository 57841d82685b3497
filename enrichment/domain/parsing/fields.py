"""Cleaning one field by a named rule, as scrobblers do it: "remove-remastered", "fix-track-suffix", "youtube" ….

Each rule does one thing to one text, where `lines` takes a whole line apart. The names are those of the rules that the
scrobbling world shares (metadata-filter's), so that its labelled sets measure ours.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from enrichment.domain.parsing.noise import is_noise, strip_extension, strip_tail, trimmed, unquoted

Rule = Callable[[str], str]

_LONGEST = 500
_LONGEST_PART = 80
"""Characters of a bracket, or of an ending behind a dash, that says a version."""
_RUNS = re.compile(r"\s{9,}")
_SPACES = re.compile(r"\s+")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_FEAT = r"(?:feat(?:uring)?|ft)\b\.?"
_FEAT_TAIL = re.compile(rf"(?:\s|\s?[(\[])\s?\b{_FEAT}\s+\S.*$", re.IGNORECASE)
_FEAT_BRACKET = re.compile(rf"\s*[(\[]\s*{_FEAT}\s+(?P<names>[^()\[\]]+)[)\]]", re.IGNORECASE)
_SUFFIX = re.compile(
    r"^(?P<title>.*\S)\s-\s+(?P<version>(?:\S.*\b)?(?:re-?mix|mix|rmx|edit|dub|vip|version|rework|bootleg"
    r"|instrumental|flip|mash-?up)(?:\s+(?:edit|mix|version))?)$",
    re.IGNORECASE,
)
_ADDITIONAL = re.compile(r"\s*(?:,\s|\s(?:&|x|\+|and|vs\.?|with|feat(?:uring)?\.?|ft\.?)\s|;).*$", re.IGNORECASE)
_MASTER = r"re-?master(?:ed|s)?"
_MASTERED = (
    rf"(?:\d{{4}}|digital(?:ly)?|deluxe|anniversary|stereo|mono|new|\d+(?:st|nd|rd|th)|edition|version|album"
    rf"|box|set|in|the|original|recording|bonus|track|tracks"
    rf"|expanded|special|super|mix|single|lp|ep|and|\+|&|/|-|{_MASTER}|\s)*"
)
_REMASTER = re.compile(rf"{_MASTERED}\b{_MASTER}\b{_MASTERED}", re.IGNORECASE)
_LIVE_REMASTER = re.compile(rf"^(?P<kept>.*\S)\s*/\s*{_MASTERED}{_MASTER}{_MASTERED}$", re.IGNORECASE)
_EDITION = (
    r"(?:(?:deluxe|super|expanded|special|legacy|limited|extended|bonus|track|tracks|collector'?s|anniversary|digital"
    r"|international|explicit|platinum|\d+(?:st|nd|rd|th)|\d{4}|/|\s)*(?:edition|anniversary|deluxe))"
)
_VERSION = re.compile(
    rf"(?:(?:(?:\d{{4}}|the|original|album|single|mono|stereo|explicit|clean|rerecorded|re-recorded|remastered"
    rf"|deluxe|expanded|short|long|extended|full|lp|studio|uk|us|main|digital|radio|international|bonus\ track"
    rf"|7\"|12\"|/|\s)+)"
    rf"(?:versions?|edit|mix|edition|length)?(?:\s*(?:\d{{4}}|remaster(?:ed)?))*"
    rf"|re-?recorded(?:\s*/\s*re-?mastered)?|edit|versions?|original|bonus\ track|{_EDITION}(?:\ (?:version"
    rf"|{_MASTER}|edition))*)",
    re.IGNORECASE,
)
_LIVE = re.compile(
    r"(?:recorded\s+)?live(?:\s*/.*|\s+(?:version|session|at|in|from|on)\b.*)?|en\s+vivo.*|ao\s+vivo.*", re.IGNORECASE
)
_REISSUE = re.compile(r"(?:.*\s)?re-?issued?\b.*", re.IGNORECASE)
_EXPLICIT = re.compile(r"(?:explicit|clean|dirty)(?:\s+(?:version|edit|content))?", re.IGNORECASE)
_PARODY = re.compile(r"\s*(?:[(\[][^()\[\]]*\bparod(?:y|ia)\b.*[)\]]|\s-\s+(?:an?\s)?parody\b.*)$", re.IGNORECASE)
_LIVE_TAIL = re.compile(r"\s[-–—]\s+live\b.*$", re.IGNORECASE)
_REISSUE_TAIL = re.compile(
    r"(?:\s\d{4})?(?:\sremastered)?\sre-?issued?(?:\s\d{4})?(?:\s*\+\s*bonus(?:\s\w+)?)?$", re.IGNORECASE
)
_MIXES = re.compile(r"(?:.*\b)?(?:re-?mix|mix|edit|dub|rework|bootleg)\b.*", re.IGNORECASE)
_BRACKET = re.compile(r"\s*(?:\((?P<round>[^()]*)\)|\[(?P<square>[^\[\]]*)\])")
_DASHED = re.compile(r"^(?P<title>.*\S)\s+[-–—]\s+(?P<version>\S.*)$")
_QUOTES = str.maketrans({**dict.fromkeys("‘’‚‛′＇", "'"), **dict.fromkeys("“”„‟″＂", '"')})
_HIDDEN = re.compile("[\u200b-\u200f\u2060-\u2064\ufeff\u00ad]")
_WIDE = str.maketrans("【】（）", "[]()")


def clean_field(rule: str, text: str) -> str:
    """A text (its first 500 characters) cleaned by a rule of `RULES`. Raises KeyError for a rule that is none.

    What the rule does not concern stays as it is, but for spaces at the edges and runs of nine and more.
    """
    return RULES[rule](_RUNS.sub(" ", text[:_LONGEST]))


def _trim(text: str) -> str:
    return _SPACES.sub(" ", text).strip()


def _without(rule: re.Pattern[str], text: str) -> str:
    """Without the brackets, and the ending behind a dash, that the rule describes from end to end."""

    def judged(match: re.Match[str]) -> str:
        inner = (match["round"] if match["round"] is not None else match["square"]).strip()
        return "" if len(inner) <= _LONGEST_PART and rule.fullmatch(inner) else match[0]

    text = _BRACKET.sub(judged, text).strip()
    while (
        (dashed := _DASHED.match(text))
        and len(dashed["version"]) <= _LONGEST_PART
        and rule.fullmatch(dashed["version"].strip())
    ):
        text = dashed["title"].strip()
    return text


def _entities(text: str) -> str:
    return _ENTITY.sub(lambda match: html.unescape(match[0]), text)


def _suffix(text: str) -> str:
    match = _SUFFIX.match(text)
    return f"{match['title']} ({match['version']})" if match else text


def _various(text: str) -> str:
    return "Various Artists" if re.match(r"various(?:\s+artists?)?\s*[(\[]", text, re.IGNORECASE) else text


def _remastered(text: str) -> str:
    def judged(match: re.Match[str]) -> str:
        inner = (match["round"] if match["round"] is not None else match["square"]).strip()
        if len(inner) > _LONGEST_PART:
            return match[0]
        if (kept := _LIVE_REMASTER.match(inner)) and not re.search(_MASTER, kept["kept"], re.IGNORECASE):
            return match[0].replace(inner, kept["kept"])
        return "" if _REMASTER.fullmatch(inner) else match[0]

    text = _BRACKET.sub(judged, text).strip()
    dashed = _DASHED.match(text)
    if dashed and len(dashed["version"]) > _LONGEST_PART:
        return text
    if dashed and (kept := _LIVE_REMASTER.match(dashed["version"])):
        return f"{dashed['title']} - {kept['kept']}"
    return dashed["title"] if dashed and _REMASTER.fullmatch(dashed["version"]) else text


def _spotify(text: str) -> str:
    return _without(_LIVE, _version(_remastered(_without_feature(text))))


def _amazon(text: str) -> str:
    return _version(_remastered(_without_feature(_without(_EXPLICIT, text))))


def _version(text: str) -> str:
    return _without(_VERSION, _remastered(text))


def _without_feature(text: str) -> str:
    cut = _FEAT_TAIL.sub("", _FEAT_BRACKET.sub("", text))
    return cut.rstrip(" &,") if cut != text else text


_ALWAYS_NOISE = re.compile(
    r"(?:live|en\s+vivo)\b.*|\d{4}|.*\d{1,2}/\d{1,2}/\d{2,4}.*|letra\s*/\s*lyrics|\s*|(?:official\s+)?(?:track"
    r"|live)\s+stream",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"^(?:.*\s)?(?P<quote>[\"'])(?P<title>.{5,})(?P=quote)(?:\s.*)?$")


def _youtube(text: str) -> str:
    """A video's title as a song's: brackets about the video, live notes, all in square brackets, pipes, quotes."""
    text = text.translate(_WIDE).translate(_QUOTES).strip()
    text = re.sub(r"\s*(?<!\*)\*{1,3}\s?[^\s*][^*]{0,30}\*{1,3}$", "", text)
    text = re.sub(r"\s*\[[^\[\]]+\]", "", text)

    def judged(match: re.Match[str]) -> str:
        inner = (match["round"] or "").strip()
        return "" if _ALWAYS_NOISE.fullmatch(inner) or is_noise(inner) else match[0]

    text = _BRACKET.sub(judged, text)
    text = text.split("|")[0] or text
    while (dashed := _DASHED.match(text)) and is_noise(dashed["version"]):
        text = dashed["title"]
    text = strip_tail(strip_extension(text.strip())[0])
    quoted = _QUOTED.match(text)
    text = trimmed(quoted["title"] if quoted else text).strip('"~; ')
    return trimmed(unquoted(text)) or text


RULES: dict[str, Rule] = {
    "album-artist-from-artist": _without_feature,
    "amazon": _amazon,
    "decode-html-entities": _entities,
    "fix-track-suffix": _suffix,
    "fix-various-artists": _various,
    "normalize-feature": lambda text: _FEAT_BRACKET.sub(r" feat. \g<names>", text),
    "remaster": _remastered,
    "remove-additional-artists": lambda text: _ADDITIONAL.sub("", text),
    "remove-clean-explicit": lambda text: _without(_EXPLICIT, text),
    "remove-feature": _without_feature,
    "remove-live": lambda text: _LIVE_TAIL.sub("", _without(_LIVE, text)),
    "remove-mixes": lambda text: _without(_MIXES, text),
    "remove-parody": lambda text: _PARODY.sub("", text).strip(),
    "remove-reissue": lambda text: _REISSUE_TAIL.sub("", _without(_REISSUE, text)),
    "remove-remastered": _remastered,
    "remove-version": _version,
    "remove-zero-width": lambda text: _HIDDEN.sub("", text.replace("\u200d", "")),
    "replace-nbsp": lambda text: text.replace("\u00a0", " "),
    "replace-smart-quotes": lambda text: text.translate(_QUOTES),
    "spotify": _spotify,
    "tidal": _version,
    "trim": _trim,
    "youtube": _youtube,
}
