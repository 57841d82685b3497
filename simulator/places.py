"""Countries: ISO 3166-1 code, MusicBrainz' name of the area, and how often an invented performer comes from it."""

from __future__ import annotations

COUNTRIES: dict[str, tuple[str, int]] = {
    "US": ("United States", 30),
    "GB": ("United Kingdom", 14),
    "DE": ("Germany", 9),
    "FR": ("France", 7),
    "CA": ("Canada", 4),
    "NL": ("Netherlands", 4),
    "SE": ("Sweden", 4),
    "JP": ("Japan", 4),
    "RU": ("Russia", 4),
    "IT": ("Italy", 3),
    "AU": ("Australia", 3),
    "BE": ("Belgium", 2),
    "ES": ("Spain", 2),
    "BR": ("Brazil", 2),
    "FI": ("Finland", 2),
    "NO": ("Norway", 2),
    "DK": ("Denmark", 1),
    "PL": ("Poland", 1),
    "UA": ("Ukraine", 1),
    "AT": ("Austria", 1),
    "CH": ("Switzerland", 1),
    "PT": ("Portugal", 1),
    "IE": ("Ireland", 1),
    "MX": ("Mexico", 1),
    "KR": ("South Korea", 1),
    "TW": ("Taiwan", 1),
    "CN": ("China", 1),
    "IN": ("India", 1),
    "JM": ("Jamaica", 1),
    "NG": ("Nigeria", 1),
    "ZA": ("South Africa", 1),
    "AR": ("Argentina", 1),
    "TR": ("Turkey", 1),
    "GR": ("Greece", 1),
    "IL": ("Israel", 1),
    "EG": ("Egypt", 1),
}

WEIGHTED = tuple(code for code, (_, weight) in COUNTRIES.items() for _ in range(weight))
MARKETS = tuple(COUNTRIES)
NAMES = {code: name for code, (name, _) in COUNTRIES.items()}

VENUES = (
    "Wembley",
    "the Paradiso, Amsterdam",
    "Montreux",
    "the Fillmore",
    "Budokan",
    "Glastonbury",
    "KEXP",
    "Maida Vale",
)
