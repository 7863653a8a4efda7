"""Gives this service the functions with which it writes its texts for callers."""

from __future__ import annotations

from dyber_kit.language import Translations

_texts = Translations("douyin_server")
tr = _texts.tr
tr_lazy = _texts.tr_lazy
