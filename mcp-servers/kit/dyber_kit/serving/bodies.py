"""Reads request bodies up to a limit; accepts JSON in UTF-8 and refuses everything else with a next step."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from dyber_kit.errors import ErrorCode, ServiceError

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_UTF8_STEP = (
    "请以 UTF-8（不带 BOM）发送 JSON。Windows PowerShell：先 $body = [Text.Encoding]::UTF8.GetBytes($json)，"
    "再 Invoke-RestMethod -Body $body -ContentType 'application/json; charset=utf-8'；"
    "curl：把 JSON 存成 UTF-8 文件，用 --data-binary '@文件' 发送"
)
_JSON_STEP = "请检查引号、逗号和括号；Windows 命令行里建议把 JSON 存成 UTF-8 文件，用 curl --data-binary '@文件' 发送"


async def read_body(receive: Receive, headers: Headers, limit: int) -> bytes:
    """Return the whole body of a request.

    Raises:
        ServiceError: INVALID_ARGUMENT with status 413 when more than `limit` bytes are announced or sent.
        ClientDisconnect: The caller left before the end.
    """
    announced = headers.get("content-length", "")
    if announced.isdigit() and (len(announced) > 18 or int(announced) > limit):
        raise _too_large(limit)
    chunks: list[bytes] = []
    total = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        total += len(chunk)
        if total > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def parse_json(body: bytes) -> Any:
    """Return the JSON value in a body.

    Raises:
        ServiceError: INVALID_ARGUMENT: with status 400 for a body that is not UTF-8, with 422 for one that is not
            JSON or has a name twice in one object, which parsers read differently.
    """
    text = _utf8(body)
    try:
        value = json.loads(text, object_pairs_hook=_unique_names, parse_constant=_no_constant)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except _RepeatedName as repeated:
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT,
            f"请求正文里的名字 {repeated} 在同一个对象中出现了两次",
            "请让每个名字只出现一次",
        ) from None
    except RecursionError:
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, "请求正文的 JSON 嵌套太深", "请减少嵌套的层数") from None
    except json.JSONDecodeError as error:
        where = f"第 {error.lineno} 行第 {error.colno} 个字符附近"
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, f"请求正文不是 JSON：{where}有错", _JSON_STEP) from None
    except UnicodeEncodeError:
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT, "请求正文里有半个字符（\\ud800 一类的转义）", "请发送完整的字符"
        ) from None
    except ValueError:
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, "请求正文里有 JSON 不能表示的数", "请只用普通的数") from None


class _RepeatedName(ValueError):
    """Says that one object has a name twice."""


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for index, name in enumerate(names) if name in names[:index])
        raise _RepeatedName("".join(char if char.isprintable() else "?" for char in repeated[:60]))
    return values


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _utf8(body: bytes) -> str:
    if body.startswith(codecs.BOM_UTF8):
        raise _wrong_encoding("请求正文以 BOM（字节顺序标记）开头，不是纯粹的 UTF-8")
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in body[:4]:
        raise _wrong_encoding("请求正文不是 UTF-8 编码（像是 UTF-16）")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise _wrong_encoding("请求正文不是 UTF-8 编码" + ("（像是 GBK）" if _may_be_gbk(body) else "")) from None
    return text


def _may_be_gbk(body: bytes) -> bool:
    try:
        body.decode("gb18030")
    except UnicodeDecodeError:
        return False
    return True


def _wrong_encoding(message: str) -> ServiceError:
    return ServiceError(ErrorCode.INVALID_ARGUMENT, message, _UTF8_STEP, status=400)


def _too_large(limit: int) -> ServiceError:
    size = f"{limit // 1024} KiB" if limit >= 1024 else f"{limit} 字节"
    return ServiceError(
        ErrorCode.INVALID_ARGUMENT, f"请求正文超过 {size}", "请缩短参数；上限由管理员用 MAX_BODY_BYTES 设置", status=413
    )
