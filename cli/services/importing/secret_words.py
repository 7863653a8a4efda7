"""Tells which names and values of a server's description are secret, and which values only stand for one."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

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
    ^<[^<>]*>$ | ^\[[^\[\]]*\]$                            # <key>, [key]
    | ^(your|my|enter|insert|put|paste|replace|change)[-_ ]?
    | [-_ ]here$
    | ^[x*.…]{3,}$ | x{4,}$ | \*{3,}
    | ^(sk|pk|ghp|tvly)[-_](x+|\.+|…|\*+|your.*|\.\.\.)$
    | 您的 | 你的 | 请输入 | 请填写 | 填入 | 在此 | 这里 | 替换
    """
)
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
    return has_password(text)


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
