"""Holds the functions with which this package writes its texts; the Chinese ones are in `locale/zh.po`."""

from __future__ import annotations

from dyber_kit.language import Translations

_texts = Translations("bilibili_server")
tr = _texts.tr
tr_lazy = _texts.tr_lazy
