"""Gives the modules of this package their texts: English in the code, Chinese in `locale/zh.po`."""

from __future__ import annotations

from dyber_kit.language import Translations

_texts = Translations("zhihu_server")
tr = _texts.tr
tr_lazy = _texts.tr_lazy
