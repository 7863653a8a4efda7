"""Reads sizes as Docker writes them for people."""

import re

_UNITS = {"B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def size(text: str) -> float:
    """Bytes, of what Docker writes for people, such as 35.2MiB."""
    found = re.fullmatch(r"\s*([\d.]+)\s*([A-Za-z]+)\s*", text)
    return float(found[1]) * _UNITS.get(found[2], 1) if found else 0.0
