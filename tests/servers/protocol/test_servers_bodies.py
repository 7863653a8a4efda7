"""Tests of request bodies: every route has a limit, and no error, log or schema repeats a body."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
from dyber_kit import RestRoute, Settings, create_app
from dyber_kit.serving.bodies import parse_json
from dyber_kit.serving.server import build_server
from pydantic import BaseModel, Field

from tests.stand_in.running import free_port, running

LIMIT = 4096
SECRET = "hunter2-and-more"


class Body(BaseModel):
    """Is the body of the route."""

    keyword: str = Field("", max_length=100)
    limit: int = Field(10, ge=1, le=40)
    exact: bool = False


async def find(body: Body) -> list[str]:
    """Repeat the keyword."""
    return [body.keyword] * body.limit


@pytest.fixture(scope="module")
def small() -> Iterator[str]:
    """Return the base URL of a service that accepts bodies of at most 4 KiB."""
    app = create_app(
        name="small",
        title="小",
        version="1",
        instructions="",
        tools=[],
        rest=[RestRoute("/search", "search_notes", find)],
        settings=Settings(port=free_port(), max_body_bytes=LIMIT),
    )
    with running(build_server(app)) as base:
        yield base


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(headers={"content-type": "application/json", "accept": "*/*"}) as client:
        yield client


def padded(body: dict[str, object], size: int) -> bytes:
    text = json.dumps(body).encode()
    return text + b" " * (size - len(text))


async def in_chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 1000):
        yield body[start : start + 1000]


PATHS = ["/search", "/mcp", "/mcp/", "/mcp/messages/?session_id=0"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_refused_in_the_error_format_of_its_route(small, http, path, chunked):
    body = padded({"jsonrpc": "2.0", "id": 1, "method": "ping"}, LIMIT + 1)
    answer = await http.post(small + path, content=in_chunks(body) if chunked else body)
    assert answer.status_code == 413
    if path == "/search":
        assert answer.json()["status"] == "error"
        assert (answer.json()["code"], answer.json()["action"]) == ("INVALID_ARGUMENT", "search_notes")
        assert answer.json()["error"] == "请求正文超过 4 KiB"
    else:
        assert answer.json()["error"]["message"].startswith("请求正文超过 4 KiB")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_of_exactly_the_limit_is_accepted(small, http, chunked):
    body = padded({"keyword": "x", "limit": 1}, LIMIT)
    answer = await http.post(f"{small}/search", content=in_chunks(body) if chunked else body)
    assert (answer.status_code, answer.json()["data"]) == (200, ["x"])


async def test_a_body_with_a_large_announced_length_is_refused_before_it_is_sent(small):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(small.rsplit(":", 1)[1]))
    writer.write(
        b"POST /search HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n"
    )
    assert b" 413 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize(
    "body",
    [b"[" * 200 + b"]" * 200, b"[" + b"[{}]," * 300 + b"[]]", b'"' + b"[{" * 300 + b'"'],
    ids=["200 levels", "many beside each other", "brackets in a text"],
)
def test_a_body_of_up_to_200_levels_is_read(body):
    assert parse_json(body) == json.loads(body)


@pytest.mark.parametrize("path", ["/search", "/mcp"])
async def test_a_caller_that_leaves_while_sending_a_body_causes_no_crash(small, http, path, caplog):
    _, writer = await asyncio.open_connection("127.0.0.1", int(small.rsplit(":", 1)[1]))
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n"
    writer.write(head.encode() + b'{"keyword":')
    await writer.drain()
    writer.close()
    assert (await http.post(f"{small}/search", json={"limit": 1})).status_code == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"keyword": {"a": SECRET}},
        {"keyword": SECRET * 10},
        {"limit": SECRET},
        {"exact": SECRET},
        [SECRET],
        SECRET,
    ],
)
async def test_the_error_for_a_wrong_body_is_chinese_and_does_not_repeat_it(small, http, body, capfd):
    answer = await http.post(f"{small}/search", json=body)
    content = answer.json()
    assert (answer.status_code, content["status"], content["code"]) == (422, "error", "INVALID_ARGUMENT")
    assert content["detail"] == content["error"]
    assert "应为" in content["error"]
    assert SECRET not in answer.text and SECRET not in "".join(capfd.readouterr())


async def test_values_with_a_certain_meaning_are_converted_and_unknown_names_ignored(small, http):
    body = {"keyword": "x", "limit": "2", "exact": "true", "toolCallId": "call_1"}
    answer = await http.post(f"{small}/search", json=body)
    assert answer.json() == {
        "status": "success", "service": "small", "action": "search_notes", "data": ["x", "x"], "count": 2
    }  # fmt: skip


async def test_null_stands_for_the_default(small, http):
    answer = await http.post(f"{small}/search", json={"keyword": "x", "limit": None})
    assert answer.json()["count"] == 10


async def test_the_answer_has_a_warning_about_a_misspelled_name(small, http):
    answer = await http.post(f"{small}/search", json={"keyword": "x", "limits": 2})
    assert answer.json()["warnings"] == ["没有名为 limits 的参数，已忽略；是否想用 limit？"]


async def test_a_body_without_a_json_content_type_is_refused_naming_the_header(small, http):
    answer = await http.post(f"{small}/search", content=b"{}", headers={"content-type": "text/plain"})
    assert answer.status_code == 422
    assert "Content-Type: application/json" in answer.json()["next_step"]


async def test_answers_have_a_charset(small, http):
    answer = await http.post(f"{small}/search", json={"keyword": "你好", "limit": 1})
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


async def test_the_schema_shows_the_body_of_the_route(small, http):
    operation = (await http.get(f"{small}/openapi.json")).json()["paths"]["/search"]["post"]
    properties = operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert (set(properties), properties["limit"]["maximum"]) == ({"keyword", "limit", "exact"}, 40)
    assert "HTTPValidationError" not in json.dumps(operation)
