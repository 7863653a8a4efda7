"""Gives the texts of this service in the language of the caller."""

from __future__ import annotations

from dyber_kit.language import Translations

_translations = Translations("weibo_server")
tr, tr_lazy = _translations.tr, _translations.tr_lazy
