"""Declares the three tools of the search address: what clients get in its list of tools."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from dyber_hub.catalogue import Item

FIND_TOOLS, CALL_TOOL, LIST_SERVICES = "find_tools", "call_tool", "list_services"
#: How many tools an answer has at most, and by default.
MOST_TOOLS, USUAL_TOOLS = 20, 8


class FindTools(BaseModel):
    """Holds the arguments of `find_tools`."""

    query: Annotated[
        str,
        Field(
            description="要做的事或平台，中文或英文，如“微博热搜”“read a file in a repository” / what you want to do, "
            "and on which platform"
        ),
    ]
    limit: Annotated[int, Field(ge=1, le=MOST_TOOLS, description="最多几个工具 / how many tools at most")] = USUAL_TOOLS
    service: Annotated[
        str, Field(description="只在这个服务里找；名字见 list_services / look in this service only; see list_services")
    ] = ""


class ListServices(BaseModel):
    """Holds the arguments of `list_services`, which has none."""


_CALL_TOOL_SCHEMA: Item = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "find_tools 给出的 name / the name that find_tools returned"},
        "arguments": {
            "type": "object",
            "description": "这个工具的参数，照它的 inputSchema / the arguments of that tool, as its inputSchema says",
            "additionalProperties": True,
        },
    },
    "required": ["name"],
}


def schema_of(model: type[BaseModel]) -> Item:
    """Return the JSON Schema of arguments without the titles and descriptions that agents need not read."""
    schema: dict[str, Any] = model.model_json_schema()
    properties = {
        name: {key: value for key, value in rules.items() if key != "title"}
        for name, rules in schema.get("properties", {}).items()
    }
    required = {"required": schema["required"]} if "required" in schema else {}
    return {"type": "object", "properties": properties, **required}


def _entry(name: str, title: str, description: str, schema: Item, hints: Item) -> Item:
    return {
        "name": name,
        "title": title,
        "description": description,
        "inputSchema": schema,
        "annotations": {"title": title, **hints},
    }


_LOOKS_ONLY: Item = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}
# It does whatever the called tool does.
_MAY_DO_ANYTHING: Item = {
    "readOnlyHint": False,
    "destructiveHint": True,
    "idempotentHint": False,
    "openWorldHint": True,
}

#: The tools of the search address, in the order of its list.
ENTRIES: tuple[Item, ...] = (
    _entry(
        FIND_TOOLS,
        "找工具",
        "按要做的事找工具：得到最合适的几个，连同说明和参数（inputSchema），最合适的在前；再用 call_tool 调用。"
        "left_out 是没有列出的个数。\n"
        "Find tools by what you want to do: returns the best ones with descriptions and arguments (inputSchema), best "
        "first; then call them with call_tool. left_out counts those that did not fit into the answer.",
        schema_of(FindTools),
        _LOOKS_ONLY,
    ),
    _entry(
        CALL_TOOL,
        "调用工具",
        "调用 find_tools 找到的工具。会修改或发布什么，看那个工具的 annotations；先按它的说明预演并征得用户同意。\n"
        "Call a tool that find_tools returned. Whether it changes or publishes anything is in that tool's annotations; "
        "preview first and ask the user, as its description says.",
        _CALL_TOOL_SCHEMA,
        _MAY_DO_ANYTHING,
    ),
    _entry(
        LIST_SERVICES,
        "服务一览",
        "列出可用的服务：名字、说明、工具数、现在的状态。不知道有什么时先看它。\n"
        "List the services that you may use: name, what it is for, number of tools, and state. Start here when you do "
        "not know what there is.",
        schema_of(ListServices),
        _LOOKS_ONLY,
    ),
)
