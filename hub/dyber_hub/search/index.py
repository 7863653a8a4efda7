"""Ranks the tools of a stack by how well they fit a question in Chinese or English.

The index is a full-text table of SQLite in memory. All callers share it: which tools a caller may see is a part of each
query, so that hidden tools can affect neither the number nor the order of what it gets.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from dyber_hub.search.words import index_words, named_tools, query_words, telling_words
from dyber_hub.views import ShownTool

_TABLE = """
    CREATE VIRTUAL TABLE tools USING fts5(
        name, title, description, parameters, tokenize = "porter unicode61 remove_diacritics 2"
    )
"""
_ROW = "INSERT INTO tools (rowid, name, title, description, parameters) VALUES (?, ?, ?, ?, ?)"
# The names and titles of tools say most about what they are for; the parameters have words of many other things.
_QUERY = """
    SELECT rowid FROM tools
    WHERE tools MATCH ? AND +rowid IN (SELECT value FROM json_each(?))
    ORDER BY bm25(tools, 8.0, 8.0, 3.0, 1.0), rowid
    LIMIT ?
"""
_HAS_ANY = "SELECT EXISTS (SELECT 1 FROM tools WHERE tools MATCH ? AND +rowid IN (SELECT value FROM json_each(?)))"
# Schemas may contain themselves only by reference; these bounds are for schemas of foreign servers.
_DEEPEST, _MOST_PARAMETERS = 8, 500


class SearchIndex:
    """Finds tools by words of their names, titles, descriptions and parameters.

    An index never changes; for other tools, make another index and close this one.

    Args:
        tools: The tools of an address; among equally good ones, the earlier comes first.
        titles: The titles of their services, by the services' names.
    """

    def __init__(self, tools: Sequence[ShownTool], titles: Mapping[str, str]) -> None:
        self._names = [tool.name for tool in tools]
        self._positions = {name: position for position, name in enumerate(self._names)}
        self._folded = {name.casefold(): name for name in self._names}
        # A database in memory is gone with its last connection, so this connection stays open.
        self._database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._database.execute(_TABLE)
        self._database.execute("BEGIN")
        rows = ((position, *_columns(tool, titles.get(tool.service, ""))) for position, tool in enumerate(tools))
        self._database.executemany(_ROW, rows)
        self._database.execute("COMMIT")

    def close(self) -> None:
        """Free the memory; the index finds nothing afterwards."""
        self._database.close()

    def find(self, query: str, admitted: Collection[str], most: int) -> list[str]:
        """Return the names of the tools that fit a question best, the best first; none when no word fits.

        Args:
            query: What the caller looks for, in its own words; nothing in it is syntax. Tools that it names come first.
            admitted: Names of the tools that the caller may see; no other is returned.
            most: How many names to return at most.
        """
        words = query_words(query)
        if not words:
            return []
        rows = self._database.execute(_QUERY, (_any_of(words), self._rows(admitted), most))
        named = [name for name in self._named(query) if name in admitted]
        return list(dict.fromkeys([*named, *(self._names[position] for (position,) in rows)]))[:most]

    def fits(self, query: str, found: Collection[str]) -> bool:
        """Return whether any of the tools found for a question has a word of it that says what the question is about.

        Chinese questions find tools by single characters too, which alone say little: 天气预报 has 天 in common with 天数.
        """
        words = telling_words(query)
        if not words:
            return True
        (fits,) = self._database.execute(_HAS_ANY, (_any_of(words), self._rows(found))).fetchone()
        return bool(fits)

    def _rows(self, names: Collection[str]) -> str:
        return json.dumps([self._positions[name] for name in names if name in self._positions])

    def _named(self, query: str) -> list[str]:
        words = (word.casefold() for word in named_tools(query))
        return [self._folded[word] for word in words if word in self._folded]


def _any_of(words: Sequence[str]) -> str:
    """Return the query of SQLite for rows with any of these words."""
    return " OR ".join('"' + word.replace('"', '""') + '"' for word in words)


def _columns(tool: ShownTool, service_title: str) -> tuple[str, str, str, str]:
    entry = tool.entry
    annotations = entry.get("annotations")
    hinted = annotations.get("title") if isinstance(annotations, dict) else None
    titles = [tool.service, service_title, entry.get("title"), hinted]
    texts = (
        tool.name,
        " ".join(dict.fromkeys(title for title in titles if isinstance(title, str))),
        str(entry.get("description") or ""),
        " ".join(_parameter_texts(entry.get("inputSchema"))),
    )
    name, title, description, parameters = (" ".join(index_words(text)) for text in texts)
    return name, title, description, parameters


def _parameter_texts(schema: Any) -> Iterator[str]:
    """Return the names and the descriptions of all parameters in a JSON Schema."""
    pending: list[tuple[Any, int]] = [(schema, 0)]
    seen = 0
    while pending and seen < _MOST_PARAMETERS:
        part, depth = pending.pop(0)
        if not isinstance(part, dict) or depth > _DEEPEST:
            continue
        properties = part.get("properties")
        for name, parameter in properties.items() if isinstance(properties, dict) else ():
            seen += 1
            yield str(name)
            if isinstance(parameter, dict) and isinstance(parameter.get("description"), str):
                yield parameter["description"]
            pending.append((parameter, depth + 1))
        pending += [(part[key], depth + 1) for key in ("items", "additionalProperties") if key in part]
        for key in ("anyOf", "oneOf", "allOf"):
            alternatives = part.get(key)
            pending += [(other, depth + 1) for other in (alternatives if isinstance(alternatives, list) else ())]
        definitions = part.get("$defs")
        pending += [(other, depth + 1) for other in (definitions.values() if isinstance(definitions, dict) else ())]
