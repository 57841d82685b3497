"""The grammar of what scrapers and DJs write: tracklist lines, video titles, file names, line-ups of events.

`read` takes one line apart, `read_all` the lines of one text; `clean_field` cleans one field by a named rule. All are
pure, never raise, and look at a bounded number of characters.
"""

from enrichment.domain.parsing.credits import Artist, Known, dictionary, is_well_known, read_credit, split_names
from enrichment.domain.parsing.fields import RULES, clean_field
from enrichment.domain.parsing.lines import Line, Part, Stage, is_unknown, read_line
from enrichment.domain.parsing.lineups import read_lineup
from enrichment.domain.parsing.reading import looks_like_lineup, read, read_all, split_video
from enrichment.domain.parsing.versions import Title, kinds_of, read_label, read_title

__all__ = [
    "RULES",
    "Artist",
    "Known",
    "Line",
    "Part",
    "Stage",
    "Title",
    "clean_field",
    "dictionary",
    "is_unknown",
    "is_well_known",
    "kinds_of",
    "looks_like_lineup",
    "read",
    "read_all",
    "read_credit",
    "read_label",
    "read_line",
    "read_lineup",
    "read_title",
    "split_names",
    "split_video",
]
