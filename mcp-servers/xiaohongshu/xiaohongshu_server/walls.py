"""Recognising the site's refusals: a wall is an answer with a code, never an empty result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dyber_kit import ErrorCode, ServiceError

LOGIN_NEXT_STEP = (
    "请调用 xhs_login_qrcode，让用户用小红书手机 App 扫码登录（建议使用专门的账号）；"
    "也可由管理员导入 Cookie，见小红书服务 README 的“先登录”"
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
    """A refusal; `certain` when no amount of waiting will bring the data; `whole_account` when not just one item."""

    code: ErrorCode
    certain: bool
    shown: str = ""
    whole_account: bool = False

    def error(self) -> ServiceError:
        """The failure to report."""
        message = None
        if self.shown and self.code in (ErrorCode.NOT_FOUND, ErrorCode.ACCESS_RESTRICTED):
            message = f"小红书提示：{self.shown}"
        next_step = LOGIN_NEXT_STEP if self.code is ErrorCode.LOGIN_REQUIRED else None
        if self.whole_account:
            message = message or "小红书限制了此账号或网络地址的访问"
            next_step = "请停止操作，用自己的浏览器登录小红书查看账号状态；不要换账号重试"
        return ServiceError(self.code, message, next_step, whole_account=self.whole_account)


def status_wall(status: int, on_page: bool) -> Wall | None:
    """What an HTTP status of a page (`on_page`) or of the page's API calls means."""
    code = _STATUS_CODES.get(status)
    if code is None or (code is ErrorCode.NOT_FOUND and not on_page):
        return None
    return Wall(code, certain=code is not ErrorCode.NOT_FOUND)


def platform_code_wall(code: Any) -> Wall | None:
    """What a `code` in the platform's API answer means."""
    known = _PLATFORM_CODES.get(str(code))
    return Wall(known, certain=True, whole_account=known is ErrorCode.ACCESS_RESTRICTED) if known else None


def page_wall(snapshot: dict[str, Any]) -> Wall | None:
    """The wall a page shows, from its address, its notices and its text."""
    parts = urlsplit(snapshot["url"])
    query = parse_qs(parts.query)
    shown = query.get("error_msg", [""])[0][:100]
    known = _PLATFORM_CODES.get(query.get("error_code", [""])[0])
    code = known or next((code for path, code in _PATHS if f"{parts.path}/".startswith(f"{path}/")), None)
    if code:
        return Wall(code, True, shown, whole_account=code is ErrorCode.ACCESS_RESTRICTED)
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
