"""Gives the service's code its texts for callers; the Chinese ones are in `locale/zh.po`."""

from __future__ import annotations

from dyber_kit.language import Translations

_texts = Translations("xiaohongshu_server")
tr = _texts.tr
tr_lazy = _texts.tr_lazy
