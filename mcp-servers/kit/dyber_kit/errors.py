"""Defines the failures that a service can foresee, each with a code, a Chinese message and a next step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from mcp.server.mcpserver.exceptions import ToolError

from dyber_kit.times import SHANGHAI, duration

#: Key in the `_meta` of a failed answer with code, retryable, retry_after_seconds, retry_at and platform_request_id.
ERROR_META = "dyber/error"
_LONGEST_MESSAGE = 1000
_LONGEST_NEXT_STEP = 1000


class ErrorCode(StrEnum):
    """Names the cause of a failed call for programs; codes stay the same across releases."""

    LOGIN_REQUIRED = "LOGIN_REQUIRED"
    LOGIN_EXPIRED = "LOGIN_EXPIRED"
    NOT_FOUND = "NOT_FOUND"
    RATE_LIMITED = "RATE_LIMITED"
    QUOTA_EXHAUSTED = "QUOTA_EXHAUSTED"
    CAPTCHA_REQUIRED = "CAPTCHA_REQUIRED"
    ACCESS_RESTRICTED = "ACCESS_RESTRICTED"
    UPSTREAM_CHANGED = "UPSTREAM_CHANGED"
    UPSTREAM_UNREACHABLE = "UPSTREAM_UNREACHABLE"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    CONFIRMATION_REQUIRED = "CONFIRMATION_REQUIRED"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    READ_ONLY = "READ_ONLY"
    NOT_CONFIGURED = "NOT_CONFIGURED"
    TIMEOUT = "TIMEOUT"
    BUSY = "BUSY"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True)
class ErrorKind:
    """Holds the defaults of a code: its texts for people, and its HTTP status for REST callers."""

    status: int
    message: str
    next_step: str
    retryable: bool


KINDS: dict[ErrorCode, ErrorKind] = {
    ErrorCode.LOGIN_REQUIRED: ErrorKind(401, "需要登录平台账号", "请先登录平台账号，再重试", False),
    ErrorCode.LOGIN_EXPIRED: ErrorKind(
        401, "平台账号的登录已失效", "请重新登录平台账号（扫码或导入新的 Cookie），再重试", False
    ),
    ErrorCode.NOT_FOUND: ErrorKind(404, "内容不存在或已被删除", "请检查链接或编号，或换一条内容", False),
    ErrorCode.RATE_LIMITED: ErrorKind(429, "平台限制了访问频率", "请先停止操作，不要连续重试", True),
    ErrorCode.QUOTA_EXHAUSTED: ErrorKind(
        429, "平台给本服务的用量已用完", "请等用量恢复，或请管理员提高用量；恢复之前不要重试", False
    ),
    ErrorCode.CAPTCHA_REQUIRED: ErrorKind(
        403, "平台要求人工验证", "请告诉用户：在自己的浏览器里打开平台，完成验证后再继续", False
    ),
    ErrorCode.ACCESS_RESTRICTED: ErrorKind(
        403, "平台限制了对此内容的访问", "请确认账号有权查看此内容，或换一条内容", False
    ),
    ErrorCode.UPSTREAM_CHANGED: ErrorKind(
        502, "平台页面结构已变化，无法读取", "请升级本服务；若已是最新版，请反馈问题", False
    ),
    ErrorCode.UPSTREAM_UNREACHABLE: ErrorKind(502, "无法连接平台", "请检查服务器能否访问平台网站", True),
    ErrorCode.INVALID_ARGUMENT: ErrorKind(422, "参数不正确", "请按提示修改参数后重试", False),
    ErrorCode.CONFIRMATION_REQUIRED: ErrorKind(
        409,
        "此操作会修改平台上的内容，需要先确认",
        "请先以 dry_run=true 调用，把结果给用户看；用户同意后，把 dry_run 改为 false，"
        "用相同的其他参数和返回的确认码再调用一次",
        False,
    ),
    # 424 is used for this code only, and no client or proxy retries it automatically.
    ErrorCode.OUTCOME_UNKNOWN: ErrorKind(
        424,
        "操作已经提交，但没有看到结果，可能已经生效",
        "请先让用户在平台上查看是否已经生效；确认没有生效之前不要再做一次，以免重复",
        False,
    ),
    ErrorCode.READ_ONLY: ErrorKind(
        403, "本服务处于只读模式", "如确需写入，请管理员为本服务设置 DYBER_READ_ONLY=false 后重新部署", False
    ),
    ErrorCode.NOT_CONFIGURED: ErrorKind(
        503, "服务缺少必需的设置", "请管理员按服务的 README 补上缺少的设置或机密后重新部署", False
    ),
    ErrorCode.TIMEOUT: ErrorKind(504, "操作超时", "请减少请求的数量，或等平台恢复", True),
    ErrorCode.BUSY: ErrorKind(503, "服务正忙", "请一次只发一个请求", True),
    ErrorCode.INTERNAL: ErrorKind(500, "服务内部错误", "请查看服务日志；若持续出现，请反馈问题", False),
}


class ServiceError(ToolError):
    """Reports a foreseen failure to agents and REST callers, with the next step.

    Args:
        code: The kind of failure; it supplies the defaults of the other arguments.
        message: What happened, in Chinese, without internals or secrets; cut after 1000 characters.
        next_step: What the reader should do now, in Chinese; the time to wait is in `retry_after` only.
        retry_after: Seconds after which a retry can help, when known; also sent as the `Retry-After` header.
        whole_account: For ACCESS_RESTRICTED: whether the platform refuses the account, and not just one item.
        status: HTTP status for REST callers; defaults to that of the code.
        request_id: The platform's id of the refused request, with which its operators can find the cause.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str | None = None,
        next_step: str | None = None,
        *,
        retry_after: float | None = None,
        whole_account: bool = False,
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        kind = KINDS[code]
        self.code = code
        self.message = _cut(message or kind.message, _LONGEST_MESSAGE)
        self.next_step = _cut(next_step or kind.next_step, _LONGEST_NEXT_STEP)
        # The operation may have taken effect, so nothing may suggest a retry.
        self.retry_after = None if code is ErrorCode.OUTCOME_UNKNOWN else retry_after
        self.whole_account = whole_account
        self.status = status or kind.status
        self.request_id = request_id
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.text

    @property
    def retryable(self) -> bool:
        """Return whether the same call can succeed later."""
        return KINDS[self.code].retryable or self.retry_after is not None

    @property
    def text(self) -> str:
        """Return one line for a model: the code, the cause, the next step, and when a retry can help."""
        return f"{self.code}：{self.message}。下一步：{self.next_step}（{self._when()}）"

    @property
    def details(self) -> dict[str, Any]:
        """Return the error for programs, as the value of ERROR_META in an answer."""
        content: dict[str, Any] = {"code": str(self.code), "retryable": self.retryable}
        if self.retry_after is not None:
            content["retry_after_seconds"] = math.ceil(self.retry_after)
            content["retry_at"] = self._retry_at().isoformat(timespec="seconds")
        if self.request_id is not None:
            content["platform_request_id"] = self.request_id
        return content

    def _when(self) -> str:
        if self.retry_after is None:
            return "稍后可重试" if self.retryable else "原样重试无效"
        until, now = self._retry_at(), datetime.now(SHANGHAI)
        clock = until.strftime("%H:%M" if until.date() == now.date() else "%m-%d %H:%M")
        return f"{duration(self.retry_after)}后再试，到 {clock}"

    def _retry_at(self) -> datetime:
        return datetime.now(SHANGHAI) + timedelta(seconds=math.ceil(self.retry_after or 0))


class LocalRefusal(ServiceError):
    """Reports that this service's own queue or breaker refused a call; the platform was not asked."""


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
