"""Gives the hub's code the functions for texts that callers read: English here, Chinese in `locale/zh.po`."""

from __future__ import annotations

from dyber_kit.language import Translations

_texts = Translations("dyber_hub")
tr = _texts.tr
tr_lazy = _texts.tr_lazy
