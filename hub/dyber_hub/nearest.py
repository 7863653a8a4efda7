"""Finds the names that somebody probably meant who wrote one that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

#: How many names an answer suggests at most.
MOST_NEAREST = 3
_LONGEST_COMPARED, _MIN_SIMILARITY = 128, 0.6


def nearest_names(name: str, spellings: Mapping[str, str]) -> list[str]:
    """Return the names that are spelt like `name`, the most alike first; none when none is.

    Args:
        name: What was written.
        spellings: The names to choose from, by what they are compared as; without regard to case.
    """
    folded = {spelling.casefold(): known for spelling, known in spellings.items()}
    written = name.casefold()[:_LONGEST_COMPARED]
    # A name may be there under two spellings.
    alike = difflib.get_close_matches(written, list(folded), 2 * MOST_NEAREST, _MIN_SIMILARITY)
    return list(dict.fromkeys(folded[spelling] for spelling in alike))[:MOST_NEAREST]
