"""Recognises the site's refusals (walls) and gives each an error code, so that none looks like an empty result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.errors import KINDS
from dyber_kit.upstream.text import clean_text

LOGIN_NEXT_STEP = (
    "请调用 xhs_login_qrcode，让用户用小红书手机 App 扫码登录（建议使用专门的账号）；"
    "也可由管理员导入 Cookie，见小红书服务 README 的“先登录”"
)

# HTTP statuses of pages and of their API calls.
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
    "300031": ErrorCode.NOT_FOUND,
    "-510000": ErrorCode.NOT_FOUND,
    "-510001": ErrorCode.NOT_FOUND,
    "-100": ErrorCode.LOGIN_REQUIRED,
    "-101": ErrorCode.LOGIN_REQUIRED,
    "-104": ErrorCode.ACCESS_RESTRICTED,
}
# With these codes the site refuses the whole account or IP address.
_WHOLE_ACCOUNT = ("300011", "300012")
_GOOD_CODES = (None, 0, "0", 1000)
_PATHS = (
    ("/website-login/captcha", ErrorCode.CAPTCHA_REQUIRED),
    ("/website-login/error", ErrorCode.ACCESS_RESTRICTED),
    ("/login", ErrorCode.LOGIN_REQUIRED),
    ("/404", ErrorCode.NOT_FOUND),
)
# The site shows these words after too many visits; the page works again later.
_SLOW_DOWN = (
    ("访问频次异常", ErrorCode.RATE_LIMITED),
    ("请勿频繁操作", ErrorCode.RATE_LIMITED),
    ("this page isn't available right now", ErrorCode.RATE_LIMITED),
)
_ANSWER_TEXTS = (
    *_SLOW_DOWN,
    ("频繁", ErrorCode.RATE_LIMITED),
    ("请通过验证", ErrorCode.CAPTCHA_REQUIRED),
    ("安全验证", ErrorCode.CAPTCHA_REQUIRED),
    ("请先登录", ErrorCode.LOGIN_REQUIRED),
    ("未登录", ErrorCode.LOGIN_REQUIRED),
    ("无登录信息", ErrorCode.LOGIN_REQUIRED),
    ("登录已过期", ErrorCode.LOGIN_REQUIRED),
)
_BLOCKED_TEXTS = (
    *_SLOW_DOWN,
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
    *_SLOW_DOWN,
    ("请通过验证", ErrorCode.CAPTCHA_REQUIRED),
    ("登录后查看搜索结果", ErrorCode.LOGIN_REQUIRED),
    ("登录探索更多内容", ErrorCode.LOGIN_REQUIRED),
    ("获取验证码", ErrorCode.LOGIN_REQUIRED),
)
NO_RESULT_TEXTS = ("没有找到相关内容", "没找到相关内容", "未找到相关内容")
_SHOWN_CHARS = 100


@dataclass(frozen=True)
class Wall:
    """Describes a refusal by the site.

    Attributes:
        code: The error code to report.
        certain: Whether waiting longer cannot bring the data.
        shown: The message that the site shows.
        whole_account: Whether the site refuses the account, and not just one item.
        guessed: Whether the code was derived from the message alone.
    """

    code: ErrorCode
    certain: bool
    shown: str = ""
    whole_account: bool = False
    guessed: bool = False

    def error(self) -> ServiceError:
        """Return the error to report."""
        message, next_step = None, None
        if self.code is ErrorCode.LOGIN_REQUIRED:
            next_step = LOGIN_NEXT_STEP
        elif self.shown and self.code in (ErrorCode.NOT_FOUND, ErrorCode.ACCESS_RESTRICTED):
            message = f"小红书提示：{self.shown}"
        elif self.shown:
            message = f"{KINDS[self.code].message}（小红书提示：{self.shown}）"
        if self.whole_account:
            message = message or "小红书限制了此账号或网络地址的访问"
            next_step = "请停止操作，用自己的浏览器登录小红书查看账号状态；不要换账号重试"
        return ServiceError(self.code, message, next_step, whole_account=self.whole_account)


def site_words(value: Any) -> str:
    """Return a message of the site as one short line without markup or invisible characters."""
    return " ".join(clean_text(value).text.split())[:_SHOWN_CHARS]


def status_wall(status: int) -> Wall | None:
    """Return the wall that the HTTP status of a page stands for, or None."""
    code = _STATUS_CODES.get(status)
    return Wall(code, certain=code is not ErrorCode.NOT_FOUND) if code else None


def answer_wall(status: int, answer: Any) -> Wall | None:
    """Return the wall in the answer to one of the page's calls, or None when the answer has data.

    Args:
        status: The HTTP status.
        answer: The JSON of the body, or None when it has none.
    """
    body = answer if isinstance(answer, dict) else {}
    platform_code, shown = body.get("code"), site_words(body.get("msg"))
    if known := _PLATFORM_CODES.get(str(platform_code)):
        return Wall(known, True, shown, whole_account=str(platform_code) in _WHOLE_ACCOUNT)
    code = _STATUS_CODES.get(status)
    if code is not None and code is not ErrorCode.NOT_FOUND:
        return Wall(code, True, shown)
    if status >= 500:
        return Wall(ErrorCode.UPSTREAM_UNREACHABLE, False, shown or f"HTTP {status}")
    refused = body.get("success") is False or (body.get("success") is not True and platform_code not in _GOOD_CODES)
    if refused:
        number = "" if platform_code is None else f"（代码 {site_words(str(platform_code))}）"
        reason = f"{shown or '没有说明原因'}{number}"
        return Wall(_code_of_text(shown, _ANSWER_TEXTS) or ErrorCode.ACCESS_RESTRICTED, True, reason, guessed=True)
    # Pages work without the calls that the site has removed (404).
    failed = status >= 400 and _STATUS_CODES.get(status) is not ErrorCode.NOT_FOUND
    return Wall(ErrorCode.ACCESS_RESTRICTED, False, f"HTTP {status}") if failed else None


def _code_of_text(shown: str, texts: tuple[tuple[str, ErrorCode], ...]) -> ErrorCode | None:
    plain = shown.lower().replace("\u2019", "'")
    return next((code for text, code in texts if text in plain), None)


def page_wall(snapshot: dict[str, Any]) -> Wall | None:
    """Return the wall that a page shows in its address, its notices or its text; None without one."""
    parts = urlsplit(snapshot["url"])
    query = parse_qs(parts.query)
    shown = site_words(query.get("error_msg", [""])[0])
    known = _PLATFORM_CODES.get(query.get("error_code", [""])[0])
    code = known or next((code for path, code in _PATHS if f"{parts.path}/".startswith(f"{path}/")), None)
    if code:
        return Wall(code, True, shown, whole_account=code is ErrorCode.ACCESS_RESTRICTED)
    if snapshot["blocked_text"]:
        shown = site_words(snapshot["blocked_text"].strip().splitlines()[0])
        return Wall(_code_of_text(snapshot["blocked_text"], _BLOCKED_TEXTS) or ErrorCode.ACCESS_RESTRICTED, True, shown)
    if code := _code_of_text(snapshot["text"], _PAGE_TEXTS):
        return Wall(code, certain=False)
    return Wall(ErrorCode.LOGIN_REQUIRED, certain=False) if snapshot["login_box"] else None
