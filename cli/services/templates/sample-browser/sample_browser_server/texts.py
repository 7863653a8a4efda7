"""Gives the code of this service the functions for texts that callers read: English here, Chinese in `locale/zh.po`."""

from __future__ import annotations

from dyber_kit.language import Translations

_texts = Translations("sample_browser_server")
tr = _texts.tr
tr_lazy = _texts.tr_lazy
