"""Recognising the site's refusals: a wall is an answer with a code, never an empty result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dyber_kit import ErrorCode, ServiceError

LOGIN_NEXT_STEP = (
    "请由管理员按小红书服务 README 的“登录”一节，把已登录浏览器的会话文件放到 /data/storage_state.json，"
    "不必重启；建议使用专门的账号"
)

# Statuses of pages and of the page's own API calls.
_STATUS_CODES = {
    401: ErrorCode.LOGIN_REQUIRED,
    403: ErrorCode.ACCESS_RESTRICTED,
    404: ErrorCode.NOT_FOUND,
    410: ErrorCode.NOT_FOUND,
    429: ErrorCode.RATE_LIMITED,
    461: ErrorCode.CAPTCHA_REQUIRED,
    471: ErrorCode.CAPTCHA_REQUIRED,
}
# `code` in API answers and `error_code` in the address of error pages.
_PLATFORM_CODES = {
    "300011": ErrorCode.ACCESS_RESTRICTED,
    "300012": ErrorCode.ACCESS_RESTRICTED,
    "300013": ErrorCode.RATE_LIMITED,
    "-510000": ErrorCode.NOT_FOUND,
    "-510001": ErrorCode.NOT_FOUND,
    "-100": ErrorCode.LOGIN_REQUIRED,
    "-101": ErrorCode.LOGIN_REQUIRED,
}
_PATHS = (
    ("/website-login/captcha", ErrorCode.CAPTCHA_REQUIRED),
    ("/website-login/error", ErrorCode.ACCESS_RESTRICTED),
    ("/login", ErrorCode.LOGIN_REQUIRED),
    ("/404", ErrorCode.NOT_FOUND),
)
_BLOCKED_TEXTS = (
    ("访问频次异常", ErrorCode.RATE_LIMITED),
    ("请勿频繁操作", ErrorCode.RATE_LIMITED),
    ("请通过验证", ErrorCode.CAPTCHA_REQUIRED),
    ("登录", ErrorCode.LOGIN_REQUIRED),
    ("私密", ErrorCode.ACCESS_RESTRICTED),
    ("仅作者可见", ErrorCode.ACCESS_RESTRICTED),
    ("违规", ErrorCode.ACCESS_RESTRICTED),
    ("暂时无法浏览", ErrorCode.NOT_FOUND),
    ("已被删除", ErrorCode.NOT_FOUND),
    ("不存在", ErrorCode.NOT_FOUND),
)
_PAGE_TEXTS = (
    ("访问频次异常", ErrorCode.RATE_LIMITED),
    ("请勿频繁操作", ErrorCode.RATE_LIMITED),
    ("请通过验证", ErrorCode.CAPTCHA_REQUIRED),
    ("登录后查看搜索结果", ErrorCode.LOGIN_REQUIRED),
    ("登录探索更多内容", ErrorCode.LOGIN_REQUIRED),
    ("获取验证码", ErrorCode.LOGIN_REQUIRED),
)
NO_RESULT_TEXTS = ("没有找到相关内容", "没找到相关内容", "未找到相关内容")


@dataclass(frozen=True)
class Wall:
    """A refusal; `certain` when no amount of waiting will bring the data."""

    code: ErrorCode
    certain: bool
    shown: str = ""

    def error(self) -> ServiceError:
        """The failure to report."""
        message = None
        if self.shown and self.code in (ErrorCode.NOT_FOUND, ErrorCode.ACCESS_RESTRICTED):
            message = f"小红书提示：{self.shown}"
        next_step = LOGIN_NEXT_STEP if self.code is ErrorCode.LOGIN_REQUIRED else None
        return ServiceError(self.code, message, next_step)


def status_wall(status: int, on_page: bool) -> Wall | None:
    """What an HTTP status of a page (`on_page`) or of the page's API calls means."""
    code = _STATUS_CODES.get(status)
    if code is None or (code is ErrorCode.NOT_FOUND and not on_page):
        return None
    return Wall(code, certain=code is not ErrorCode.NOT_FOUND)


def platform_code_wall(code: Any) -> Wall | None:
    """What a `code` in the platform's API answer means."""
    known = _PLATFORM_CODES.get(str(code))
    return Wall(known, certain=True) if known else None


def page_wall(snapshot: dict[str, Any]) -> Wall | None:
    """The wall a page shows, from its address, its notices and its text."""
    parts = urlsplit(snapshot["url"])
    query = parse_qs(parts.query)
    if known := _PLATFORM_CODES.get(query.get("error_code", [""])[0]):
        return Wall(known, True, query.get("error_msg", [""])[0][:100])
    for path, code in _PATHS:
        if parts.path == path or parts.path.startswith(path + "/"):
            return Wall(code, True, query.get("error_msg", [""])[0][:100])
    if snapshot["blocked_text"]:
        shown = snapshot["blocked_text"].strip().splitlines()[0][:100]
        for text, code in _BLOCKED_TEXTS:
            if text in snapshot["blocked_text"]:
                return Wall(code, True, shown)
        return Wall(ErrorCode.ACCESS_RESTRICTED, True, shown)
    for text, code in _PAGE_TEXTS:
        if text in snapshot["text"]:
            return Wall(code, certain=False)
    return Wall(ErrorCode.LOGIN_REQUIRED, certain=False) if snapshot["login_box"] else None
