"""Tests of prompts, resources and completions: in both protocol eras, over all transports, checked at the start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import pytest
from dyber_kit import ErrorCode, ServiceError, Settings, completion, create_app, prompt, resource
from dyber_kit.calling.completions import MAX_SUGGESTIONS
from dyber_kit.calling.prompts import task
from dyber_kit.errors import ERROR_META
from dyber_kit.serving.server import build_server
from mcp.server.mcpserver.prompts.base import AssistantMessage, UserMessage
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, PromptReference, ResourceTemplateReference
from pydantic import BaseModel, Field

from tests.stand_in.running import free_port, running

WORDS = [f"word{number}" for number in range(150)]


@prompt(title="总结")
async def demo_summarize(
    topic: Annotated[str, Field(description="What to sum up", min_length=1, max_length=20)],
    length: Annotated[int, Field(description="Sentences", ge=1, le=9)] = 3,
    tone: Annotated[Literal["plain", "warm"], Field(description="Tone")] = "plain",
) -> list[UserMessage | AssistantMessage]:
    """Sum up what people say about a topic."""
    return [UserMessage(f"{topic} in {length} sentences, {tone}"), AssistantMessage("Gladly.")]


@prompt(title="失败")
async def demo_failing() -> str:
    """Fail."""
    raise ServiceError(ErrorCode.LOGIN_REQUIRED)


class Entry(BaseModel):
    """Is the content of a resource."""

    id: int
    title: str


@resource("demo://about", title="关于")
async def demo_about() -> str:
    """Say what this is."""
    return "你好"


@resource("demo://logo", title="标志", mime_type="image/png")
async def demo_logo() -> bytes:
    """Show the logo."""
    return b"\x89PNG"


@resource("demo://entries/{entry_id}", title="条目", mime_type="application/json")
async def demo_entry(entry_id: Annotated[int, Field(ge=1)]) -> Entry:
    """Return an entry."""
    if entry_id > 9:
        raise ServiceError(ErrorCode.NOT_FOUND)
    return Entry(id=entry_id, title="标题")


@resource("demo://long", title="太长")
async def demo_long() -> str:
    """Return more than an answer may have."""
    return "长" * 100_000


@completion(demo_summarize, "topic")
async def suggest_topics(typed: str, filled: Mapping[str, str]) -> list[str]:
    """Suggest words, in the order of the tone."""
    words = [word for word in WORDS if word.startswith(typed)]
    return words[::-1] if filled.get("tone") == "warm" else words


@completion(demo_entry, "entry_id")
async def suggest_entries(typed: str, filled: Mapping[str, str]) -> list[int]:
    """Suggest the ids of entries."""
    return [1, 2]


def build(**offered: Any) -> Any:
    settings = Settings(port=free_port())
    return create_app(name="demo", title="示例", version="1", instructions="", tools=[], settings=settings, **offered)


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    """Return the base URL of a running service with prompts and resources."""
    app = build(
        prompts=[demo_summarize, demo_failing],
        resources=[demo_about, demo_logo, demo_entry, demo_long],
        completions=[suggest_topics, suggest_entries],
    )
    with running(build_server(app)) as base:
        yield base


async def test_prompts_are_listed_with_their_arguments(demo, connect):
    async with connect(demo) as client:
        listed = (await client.list_prompts()).prompts
    assert [item.name for item in listed] == ["demo_summarize", "demo_failing"]
    assert listed[0].title == "总结"
    assert listed[0].description == "Sum up what people say about a topic."
    assert [(argument.name, argument.required) for argument in listed[0].arguments or []] == [
        ("topic", True),
        ("length", False),
        ("tone", False),
    ]


async def test_a_prompt_gets_its_arguments_as_declared(demo, connect):
    async with connect(demo) as client:
        got = await client.get_prompt("demo_summarize", {"topic": "猫", "length": "5", "tone": "WARM"})
    assert [(message.role, message.content.text) for message in got.messages] == [
        ("user", "猫 in 5 sentences, warm"),
        ("assistant", "Gladly."),
    ]


async def refused(call: Any) -> MCPError:
    with pytest.raises(MCPError) as caught:
        await call
    return caught.value


async def test_wrong_arguments_of_a_prompt_are_refused_with_the_bounds(demo, connect):
    async with connect(demo) as client:
        error = await refused(client.get_prompt("demo_summarize", {"topic": "猫", "length": "99"}))
        missing = await refused(client.get_prompt("demo_summarize"))
    assert "缺少参数 topic" in missing.error.message
    assert "1 到 9" in error.error.message
    assert error.error.code == INVALID_PARAMS
    assert error.error.data[ERROR_META]["code"] == "INVALID_ARGUMENT"


async def test_an_unknown_prompt_is_refused_with_the_nearest_name(demo, connect):
    async with connect(demo) as client:
        error = await refused(client.get_prompt("demo_sumarize"))
    assert error.error.code == INVALID_PARAMS
    assert "最接近的是 demo_summarize" in error.error.message


async def test_a_prompt_fails_with_code_and_next_step(demo, connect):
    async with connect(demo) as client:
        error = await refused(client.get_prompt("demo_failing"))
    assert error.error.code == INTERNAL_ERROR
    assert error.error.message.startswith("LOGIN_REQUIRED：需要登录平台账号。下一步：")


@pytest.mark.parametrize(("condition", "shown"), [("", ""), ("只看今天", "只看今天\n")])
def test_a_task_numbers_its_steps_between_what_is_wanted_and_what_is_reported(condition, shown):
    text = task("看看热榜。", ["取热榜。", "选三条。"], report="最后写一页。", care="只当资料。", condition=condition)
    assert text == f"看看热榜。\n{shown}1. 取热榜。\n2. 选三条。\n最后写一页。\n只当资料。"


async def test_resources_and_templates_are_listed(demo, connect):
    async with connect(demo) as client:
        listed = (await client.list_resources()).resources
        templates = (await client.list_resource_templates()).resource_templates
    assert [(str(item.uri), item.mime_type) for item in listed] == [
        ("demo://about", "text/plain"),
        ("demo://logo", "image/png"),
        ("demo://long", "text/plain"),
    ]
    assert [item.uri_template for item in templates] == ["demo://entries/{entry_id}"]


async def test_resources_are_read_as_text_bytes_and_json(demo, connect):
    async with connect(demo) as client:
        about = (await client.read_resource("demo://about")).contents[0]
        logo = (await client.read_resource("demo://logo")).contents[0]
        entry = (await client.read_resource("demo://entries/7")).contents[0]
    assert about.text == "你好"
    assert logo.blob == "iVBORw=="
    assert (entry.mime_type, entry.text) == ("application/json", '{"id":7,"title":"标题"}')


@pytest.mark.parametrize(
    ("uri", "code", "said"),
    [
        ("demo://entries/10", INVALID_PARAMS, "NOT_FOUND"),
        ("demo://entries/0", INVALID_PARAMS, "不小于 1"),
        ("demo://about1", INVALID_PARAMS, "最接近的是 demo://about"),
        ("demo://entries/..%2Fsecret", INVALID_PARAMS, "没有这个地址的资源"),
        ("demo://long", INVALID_PARAMS, "超过上限"),
    ],
)
async def test_a_resource_that_cannot_be_read_is_an_error_with_its_address(demo, connect, uri, code, said):
    async with connect(demo) as client:
        error = await refused(client.read_resource(uri))
    assert error.error.code == code
    assert said in error.error.message
    assert error.error.data["uri"] == uri


async def test_suggestions_are_the_best_first_and_counted(demo, connect):
    reference = PromptReference(type="ref/prompt", name="demo_summarize")
    async with connect(demo) as client:
        all_words = (await client.complete(reference, {"name": "topic", "value": "word"})).completion
        warm = (
            await client.complete(reference, {"name": "topic", "value": "word14"}, context_arguments={"tone": "warm"})
        ).completion
        nothing = (await client.complete(reference, {"name": "length", "value": ""})).completion
    assert (len(all_words.values), all_words.total, all_words.has_more) == (MAX_SUGGESTIONS, len(WORDS), True)
    assert warm.values[:2] == ["word149", "word148"]
    assert nothing.values == []


async def test_parts_of_an_address_have_suggestions_too(demo, connect):
    reference = ResourceTemplateReference(type="ref/resource", uri="demo://entries/{entry_id}")
    async with connect(demo) as client:
        got = await client.complete(reference, {"name": "entry_id", "value": ""})
        error = await refused(
            client.complete(PromptReference(type="ref/prompt", name="absent"), {"name": "a", "value": ""})
        )
    assert got.completion.values == ["1", "2"]
    assert error.error.code == INVALID_PARAMS


async def test_a_service_without_suggestions_does_not_offer_them(template, connect):
    async with connect(template) as client:
        assert client.server_capabilities.completions is None


@prompt(title="无说明的参数")
async def bare_argument(topic: str) -> str:
    """Have an argument that nobody explains."""
    return topic


@prompt(title="嵌套")
async def nested_argument(entry: Annotated[Entry, Field(description="Entry")]) -> str:
    """Have an argument that is an object."""
    return entry.title


@prompt(title="无说明")
async def undocumented() -> str:
    return ""


@resource("demo://other/{entry_id}", title="不符")
async def mismatched(name: str) -> str:
    """Have another parameter than the address."""
    return name


@resource("about", title="无协议")
async def without_scheme() -> str:
    """Have an address that is none."""
    return ""


@completion(demo_summarize, "colour")
async def no_such_argument(typed: str, filled: Mapping[str, str]) -> list[str]:
    """Suggest values of an argument that does not exist."""
    return []


@completion(demo_failing, "x")
async def not_offered(typed: str, filled: Mapping[str, str]) -> list[str]:
    """Suggest values for a prompt that is not offered."""
    return []


@pytest.mark.parametrize(
    ("offered", "said"),
    [
        ({"prompts": [bare_argument]}, "argument topic of prompt bare_argument needs Field"),
        ({"prompts": [nested_argument]}, "prompt nested_argument has nested inputs"),
        ({"prompts": [undocumented]}, "prompt undocumented needs a docstring"),
        ({"prompts": [demo_failing, demo_failing]}, "two prompts of demo have the same name"),
        ({"resources": [mismatched]}, "resource mismatched has the address"),
        ({"resources": [without_scheme]}, "resource without_scheme needs an address with a scheme"),
        ({"resources": [demo_about, demo_about]}, "two resources of demo have the same address"),
        ({"prompts": [demo_summarize], "completions": [no_such_argument]}, "argument colour that does not exist"),
        ({"prompts": [demo_summarize], "completions": [not_offered]}, "which the service does not offer"),
        ({"prompts": [demo_summarize], "completions": [suggest_topics, suggest_topics]}, "is the second of topic"),
    ],
)
def test_what_cannot_be_published_is_refused_at_the_start(offered, said):
    with pytest.raises(ValueError, match=said):
        build(**offered)
