"""Makes texts about tools fit their reader: tools have the names to call them by, and tools that it lacks are left out.

Services write their texts for somebody who has all their tools under their own names. A group has other names, and only
some of the tools; the scope of a caller may exclude more.
"""

from __future__ import annotations

import re
from collections import defaultdict

from dyber_hub.scopes import HubScope
from dyber_hub.views import NAME, View

# Where a sentence ends: behind its mark. In "e.g. this", none does.
_SENTENCE_END = re.compile(r"(?<=[。！？；])(?![”’」』）])|(?<=[.;!?])(?<!e\.g\.)(?<!i\.e\.)(?=\s)")
_MARKER = re.compile(r"\s*(?:(?:[-*+•]|\d+[.)])\s+|\d+、)?")
# Other names could be ordinary words, such as `search`; they count only in quotes, and in texts of their own service.
_IS_SURELY_A_NAME = re.compile(r"[A-Za-z0-9][_.-][A-Za-z0-9]|[a-z][A-Z]|[A-Za-z][0-9]")
_QUOTES = tuple("`'\"“‘「『")


class Mentions:
    """Rewrites texts that name tools, for one caller at one address.

    Args:
        view: The address.
        scope: What the caller may use.
    """

    def __init__(self, view: View, scope: HubScope) -> None:
        tools = view.tools(scope)
        self._callable = {tool.name for tool in tools}
        self._names = {(tool.service, tool.tool.name): tool.name for tool in reversed(tools)}
        self._meant: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        for service in view.live.services.values():
            for tool in service.tools or ():
                self._meant[tool.name].add((service.name, tool.name))
                self._meant[service.shown(tool.name)].add((service.name, tool.name))
        for shown in view.contents.tools.values():
            self._meant[shown.name].add((shown.service, shown.tool.name))

    def fitted(self, text: str, service: str | None = None) -> str:
        """Return a text with the names that the caller knows, without the sentences about tools that it lacks.

        Args:
            text: The text.
            service: Name of the service that wrote it; None for a text of the address itself.
        """
        lines = (self._line(line, service) for line in text.split("\n"))
        return "\n".join(line for line in lines if line is not None).strip()

    def _line(self, line: str, service: str | None) -> str | None:
        """Return a line with what is left of it; None when that is nothing."""
        marker = _MARKER.match(line)
        begin = marker.end() if marker else 0
        kept: list[str] = []
        for sentence in _SENTENCE_END.split(line[begin:]):
            if not self._names_missing(sentence, service):
                kept.append(sentence)
            elif kept:
                kept[-1] = _ended(kept[-1])
        if not kept:
            return None
        text = "".join(kept).lstrip()
        return line[:begin] + NAME.sub(lambda found: self._shown_at(found, service) or found[0], text)

    def _names_missing(self, sentence: str, service: str | None) -> bool:
        return any(self._shown_at(found, service) is None for found in NAME.finditer(sentence))

    def _shown_at(self, found: re.Match[str], service: str | None) -> str | None:
        """Return what the caller calls what stands at a place of a text, as `_shown` does."""
        name = found[0]
        if not _IS_SURELY_A_NAME.search(name) and found.string[found.start() - 1 : found.start()] not in _QUOTES:
            return name
        return self._shown(name, service)

    def _shown(self, name: str, service: str | None) -> str | None:
        """Return what the caller calls the tool that a name means; None when it lacks that tool.

        A word that is no name of a tool stays as it is.
        """
        meant = self._meant.get(name, set())
        if service is not None and (service, name) in meant:
            return self._names.get((service, name))
        if not meant or name in self._callable or not _IS_SURELY_A_NAME.search(name):
            return name
        return next((self._names[tool] for tool in sorted(meant) if tool in self._names), None)


def _ended(text: str) -> str:
    """Return a sentence whose continuation is left out, with a full stop in place of a semicolon."""
    if text.endswith("；"):
        return text[:-1] + "。"
    return text[:-1] + "." if text.endswith(";") else text
