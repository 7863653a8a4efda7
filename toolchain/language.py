"""The language that people are spoken to in: Chinese unless they ask for English."""

from __future__ import annotations

import locale
import os
import sys


def language() -> str:
    """`zh` or `en`: DYBER_LANG, else the locale when it names one of the two, else `zh`."""
    chosen = os.environ.get("DYBER_LANG", "").strip().lower()
    if not chosen:
        chosen = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    if not chosen and sys.platform == "win32":
        chosen = locale.getlocale()[0] or ""
    return "en" if chosen.lower().startswith("en") else "zh"


def tr(zh: str, en: str) -> str:
    """The one of two texts that fits the user's language."""
    return en if language() == "en" else zh
