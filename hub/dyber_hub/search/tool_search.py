"""Answers the tools of the search address: which tools fit a question, which services there are, which name was meant."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import anyio
import anyio.to_thread
from dyber_kit.calling.answers import WARNINGS_META, failed
from dyber_kit.calling.arguments.reading import read_arguments, shown_name
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import joined_names, joined_sentences

from dyber_hub.catalogue import Item, Service
from dyber_hub.nearest import MOST_NEAREST, nearest_names
from dyber_hub.scopes import HubScope
from dyber_hub.search.declarations import FindTools, ListServices, schema_of
from dyber_hub.search.index import SearchIndex
from dyber_hub.texts import tr, tr_lazy
from dyber_hub.views import ShownTool, View

#: Most characters of an answer; tools and services that do not fit are left out, and counted.
MAX_ANSWER_CHARS = 24_000

_SHOWN_FIELDS = ("title", "description", "inputSchema", "annotations")
# Room for what an answer has beside its tools: their count, a note.
_FRAME_CHARS = 1_000
_FIND_SCHEMA, _LIST_SCHEMA = schema_of(FindTools), schema_of(ListServices)


class ToolSearch:
    """Finds tools of an address of the hub for its callers.

    Each answer is a result of `tools/call` as JSON. What a caller may not use is neither found nor counted.

    Args:
        view: The address whose tools are searched.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._index: SearchIndex | None = None
        self._version = -1
        self._building = anyio.Lock()

    async def find_tools(self, given: Any, scope: HubScope) -> Item:
        """Return the tools that fit a question best, with what is needed to call them.

        Args:
            given: The arguments of the call; see `declarations.FindTools`.
            scope: What the caller may use.
        """
        try:
            read = read_arguments(FindTools, _FIND_SCHEMA, given)
            services = self._chosen(read.checked.service, scope)
        except ServiceError as error:
            return failure(error)
        index = await self._current_index()
        admitted = {tool.name: tool for tool in self._view.tools(scope) if tool.service in services}
        names = index.find(read.checked.query, admitted.keys(), read.checked.limit)
        if not names:
            return self._nothing_fits(scope, read.warnings)
        listed, left_out = _fitting(_described(admitted[name]) for name in names)
        notes = []
        if not index.fits(read.checked.query, names):
            notes.append(
                tr(
                    "No tool fits well; these only come near. Try other words, in Chinese or English, or see what there is "
                    "with list_services"
                )
            )
        if left_out:
            notes.append(tr("Some tools did not fit into this answer; ask for fewer (limit), or for one service"))
        note = {"note": joined_sentences(notes)} if notes else {}
        return _answer({**note, "tools": listed, "left_out": left_out}, read.warnings)

    async def list_services(self, given: Any, scope: HubScope) -> Item:
        """Return the services of which the caller may use anything, with the number of tools and the state of each."""
        try:
            read = read_arguments(ListServices, _LIST_SCHEMA, given)
        except ServiceError as error:
            return failure(error)
        listed, left_out = _fitting(self._services(scope))
        return _answer({"services": listed, "left_out": left_out}, read.warnings)

    async def unknown_tool(self, name: str, scope: HubScope) -> Item:
        """Return the answer to a call of a tool that does not exist for the caller, with the nearest names."""
        nearest = await self._nearest(name, scope)
        next_step = (
            tr_lazy("The nearest are {names}; look for others with find_tools", names=joined_names(nearest))
            if nearest
            else tr_lazy("Look for the tool with find_tools, and use the name that it returns")
        )
        problem = tr_lazy("There is no tool {name}", name=shown_name(name))
        return failure(ServiceError(ErrorCode.INVALID_ARGUMENT, problem, next_step, fields=["name"]))

    async def _current_index(self) -> SearchIndex:
        """Return the index of the tools as they are; after a change of any list, another one takes its place."""
        async with self._building:
            version = self._view.live.offers_version
            if self._index is None or self._version != version:
                tools = list(self._view.contents.tools.values())
                titles = {service.name: service.title for service in self._view.services}
                before, self._index = self._index, await anyio.to_thread.run_sync(SearchIndex, tools, titles)
                self._version = version
                if before is not None:
                    before.close()
            return self._index

    async def _nearest(self, name: str, scope: HubScope) -> list[str]:
        """Return the names that are spelt like a name, then those of tools that its words describe."""
        spellings = self._view.spellings(scope)
        described = (await self._current_index()).find(name, set(spellings.values()), MOST_NEAREST)
        return list(dict.fromkeys([*nearest_names(name, spellings), *described]))[:MOST_NEAREST]

    def _chosen(self, wanted: str, scope: HubScope) -> set[str]:
        """Return the names of the services to look in: all that the caller may use, or the one that it names.

        Raises:
            ServiceError: INVALID_ARGUMENT: the caller may use no service of this name or title.
        """
        visible = self._view.visible_services(scope)
        plain = wanted.strip().casefold()
        if not plain:
            return {service.name for service in visible}
        chosen = {service.name for service in visible if plain in (service.name.casefold(), service.title.casefold())}
        if not chosen:
            names = joined_names(service.name for service in visible) or tr("none")
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                tr_lazy("There is no service {name}", name=shown_name(wanted)),
                tr_lazy("Leave service out, or choose one of: {names}", names=names),
                fields=["service"],
            )
        return chosen

    def _nothing_fits(self, scope: HubScope, warnings: list[str]) -> Item:
        listed, left_out = _fitting(self._services(scope))
        note = tr("No tool fits; try other words, in Chinese or English, or choose a service and look in it")
        return _answer(
            {"tools": [], "left_out": 0, "note": note, "services": listed, "services_left_out": left_out}, warnings
        )

    def _services(self, scope: HubScope) -> list[Item]:
        tools = self._view.tools(scope)
        return [
            self._service(service, sum(tool.service == service.name for tool in tools))
            for service in self._view.visible_services(scope)
        ]

    def _service(self, service: Service, tools: int) -> Item:
        return {
            "name": service.name,
            "title": service.title,
            "description": service.description,
            "tools": tools,
            "state": self._view.live.state(service.name),
        }


