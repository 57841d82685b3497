"""What video sites, shops and taggers add to a title and no performer ever sang."""

from __future__ import annotations

import re
from functools import lru_cache

from enrichment.domain.text import REMEMBERED

_MIX_WORDS = re.compile(
    r"(?:re-?)?mix(?:es|ed)?\b|\brmx\b|\bedit\b|\brework\b|\bbootleg\b|\bdub\b|\bfeat\b|\bft\b", re.IGNORECASE
)
_NOISE = re.compile(
    r"""(?:the\ |an?\ )?(?:
        of+ic+i[ae]l(?:e|les)?\b.* | oficial\b.* | of+iziel+es\b.* | censored\b.* | uncensored\b.*
      | (?:music\ |track\ |pure\ )?audio(?:\ (?:clip|only|track|hq))?
      | (?:full\ )?(?:u?hd|hq|[248]k|\d{3,4}p|\d{2}fps)(?:\ (?:u?hd|hq|[248]k|\d{3,4}p|audio|version|quality))*
      | m/?v | p/?v | amv | (?:full\ )?(?:album|ep|single)(?:\ (?:stream|track|hq))?
      | full\ (?:song|track|length|version)
      | cover\ art | album\ (?:art|track)(?:\ video)?
      | new(?:\ (?:song|single|music|track|video|release))?(?:\ 20\d\d)? | !?\bnew\b!* | hot\ new.*
      | dance\ practice.* | choreograph\w* .* | color\ coded.*
      | with\ lyrics | on\ screen | explicit\ lyrics | download | buy\ now | link\ in\ .*
      | out\ (?:now|soon)(?:\ on\ .*)? | premiere | exclusive\ premiere
      | @\w[\w.]* | \#\w+ | (?:beat)?grid+ed | high\ quality | best\ quality | original\ video
      | ncs(?:\ release)? | no\ copyright.* | copyright\ free.* | topic
    )\W*""",
    re.IGNORECASE | re.VERBOSE,
)
_NOISE_WORD = re.compile(
    r"\b(?:videos?|vid[eé]oclip|visuali[sz]ers?|lyrics?|letras?|paroles|clip|stream|teaser|trailer|eng subs?|sub \w+"
    r"|subs|subtitles?|subtitulad[oa]|legendado|hangul|romani[sz]ed|translation|traduc\w+)\b",
    re.IGNORECASE,
)
_LONGEST = 60


@lru_cache(REMEMBERED)
def is_noise(part: str) -> bool:
    """Is a bracketed or dashed part of a title about the video, the file or the shop, not about the music?"""
    if len(part) > _LONGEST or not (_NOISE_WORD.search(part) or _NOISE.fullmatch(part)):
        return False
    return not _MIX_WORDS.search(part)


_SQUARED = re.compile(r"\[[^\[\]]*\]")
_ALONE_TEXT = """
official lyric lyrics letra hd hq uhd 4k videoclip visualizer visualiser mv m/v
"""
_ALONE = frozenset(_ALONE_TEXT.split())
"""What a word alone means. "Music", "Video" and "Teaser" are songs."""
_WORDS_TEXT = """
official officiel oficial offizielles music lyric lyrics lyrical letra video videos vidéo clip videoclip audio
stream hd hq uhd 4k 8k full album ep visualizer visualiser version mv m/v new the with and song track teaser
trailer performance live 720p 1080p 1440p 2160p
"""
_WORDS = frozenset(_WORDS_TEXT.split())


def is_only_noise(part: str) -> bool:
    """Is each word of it noise, "Official Music Video", "Lyrics [HD]"? "Live Video" is; "Live" alone is a version."""
    part = part[:_LONGEST].lower()
    told = (_SQUARED.sub(" ", part) if "[" in part else part).split()
    known = _WORDS if len(told) > 1 else _ALONE
    return bool(told) and all(word.strip("*!.,()[]") in known for word in told)


_TAIL = re.compile(
    r"""[\s|/:~-]*(?:(?<![^\s(\[])(?:
        \(?(?:the\ )?of+icial\ (?:hd\ |hq\ |4k\ |music\ |lyrics?\ |live\ |performance\ |short\ film\ )*(?:video
        |audio|clip|visuali[sz]er|stream|track)\)?
      | of+iziel+es\ (?:musik)?video | (?:vid[eé]o\ ?)?clip\ of+ici[ae]l | videoclip(?:\ of+icial|\ oficial)?
      | v[ií]deo\ oficial | vid[eé]o\ ?clip | (?<!\w)clip
      | music\ video | lyrics?\ video | with\ lyrics | \(?of+icial\)? | m/v | mv | hq(?:\ audio)?
      | hd(?:\ video)? | 4k | \d{3,4}p
      | full\ +album | album\ track | (?:con\ )?sub(?:t[ií]tulos)?\ (?:en\ )?espa[nñ]ol | out\ now!* | free\ download
      | \*{1,3}\s?[^\s*]{1,20}\s?\*{1,3}
    ))\s*$""",
    re.IGNORECASE | re.VERBOSE,
)
_TAIL_WORD = re.compile(
    r"(?:video|audio|clip|visuali[sz]er|stream|track|v|q|d|k|p|lyrics|of+icial|oficial|of+iciel|album"
    r"|espa[nñ]ol|now!*|download|\*)\)?\s*$",
    re.IGNORECASE,
)
_TAIL_LETTERS = frozenset(" oprmvqdkslw!*)")
"""What the words of `_TAIL_WORD` end in: a look at one letter saves most searches."""
_EXTENSION = re.compile(
    r"\.?\s?\.(?:mp3|wav|flac|aiff?|m4a|m4v|ogg|oga|opus|wma|aac|alac|mp4|mov|avi|wmv|mkv|webm|mpe?g|flv|3gp)$",
    re.IGNORECASE,
)
_EDGES = ' \t/,:;~|-"'


def strip_extension(text: str) -> tuple[str, bool]:
    """A text without a media file's extension, and whether it had one."""
    if "." not in text[-6:]:
        return text, False
    cut = _EXTENSION.sub("", text)
    return cut.rstrip(), cut != text


def strip_tail(text: str) -> str:
    """A title without the noise at its end that stands in no bracket: "Anti-D Official Video" -> "Anti-D"."""
    for _ in range(3):
        if text[-1:].lower() not in _TAIL_LETTERS or not _TAIL_WORD.search(text, max(0, len(text) - 14)):
            break
        start = max(0, len(text) - 60)
        cut = text[:start] + _TAIL.sub("", text[start:])
        if cut == text or not cut.strip(_EDGES):
            break
        text = cut
    return text


def unquoted(text: str) -> str:
    """A title without quotes that hold the whole of it, and without one that is never closed."""
    for quote in "\"'":
        if len(text) > 2 and text[0] == text[-1] == quote and quote not in text[1:-1]:
            return text[1:-1].strip()
    if text.count('"') == 1 and (text[0] == '"' or (text[-1] == '"' and not text[-2:-1].isdigit())):
        return text.strip('" ')
    return text


def trimmed(text: str) -> str:
    """A title without the separators left at its edges."""
    return text.strip("/,:;|- \t")
