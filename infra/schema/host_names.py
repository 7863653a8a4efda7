"""Checks host names and writes them as entries of a certificate."""

import ipaddress
import re
from urllib.parse import urlsplit

_HOST_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def certificate_name(name: str) -> str | None:
    """Return the host name as an entry of a certificate's subjectAltName; None if it is not a usable host name."""
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        labels = name.split(".")
        usable = len(name) <= 253 and all(_HOST_LABEL.fullmatch(label) for label in labels)
        return f"DNS:{name}" if usable and not labels[-1].isdigit() else None
    bracketed = bare != name
    if bracketed != (address.version == 6) or str(address) != bare:
        return None
    return f"IP:{address}"


def has_usable_port(url: str) -> bool:
    """Tell whether a URL's host can be read and the port behind it, if there is one, is 1 to 65535."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False
