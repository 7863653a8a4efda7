"""The tools and the prompt of the conformance suite that ask the caller's user or model.

Those whose questions have a name that the suite expects return an `InputRequiredResult`, which clients of 2026-07-28
know; the others use `Resolve`, which works in both eras.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any

from dyber_kit import prompt, tool
from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context, Elicit, Resolve, Sample
from mcp.types import (
    CallToolResult,
    ClientCapabilities,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)
from pydantic import BaseModel, Field

from tests.servers.conformance.contents import text_answer

Answer = CallToolResult | InputRequiredResult


def form(message: str, **properties: str) -> ElicitRequest:
    """Return a question with a form; `properties` are the fields and their JSON types, all required."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in properties.items()},
        "required": list(properties),
    }
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sampling(text: str, max_tokens: int = 100) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=text))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=max_tokens))


def accepted(ctx: Context, key: str) -> dict[str, Any] | None:
    """Return the form that the user filled in for the question `key`."""
    answer = (ctx.input_responses or {}).get(key)
    return answer.content if isinstance(answer, ElicitResult) and answer.action == "accept" else None


def answered(ctx: Context, requests: dict[str, InputRequest]) -> bool:
    return set(requests) <= set(ctx.input_responses or {})


@tool(title="问名字", read_only=True, open_world=False, structured=False)
async def test_input_required_result_elicitation(ctx: Context) -> Answer:
    """Ask for a name."""
    form_content = accepted(ctx, "user_name")
    if form_content is None or not isinstance(form_content.get("name"), str):
        return InputRequiredResult(input_requests={"user_name": form("What is your name?", name="string")})
    return text_answer(f"Hello, {form_content['name']}!")


@tool(title="问模型", read_only=True, open_world=False, structured=False)
async def test_input_required_result_sampling(ctx: Context) -> Answer:
    """Ask the caller's model."""
    requests: dict[str, InputRequest] = {"capital_question": sampling("What is the capital of France?")}
    if not answered(ctx, requests):
        return InputRequiredResult(input_requests=requests)
    return text_answer("The model answered.")


@tool(title="问文件夹", read_only=True, open_world=False, structured=False)
async def test_input_required_result_list_roots(ctx: Context) -> Answer:
    """Ask for the caller's roots."""
    requests: dict[str, InputRequest] = {"client_roots": ListRootsRequest()}
    if not answered(ctx, requests):
        return InputRequiredResult(input_requests=requests)
    assert ctx.input_responses is not None
    return text_answer(ctx.input_responses["client_roots"].model_dump_json())


@tool(title="状态", read_only=True, open_world=False, structured=False)
async def test_input_required_result_request_state(ctx: Context) -> Answer:
    """Ask, and check that the state comes back."""
    if accepted(ctx, "confirm") is None or ctx.request_state != "first":
        return InputRequiredResult(
            input_requests={"confirm": form("Please confirm", ok="boolean")}, request_state="first"
        )
    return text_answer("state-ok")


@tool(title="多个问题", read_only=True, open_world=False, structured=False)
async def test_input_required_result_multiple_inputs(ctx: Context) -> Answer:
    """Ask three questions together."""
    requests: dict[str, InputRequest] = {
        "user_name": form("What is your name?", name="string"),
        "greeting": sampling("Generate a greeting", 50),
        "client_roots": ListRootsRequest(),
    }
    if not answered(ctx, requests):
        return InputRequiredResult(input_requests=requests, request_state="asked")
    return text_answer("All questions were answered.")


@tool(title="两轮", read_only=True, open_world=False, structured=False)
async def test_input_required_result_multi_round(ctx: Context) -> Answer:
    """Ask twice, one question after the other."""
    state = json.loads(ctx.request_state or "{}")
    first = accepted(ctx, "step1") or state.get("step1")
    if first is None:
        question = form("Step 1: What is your name?", name="string")
        return InputRequiredResult(input_requests={"step1": question}, request_state="{}")
    second = accepted(ctx, "step2")
    if second is None:
        question = form("Step 2: What is your favorite color?", color="string")
        return InputRequiredResult(input_requests={"step2": question}, request_state=json.dumps({"step1": first}))
    return text_answer(f"{first['name']} likes {second['color']}.")


@tool(title="状态被改", read_only=True, open_world=False, structured=False)
async def test_input_required_result_tampered_state(ctx: Context) -> Answer:
    """Ask, with a state that callers cannot change unnoticed."""
    if accepted(ctx, "confirm") is None:
        return InputRequiredResult(input_requests={"confirm": form("Please confirm", ok="boolean")}, request_state="x")
    return text_answer("The state is unchanged.")


@tool(title="能力", read_only=True, open_world=False, structured=False)
async def test_input_required_result_capabilities(ctx: Context) -> Answer:
    """Ask only what the caller can answer."""
    can = ctx.client_capabilities or ClientCapabilities()
    requests: dict[str, InputRequest] = {}
    if can.elicitation is not None:
        requests["user_name"] = form("What is your name?", name="string")
    if can.sampling is not None:
        requests["greeting"] = sampling("Generate a greeting", 50)
    if requests and not answered(ctx, requests):
        return InputRequiredResult(input_requests=requests)
    return text_answer("Nothing is left to ask.")


