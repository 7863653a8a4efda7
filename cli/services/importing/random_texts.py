"""Tells which texts look as if a machine had drawn them at random, as keys and tokens do."""

from __future__ import annotations

import re

#: So many characters a secret has at least, and after an option that is a single letter such as -p.
SHORTEST, SHORTEST_AFTER_A_LETTER = 16, 10
#: What looks random but is public, or has a form of its own.
_PUBLIC = re.compile(
    r"""(?x)
    (?i:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})          # a UUID
    | (?i:(cli|ou|oc|on|om)_[0-9a-z]{6,40} | wx[0-9a-f]{16}) # Feishu's and WeChat's identifiers of apps and people
    | (?i:0x[0-9a-f]{40})                                   # an address of Ethereum
    | [^@\s]+@[\w-]+(\.[\w-]+)+                             # an address of mail
    | @?[\w.-]+/[\w.-]+@\S+                                 # a package with its version
    | v?\d+(\.\d+)+([-+.][0-9A-Za-z.+-]+)?                  # a version
    | [a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z][a-z0-9]{1,9}(:\d+)?  # the name of a host or a file
    | (\.{0,2}|~|[A-Za-z]:|\$\{data\})[/\\].*               # a path
    | \S*sha(256|384|512)[:-].*                             # a hash
    """
)
_TOKEN = re.compile(r"[A-Za-z0-9_+/=.~!@#$%^&*-]+")
#: Words, numbers, and both together as in gpt4, v20241022, 4o and 32b.
_PLAIN = re.compile(r"[A-Za-z]?[a-z]{2,}\d{0,4}|[A-Z]{2,}\d{0,4}|[A-Za-z]?\d{1,14}|\d{1,4}[A-Za-z]{1,3}|[A-Za-z]")
#: Words without a space between them, as in readOnlyMode and MyServer2024.
#: What the words matched is not tried in other ways, which would take very long for long texts.
_JOINED_WORDS = re.compile(r"(?:[A-Z][a-z])?(?>(?:[A-Za-z]?[a-z]{2,}|[A-Z]{2,5}(?![a-z]))+)\d{0,8}")


def looks_random(text: str, shortest: int = SHORTEST) -> bool:
    """Tell whether a text may be a key or a token: long enough, letters and digits mixed, and few words in it."""
    if len(text) < shortest or not _TOKEN.fullmatch(text) or _PUBLIC.fullmatch(text):
        return False
    if not (re.search(r"\d", text) and re.search(r"[A-Za-z]", text)) and not _is_mixed(text):
        return False
    parts = [part for part in re.split(r"[^A-Za-z0-9]+", text) if part]
    strange = sum(len(part) for part in parts if not _is_plain(part))
    return strange >= shortest / 2 and strange * 2 >= len(text)


def _is_plain(part: str) -> bool:
    """Tell whether a part without separators is a word, a number, or words joined in a usual way."""
    return bool(_PLAIN.fullmatch(part) or _JOINED_WORDS.fullmatch(part))


def _is_mixed(text: str) -> bool:
    """Tell whether large and small letters change as they do in no word."""
    return len(re.findall(r"[a-z][A-Z]", text)) * 4 >= len(text)
