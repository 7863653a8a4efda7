"""Checks host names and writes them as entries of a certificate."""

import ipaddress
import re

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