@prompt(title="先问再答")
async def test_input_required_result_prompt(ctx: Context) -> str | InputRequiredResult:
    """Ask for the context of the prompt."""
    form_content = accepted(ctx, "user_context")
    if form_content is None:
        question = form("What context should the prompt use?", context="string")
        return InputRequiredResult(input_requests={"user_context": question})
    return f"Use this context: {form_content['context']}"


def ask_model(prompt: str) -> Sample:
    """Ask the caller's model."""
    return Sample([SamplingMessage(role="user", content=TextContent(type="text", text=prompt))], max_tokens=100)


@tool(title="问模型", read_only=True, open_world=False, structured=False)
async def test_sampling(
    prompt: Annotated[str, Field(description="The prompt to send", max_length=1000)],
    reply: Annotated[CreateMessageResult, Resolve(ask_model)],
) -> CallToolResult:
    """Return what the caller's model answers."""
    content = reply.content
    return text_answer(f"LLM response: {content.text if isinstance(content, TextContent) else content}")


async def ask_model_always() -> Sample:
    """Ask the caller's model."""
    return ask_model("Hello")


@tool(title="需要能力", read_only=True, open_world=False, structured=False)
async def test_missing_capability(reply: Annotated[CreateMessageResult, Resolve(ask_model_always)]) -> CallToolResult:
    """Need a caller whose model can be asked."""
    return text_answer("The model answered.")


def told(kind: str, result: ElicitationResult[Any]) -> CallToolResult:
    content = result.data.model_dump_json() if isinstance(result, AcceptedElicitation) else "{}"
    return text_answer(f"{kind}: action={result.action}, content={content}")


class User(BaseModel):
    """Is what a user is asked for."""

    username: str = Field(description="User's response")
    email: str = Field(description="User's email address")


def ask_user(message: str) -> Elicit[User]:
    """Ask the caller's user."""
    return Elicit(message, User)


@tool(title="问用户", read_only=True, open_world=False, structured=False)
async def test_elicitation(
    message: Annotated[str, Field(description="The message to show the user", max_length=1000)],
    user: Annotated[ElicitationResult[User], Resolve(ask_user)],
) -> CallToolResult:
    """Return what the caller's user answers."""
    return told("User response", user)


class Status(StrEnum):
    """Is the status of a user."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    PENDING = "pending"


class Defaults(BaseModel):
    """Is a form whose fields have defaults."""

    name: str = Field(default="John Doe", description="User name")
    age: int = Field(default=30, description="User age")
    score: float = Field(default=95.5, description="User score")
    status: str = Field(default="active", json_schema_extra={"enum": [str(status) for status in Status]})
    verified: bool = Field(default=True, description="Verification status")


def ask_defaults() -> Elicit[Defaults]:
    """Ask the caller's user."""
    return Elicit("Please provide user information", Defaults)


@tool(title="默认值", read_only=True, open_world=False, structured=False)
async def test_elicitation_sep1034_defaults(
    answer: Annotated[ElicitationResult[Defaults], Resolve(ask_defaults)],
) -> CallToolResult:
    """Return a form whose fields had defaults."""
    return told("Elicitation completed", answer)


def _titled(**titles: str) -> list[dict[str, str]]:
    return [{"const": value, "title": title} for value, title in titles.items()]


class Choices(BaseModel):
    """Is a form with every kind of choice."""

    untitledSingle: str = Field(json_schema_extra={"enum": ["option1", "option2", "option3"]})
    titledSingle: str = Field(
        json_schema_extra={"oneOf": _titled(value1="First Option", value2="Second Option", value3="Third Option")}
    )
    legacyEnum: str = Field(
        json_schema_extra={
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        }
    )
    untitledMulti: list[str] = Field(
        json_schema_extra={"items": {"type": "string", "enum": ["option1", "option2", "option3"]}}
    )
    titledMulti: list[str] = Field(
        json_schema_extra={
            "items": {"anyOf": _titled(value1="First Choice", value2="Second Choice", value3="Third Choice")}
        }
    )


def ask_choices() -> Elicit[Choices]:
    """Ask the caller's user."""
    return Elicit("Please select values", Choices)


@tool(title="选择", read_only=True, open_world=False, structured=False)
async def test_elicitation_sep1330_enums(
    answer: Annotated[ElicitationResult[Choices], Resolve(ask_choices)],
) -> CallToolResult:
    """Return a form with choices."""
    return told("Elicitation completed", answer)


TOOLS = [
    test_input_required_result_elicitation,
    test_input_required_result_sampling,
    test_input_required_result_list_roots,
    test_input_required_result_request_state,
    test_input_required_result_multiple_inputs,
    test_input_required_result_multi_round,
    test_input_required_result_tampered_state,
    test_input_required_result_capabilities,
    test_sampling,
    test_missing_capability,
    test_elicitation,
    test_elicitation_sep1034_defaults,
    test_elicitation_sep1330_enums,
]
PROMPTS = [test_input_required_result_prompt]
