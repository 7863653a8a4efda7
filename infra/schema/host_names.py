"""Checks host names and writes them as entries of a certificate."""

import ipaddress
import re
from urllib.parse import urlsplit

#: IPv6 networks whose addresses end with an IPv4 address: NAT64 (RFC 6052), and the IPv4-compatible ones (RFC 4291).
_IPV4_AT_THE_END = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
#: NAT64 of private networks (RFC 8215).
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
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


def is_public_address(address: str) -> bool:
    """Tell whether an IP address is on the internet; an IPv4 address inside an IPv6 one is checked in its place.

    Raises ValueError for text that is no IP address.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.is_site_local or ip in _LOCAL_NAT64:
            return False
        wrapped = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if wrapped is None and any(ip in network for network in _IPV4_AT_THE_END):
            wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = wrapped or ip
    return ip.is_global and not ip.is_multicast
