"""Tells which names and values of a server's description are secret, and which values only stand for one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from cli.services.importing.random_texts import SHORTEST, SHORTEST_AFTER_A_LETTER, looks_random

#: A name with one of these words names a secret.
_WORDS = frozenset(
    "token key secret password passwd pass pwd passphrase pat cookie auth authorization bearer credential private "
    "apikey accesskey secretkey authtoken accesstoken appsecret webhook ak sk sessdata dsn".split()
)
_PLURALS = frozenset("tokens keys secrets passwords cookies credentials".split())
#: A name with one of these words is about an amount or a place of secrets, as in MAX_TOKENS.
_AMOUNTS = frozenset("max min limit count number num budget length size file path dir".split())
#: How values begin that are only used as secrets.
_PREFIXES = ("sk-", "sk_", "pk_", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "xapp-", "AKIA",
             "AIza", "eyJ", "tvly-", "ntn_", "hf_", "ms-", "r8_", "pat-", "Bearer ", "Basic ")  # fmt: skip
_ENDS = re.compile(r"(?i)(token|secret|password|passwd|apikey|api_?key|accesskey|secretkey|credentials?|cookie)$")
_STANDS_FOR_A_VALUE = re.compile(
    r"""(?ix)
    <[a-z][^<>]*> | ^\[[a-z][\w\ -]*\]$                    # <key>, [key]
    | (^|[-_\ /:=])your[-_\ ]\w | ^(?-i:your[A-Z]|Your[A-Z])
    | ^your(?=[a-z]+$)(api|access|secret|app|client|bot|user)*(key|token|secret|password|passwd|id|name|host|url|domain|org)$
    | ^(my|the|a|an|some)[-_\ ]?((api|access|secret|app|auth|private)[-_\ ]?)*(key|token|secret|password|passwd|credentials?)$
    | ^(enter|insert|put|paste|replace|change|fill|add|set)[-_\ ]?(me|it|this|your|the|an?|with|in|here)([-_\ ].*)?$
    | ^(enter|insert|put|paste|replace)[-_\ ]([^\W_]+[-_\ ])*(key|token|secret|password|id|value)$
    | ^(placeholder|change[-_\ ]?it)$ | [-_\ ]here$
    | ^[x*.…]{3,}$ | (^|[^a-z])x{3,}$ | x{4,}$ | \*{3,}
    | ^(sk|pk|ghp|tvly)[-_](\.+|…|\*+|\.\.\.)$
    | (^|[-_\ :=])[您你]的 | ^请?(在此|在这里|这里|此处)?(输入|填写|填入|替换) | ^(在此|在这里|这里|此处) | (在此|这里|此处)(填|输入|替换)
    """
)
#: Options that often take a key, a password, a secret or a token.
_SHORT_OPTIONS = ("-k", "-p", "-s", "-t")
#: A parameter with a secret inside a text, as in `Server=db;Password=x` and `https://host/mcp?key=x`.
_NAMED_INSIDE = re.compile(r"(?i)(^|[;&?\s])(password|passwd|pwd|token|secret|(api|access)?[_-]?key)=[^;&\s${<]{4,}")
#: `NAME=value`, in which only the name can tell whether the value is secret.
_ASSIGNMENT = re.compile(r"^-{0,2}([A-Za-z][A-Za-z0-9_.-]*)=(.+)$", re.DOTALL)


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case, such as `api` and `key` of API_KEY, api-key and apiKey."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word.lower() for word in re.split(r"[^A-Za-z0-9]+", spaced) if word]


def is_secret_name(name: str) -> bool:
    """Tell whether a variable, header, option or parameter of this name holds a secret."""
    words = words_of(name)
    if _AMOUNTS & set(words):
        return bool(set(words) & {"password", "passwd", "secret"}) and not set(words) & {"file", "path", "dir"}
    return bool((_WORDS | _PLURALS) & set(words)) or bool(words and _ENDS.search(words[-1]))


def is_secret_value(value: str) -> bool:
    """Tell whether a value is surely secret, whatever its name: known kinds of tokens, addresses with a password."""
    text = value.strip()
    if len(text) >= 12 and text.startswith(_PREFIXES):
        return True
    return has_password(text) or bool(_NAMED_INSIDE.search(text))


def may_be_secret(value: str) -> bool:
    """Tell whether a value is secret or looks like one, whatever its name."""
    return is_secret_value(value) or looks_random(value.strip())


def has_password(address: str) -> bool:
    """Tell whether an address has a password, as in `postgres://user:password@host/`."""
    if "://" not in address:
        return False
    try:
        return bool(urlsplit(address).password)
    except ValueError:
        # An address that cannot be taken apart may hold anything.
        return "@" in address


def stands_for_a_value(value: str) -> bool:
    """Tell whether a value is only there to be replaced, such as YOUR_API_KEY or <token>."""
    text = value.strip()
    return not text or bool(_STANDS_FOR_A_VALUE.search(text))


def secret_arguments(arguments: tuple[str, ...]) -> list[str]:
    """Return what names the secrets among a server's arguments: options and names, never values."""
    found: list[str] = []
    option = ""
    for argument in arguments:
        assignment = _ASSIGNMENT.match(argument)
        if assignment and "://" not in assignment[1]:
            if is_secret_name(assignment[1]) or is_secret_value(assignment[2]):
                found.append(argument[: argument.index("=")])
        elif option and not argument.startswith("-") and is_secret_name(option):
            found.append(option)
        elif is_secret_value(argument):
            found.append(option or "…")
        option = argument if argument.startswith("-") and "=" not in argument else ""
    return found


def possible_secrets(arguments: Sequence[str]) -> dict[int, str]:
    """Return the positions of arguments that look like secrets, each with the option before it, or "".

    Those that `secret_arguments` names are not among them for sure.
    """
    found: dict[int, str] = {}
    option = ""
    for position, argument in enumerate(arguments):
        shortest = SHORTEST_AFTER_A_LETTER if option in _SHORT_OPTIONS else SHORTEST
        if any(looks_random(text, shortest) for text in _values_in(argument)):
            found[position] = option or _option_in(argument)
        option = argument if argument.startswith("-") and "=" not in argument else ""
    return found


def _values_in(argument: str) -> list[str]:
    """Return what may be a value in an argument: all of it, what is after `=`, and what is after a letter as in -sVALUE."""
    if assignment := _ASSIGNMENT.match(argument):
        return [assignment[2]]
    if argument.startswith("-"):
        return [argument[2:]] if argument[1:2].isalpha() else []
    return [argument]


def _option_in(argument: str) -> str:
    """Return the option at the beginning of an argument, or ""."""
    if not argument.startswith("-"):
        return ""
    return argument.partition("=")[0] if "=" in argument else argument[:2]
