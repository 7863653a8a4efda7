"""Finds which tools each client and each group gets from the hub, how large the lists are, and for whom too large."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cli.previews.tokens import SEEN, tokens_of
from infra.rendering.hub.content import HubContent
from infra.rendering.hub.groups import Group
from infra.services.offers import Offers
from infra.settings.clients import ClientSettings
from infra.settings.names import HUB_NAME
from infra.settings.stack import StackSettings
from messages import tr

#: How many tools of all servers a program passes on to a model.
MOST_TOOLS = {"Cursor": 40, "VS Code, Copilot": 128}
#: How long the names of server and tool may be together, as each program joins them.
LONGEST_NAMES = {"Cursor": ("{server}:{tool}", 60), "Claude Code, VS Code": ("mcp__{server}__{tool}", 64)}
#: After how many characters Claude Code cuts the description of a tool.
LONGEST_DESCRIPTION = ("Claude Code", 2048)


@dataclass(frozen=True)
class ListedTool:
    """A tool in a list: its name there, its service, its name in the service, and what clients see of it.

    `seen` is empty where only the name is known.
    """

    exposed: str
    service: str
    tool: str
    seen: Mapping[str, Any]


@dataclass(frozen=True)
class ToolList:
    """The tools at an address of the hub, for a client or, if `client` is "", for everybody who may use all of them.

    `tokens` is the estimate of what the list costs a model; `is_complete` is false if more is not known. `exceeded` are
    sentences about the programs for which the list is too large, each of which begins with the program's names;
    `programs` are those that do not pass all tools on to a model.
    """

    address: str
    client: str
    tools: tuple[ListedTool, ...]
    tokens: int
    is_complete: bool
    exceeded: tuple[str, ...]
    programs: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the list as `preview --json` prints it."""
        return {
            "address": self.address,
            "client": self.client or None,
            "tools": [{"name": tool.exposed, "service": tool.service, "tool": tool.tool} for tool in self.tools],
            "tokens": self.tokens,
            "complete": self.is_complete,
            "exceeded": list(self.exceeded),
        }


def tool_lists(settings: StackSettings, content: HubContent | None) -> list[ToolList]:
    """Return the list of each client at /mcp, and that of each group; none for a stack without the hub."""
    if content is None:
        return []
    whole = [
        _list("/mcp", client, HUB_NAME, _of_client(scopes, content), content)
        for client, scopes in settings.clients.items()
    ]
    groups = [
        _list(f"/groups/{group.name}/mcp", "", f"{HUB_NAME}-{group.name}", _of_group(group, content.offers), content)
        for group in content.groups
    ]
    return [*whole, *groups]


def _of_client(client: ClientSettings, content: HubContent) -> Iterator[ListedTool]:
    for service, offers in content.offers.items():
        scope = "all" if client.services is None else client.services.get(service, ())
        for name, tool in offers.tools.items():
            if scope == "all" or (name in offers.reading if scope == "read" else name in scope):
                exposed = offers.name_at_the_hub(name)
                yield ListedTool(exposed, service, name, {**tool, "name": exposed} if tool else {})


def _of_group(group: Group, offers: Mapping[str, Offers]) -> Iterator[ListedTool]:
    for tool in group.tools:
        known = offers[tool.service].tools[tool.tool]
        changed = {"name": tool.exposed, **({"description": tool.description} if tool.description else {})}
        yield ListedTool(tool.exposed, tool.service, tool.tool, {**known, **changed} if known else {})


def _list(address: str, client: str, server: str, tools: Iterable[ListedTool], content: HubContent) -> ToolList:
    listed = tuple(tools)
    described = [tool.seen for tool in listed if all(part in tool.seen for part in SEEN)]
    is_complete = len(described) == len(listed) and all(
        offers.known or offers.tools for offers in content.offers.values()
    )
    exceeded = tuple(_exceeded(server, listed))
    programs = tuple(program for program, most in MOST_TOOLS.items() if len(listed) > most)
    return ToolList(address, client, listed, tokens_of(described, *SEEN), is_complete, exceeded, programs)


def too_large(lists: Iterable[ToolList], option: str = "") -> str | None:
    """Return a sentence about the lists that programs do not pass on whole; None if there are none.

    `option` selects the stack in suggested commands.
    """
    largest: dict[str, ToolList] = {}
    for item in lists:
        before = largest.get(item.address)
        if item.programs and (before is None or len(item.tools) > len(before.tools)):
            largest[item.address] = item
    if not largest:
        return None
    texts = (
        tr(
            "{address} ({count} tools) for {programs}",
            address=address,
            count=len(item.tools),
            programs=", ".join(item.programs),
        )
        for address, item in largest.items()
    )
    return tr(
        "too many tools for some programs: {lists}; ./deploy.sh preview{option} has the details, and a group, the search "
        "or a narrower client helps (docs/hub.en.md)",
        lists="; ".join(texts),
        option=option,
    )


def hints_for(program: str, lists: Iterable[ToolList], address: str, client: str | None) -> tuple[str, ...]:
    """Return the sentences about a program at an address; `client` is whose token it uses, None if that is not known.

    The list of a group is the same for each client.
    """
    fitting = [item for item in lists if item.address == address and (not item.client or client in (None, item.client))]
    if not fitting:
        return ()
    largest = max(fitting, key=lambda item: len(item.tools))
    return tuple(sentence for sentence in largest.exceeded if program in sentence.partition(":")[0].partition("：")[0])


def _exceeded(server: str, tools: tuple[ListedTool, ...]) -> Iterator[str]:
    for program, most in MOST_TOOLS.items():
        if len(tools) > most:
            yield tr(
                "{program}: {count} tools, at most {most} reach the model", program=program, count=len(tools), most=most
            )
    for program, (pattern, most) in LONGEST_NAMES.items():
        long = [tool.exposed for tool in tools if len(pattern.format(server=server, tool=tool.exposed)) > most]
        if long:
            yield tr(
                "{program}: server and tool names longer than {most} characters: {names}",
                program=program,
                most=most,
                names=", ".join(long),
            )
    program, most = LONGEST_DESCRIPTION
    if cut := [tool.exposed for tool in tools if len(tool.seen.get("description", "")) > most]:
        yield tr(
            "{program}: descriptions longer than {most} characters, which it cuts: {names}",
            program=program,
            most=most,
            names=", ".join(cut),
        )