def _described(tool: ShownTool) -> Item:
    shown = {field: tool.entry[field] for field in _SHOWN_FIELDS if tool.entry.get(field) is not None}
    return {"name": tool.name, "service": tool.service, **shown}


def _fitting(items: Iterable[Item]) -> tuple[list[Item], int]:
    """Return the items that fit into an answer, and the number of the others; the first is made to fit."""
    kept: list[Item] = []
    left_out, room = 0, MAX_ANSWER_CHARS - _FRAME_CHARS
    for item in items:
        if not kept and _chars(item) > room:
            item = _shortened(item, room)
        chars = _chars(item) + 1
        if chars > room:
            left_out += 1
            continue
        room -= chars
        kept.append(item)
    return kept, left_out


def _shortened(item: Item, room: int) -> Item:
    """Return a tool whose definition is longer than an answer without its schema, which only the service then checks."""
    description = str(item.get("description", ""))
    short = {"name": item["name"], "service": item.get("service"), "inputSchema": {"type": "object"}, "shortened": True}
    return {**short, "description": description[: max(0, room - _chars(short) - 1000) // 2]}


def _chars(value: Any) -> int:
    return len(_text(value))


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _answer(value: Item, warnings: list[str]) -> Item:
    meta = {"_meta": {WARNINGS_META: warnings}} if warnings else {}
    shown = {**value, "warnings": warnings} if warnings else value
    return {"content": [{"type": "text", "text": _text(shown)}], "isError": False, **meta}


def failure(error: ServiceError) -> Item:
    """Return the result of a call that ended with an error."""
    return failed(error).model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"result_type"})
