"""Recognises a platform's refusals (walls) by a table, so that none of them looks like an empty result.

A service writes one `Walls` table. Refusals that the table does not name are reported with the platform's own words.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dyber_kit.errors import KINDS, ErrorCode, ServiceError
from dyber_kit.language import Text
from dyber_kit.upstream.text import clean_text

_SHOWN_CHARS = 100


@dataclass(frozen=True)
class Refusal:
    """Says what a sign of a refusal means.

    Attributes:
        code: The error code to report.
        whole_account: Whether the platform refuses the account or the address, and not just one item.
        pause: Seconds for which the account opens no page afterwards; None for the usual pause.
    """

    code: ErrorCode
    whole_account: bool = False
    pause: float | None = None


#: What a sign means: a `Refusal`, or only its error code.
Meaning = Refusal | ErrorCode

#: HTTP statuses that mean the same on every platform.
COMMON_STATUSES: Mapping[int, Meaning] = {
    401: ErrorCode.LOGIN_REQUIRED,
    403: ErrorCode.ACCESS_RESTRICTED,
    404: ErrorCode.NOT_FOUND,
    410: ErrorCode.NOT_FOUND,
    429: ErrorCode.RATE_LIMITED,
}
#: Words in refused calls that mean the same on every platform, in lower case.
COMMON_TEXTS: Mapping[str, Meaning] = {
    "频繁": ErrorCode.RATE_LIMITED,
    "too many requests": ErrorCode.RATE_LIMITED,
    "请通过验证": ErrorCode.CAPTCHA_REQUIRED,
    "安全验证": ErrorCode.CAPTCHA_REQUIRED,
    "captcha": ErrorCode.CAPTCHA_REQUIRED,
    "请先登录": ErrorCode.LOGIN_REQUIRED,
    "未登录": ErrorCode.LOGIN_REQUIRED,
    "登录已过期": ErrorCode.LOGIN_REQUIRED,
    "please log in": ErrorCode.LOGIN_REQUIRED,
    "not logged in": ErrorCode.LOGIN_REQUIRED,
}


@dataclass(frozen=True)
class Wall:
    """Describes a refusal by the platform.

    Attributes:
        title: The platform's name for people.
        code: The error code to report.
        certain: Whether waiting longer cannot bring the data.
        shown: The message that the platform shows.
        whole_account: Whether the platform refuses the account, and not just one item.
        guessed: Whether the code was derived from the message alone.
        pause: Seconds for which the account opens no page afterwards, or None.
        login_step: The next step to report when a login is required, or None for the usual one.
    """

    title: str
    code: ErrorCode
    certain: bool
    shown: str = ""
    whole_account: bool = False
    guessed: bool = False
    pause: float | None = None
    login_step: str | Text | None = None

    def error(self) -> ServiceError:
        """Return the error to report."""
        message: str | None = None
        next_step: str | Text | None = None
        if self.code is ErrorCode.LOGIN_REQUIRED:
            next_step = self.login_step
        elif self.shown and self.code in (ErrorCode.NOT_FOUND, ErrorCode.ACCESS_RESTRICTED):
            message = f"{self.title}提示：{self.shown}"
        elif self.shown:
            message = f"{KINDS[self.code].message}（{self.title}提示：{self.shown}）"
        if self.whole_account:
            message = message or f"{self.title}限制了此账号或网络地址的访问"
            next_step = f"请停止操作，用自己的浏览器登录{self.title}查看账号状态；不要换账号重试"
        return ServiceError(self.code, message, next_step, retry_after=self.pause, whole_account=self.whole_account)


@dataclass(frozen=True)
class Walls:
    """Holds the signs by which a platform's refusals are recognised.

    Texts are compared in lower case, with straight apostrophes; the first entry that matches counts. Field names may
    have dots for nested objects: `error.code`.

    Attributes:
        title: The platform's name for people, such as 小红书.
        login_step: What to do when a login is required; None for the usual next step.
        statuses: HTTP statuses of pages and of their calls.
        codes: The platform's codes, in the answers to calls and in the address of error pages.
        good_codes: Codes of answers with data; an answer without a code is one, too.
        code_fields: Fields of an answer that may hold the code.
        message_fields: Fields of an answer that may hold the platform's message.
        success_field: Field of an answer that is `true` or `false`.
        json_required: Whether a call that is answered without JSON was refused.
        addresses: Places to which the platform redirects: `/path` on any host, or `host/path`.
        address_code: Parameter with the code in the address of an error page.
        address_message: Parameter with the message in the address of an error page.
        call_texts: Words in the messages of calls that were refused with a code that is not in `codes`.
        notices: Selectors of elements that take the place of the content; without a known text, the access is
            restricted.
        notice_texts: Words in these elements.
        titles: Words in a document's title.
        page_texts: Words anywhere on a page; these count only while the data does not come.
        boxes: Selectors of visible elements that cover the page, such as a captcha's.
        login_box: Selector of the box that asks guests to log in.
    """

    title: str
    login_step: str | Text | None = None
    statuses: Mapping[int, Meaning] = field(default_factory=lambda: COMMON_STATUSES)
    codes: Mapping[str, Meaning] = field(default_factory=dict)
    good_codes: Collection[str] = ("0",)
    code_fields: Sequence[str] = ("code",)
    message_fields: Sequence[str] = ("msg", "message")
    success_field: str = "success"
    json_required: bool = False
    addresses: Mapping[str, Meaning] = field(default_factory=dict)
    address_code: str = "error_code"
    address_message: str = "error_msg"
    call_texts: Mapping[str, Meaning] = field(default_factory=lambda: COMMON_TEXTS)
    notices: Sequence[str] = ()
    notice_texts: Mapping[str, Meaning] = field(default_factory=dict)
    titles: Mapping[str, Meaning] = field(default_factory=dict)
    page_texts: Mapping[str, Meaning] = field(default_factory=dict)
    boxes: Mapping[str, Meaning] = field(default_factory=dict)
    login_box: str = ""

    def wall(self, meaning: Meaning, *, certain: bool = True, shown: str = "", guessed: bool = False) -> Wall:
        """Return a wall of this platform."""
        refusal = _refusal(meaning)
        return Wall(
            self.title,
            refusal.code,
            certain,
            shown,
            whole_account=refusal.whole_account,
            guessed=guessed,
            pause=refusal.pause,
            login_step=self.login_step,
        )

    def of_status(self, status: int) -> Wall | None:
        """Return the wall that the HTTP status of a page stands for, or None.

        Some pages with 404 show their data all the same.
        """
        meaning = self.statuses.get(status)
        return self.wall(meaning, certain=not _is_missing(meaning)) if meaning else None

    def of_answer(self, status: int, answer: Any) -> Wall | None:
        """Return the wall in the answer to one of the page's calls, or None when the answer has data.

        Args:
            status: The HTTP status.
            answer: The JSON of the body, or None when it has none.
        """
        body = answer if isinstance(answer, dict) else {}
        platform_code = _first(body, self.code_fields)
        shown = platform_words(_first(body, self.message_fields))
        if known := self.codes.get(str(platform_code)):
            return self.wall(known, shown=shown)
        by_status = self.statuses.get(status)
        missing = by_status is not None and _is_missing(by_status)
        if by_status is not None and not missing:
            return self.wall(by_status, shown=shown)
        if status >= 500:
            return self.wall(ErrorCode.UPSTREAM_UNREACHABLE, certain=False, shown=shown or f"HTTP {status}")
        success = body.get(self.success_field)
        good = platform_code is None or str(platform_code) in self.good_codes
        if success is False or (success is not True and not good):
            number = "" if platform_code is None else f"（代码 {platform_words(str(platform_code))}）"
            meaning = _of_text(shown, self.call_texts) or ErrorCode.ACCESS_RESTRICTED
            return self.wall(meaning, shown=f"{shown or '没有说明原因'}{number}", guessed=True)
        # Pages work without the calls that the platform has removed (404).
        if status >= 400 and not missing:
            return self.wall(ErrorCode.ACCESS_RESTRICTED, certain=False, shown=f"HTTP {status}")
        if answer is None and self.json_required and 200 <= status < 300:
            return self.wall(ErrorCode.ACCESS_RESTRICTED, certain=False, shown="没有返回数据")
        return None

    def of_page(self, snapshot: Mapping[str, Any]) -> Wall | None:
        """Return the wall that a page shows in its address, its notices, its boxes or its text; None without one."""
        if wall := self._of_address(snapshot["url"]):
            return wall
        if notice := snapshot["blocked_text"]:
            shown = platform_words(notice.strip().splitlines()[0]) if notice.strip() else ""
            return self.wall(_of_text(notice, self.notice_texts) or ErrorCode.ACCESS_RESTRICTED, shown=shown)
        if box := self.boxes.get(snapshot.get("box", "")):
            return self.wall(box, certain=False)
        meaning = _of_text(snapshot.get("title", ""), self.titles) or _of_text(snapshot["text"], self.page_texts)
        if meaning:
            return self.wall(meaning, certain=False)
        return self.wall(ErrorCode.LOGIN_REQUIRED, certain=False) if snapshot["login_box"] else None

    def _of_address(self, url: str) -> Wall | None:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        shown = platform_words(query.get(self.address_message, [""])[0])
        meaning = self.codes.get(query.get(self.address_code, [""])[0]) or next(
            (meaning for place, meaning in self.addresses.items() if _is_at(parts.hostname or "", parts.path, place)),
            None,
        )
        if meaning is None:
            return None
        refusal = _refusal(meaning)
        # An item that is restricted shows a notice in its place; a redirect concerns the visitor.
        whole_account = refusal.whole_account or refusal.code is ErrorCode.ACCESS_RESTRICTED
        return self.wall(replace(refusal, whole_account=whole_account), shown=shown)


def platform_words(value: Any) -> str:
    """Return a message of a platform as one short line without markup or invisible characters."""
    return " ".join(clean_text(value).text.split())[:_SHOWN_CHARS]


def _refusal(meaning: Meaning) -> Refusal:
    return meaning if isinstance(meaning, Refusal) else Refusal(meaning)


def _is_missing(meaning: Meaning) -> bool:
    return _refusal(meaning).code is ErrorCode.NOT_FOUND


def _of_text(shown: str, texts: Mapping[str, Meaning]) -> Meaning | None:
    plain = shown.lower().replace("\u2019", "'")
    return next((meaning for text, meaning in texts.items() if text in plain), None)


def _first(body: Mapping[str, Any], names: Sequence[str]) -> Any:
    """Return the first of the named fields that has a value; names may have dots."""
    for name in names:
        value: Any = body
        for key in name.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None


def _is_at(host: str, path: str, place: str) -> bool:
    wanted_host, slash, rest = place.partition("/")
    if wanted_host and host != wanted_host and not host.endswith(f".{wanted_host}"):
        return False
    return not rest or f"{path.rstrip('/')}/".startswith(f"{slash}{rest.rstrip('/')}/")
