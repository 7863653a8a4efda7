"""Reads how callers name questions, answers, articles and users: refs, links of any form, texts with a link."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, NoReturn
from urllib.parse import parse_qs, unquote, urlsplit

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.language import Text

from zhihu_server.texts import tr_lazy

Kind = Literal["question", "answer", "article", "user"]

_ID = r"(\d{1,20})"
_TOKEN = r"([A-Za-z0-9][A-Za-z0-9_-]{0,63})"
_REF = re.compile(rf"(?<![\w/])(?:(question|answer|article):{_ID}|user:{_TOKEN})(?![\w-])", re.ASCII)
_LINK = re.compile(r"(?:https?://|zhihu://|(?<![\w.@/-])(?:[a-z]+\.)?zhihu\.com/)[^\s<>\"'）】」，。]+", re.IGNORECASE)
# The site's own paths, those of its apps, of its API and of its pages for search engines.
_PATHS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(rf"/questions?/(?P<question>\d{{1,20}})/answers?/{_ID}(?:/|$)"), "answer"),
    (re.compile(rf"/(?:answers?|ans)/{_ID}(?:/|$)"), "answer"),
    (re.compile(rf"/(?:p|articles?|art)/{_ID}(?:/|$)"), "article"),
    (re.compile(rf"/(?:questions?|qus)/{_ID}(?:/|$)"), "question"),
    (re.compile(rf"/(?:people|org|members)/{_TOKEN}(?:/|$)"), "user"),
)
_OTHERS = re.compile(r"/(pins?|zvideos?|topics?|columns?|collections?|roundtable|market|xen)/")
_TOOLS: dict[str, str] = {
    "question": "zhihu_get_question",
    "answer": "zhihu_get_content",
    "article": "zhihu_get_content",
    "user": "zhihu_get_user",
}


@dataclass(frozen=True)
class Reference:
    """Names a question, an answer, an article or a user; `question` is the question of an answer, when it is known."""

    kind: Kind
    id: str
    question: str = ""

    @property
    def ref(self) -> str:
        """Return the short form that answers contain and that every tool accepts."""
        return f"{self.kind}:{self.id}"


class References:
    """Reads what callers write, and makes addresses.

    Args:
        base_url: Origin of the site.
        articles_url: Origin of articles.
    """

    def __init__(self, base_url: str, articles_url: str) -> None:
        self._base = base_url
        self._articles = articles_url
        self._host = urlsplit(base_url).netloc.lower()

    def url(self, reference: Reference) -> str:
        """Return the address of a page."""
        match reference.kind:
            case "answer" if reference.question:
                return f"{self._base}/question/{reference.question}/answer/{reference.id}"
            case "article":
                return f"{self._articles}/p/{reference.id}"
            case "user":
                return f"{self._base}/people/{reference.id}"
        return f"{self._base}/{reference.kind}/{reference.id}"

    def find(self, text: str) -> Reference | None:
        """Return what a text names, or None when it names nothing that is known here."""
        if match := _REF.search(text):
            kind: Kind = match[1] or "user"  # type: ignore[assignment]
            return Reference(kind, match[2] or match[3])
        link = self._link(text)
        return _of_path(link) if link else None

    def question(self, text: str) -> Reference:
        """Return the question that a text names: its number, a ref, or a link to it or to one of its answers.

        Raises:
            ServiceError: INVALID_ARGUMENT.
        """
        if re.fullmatch(r"\d{1,20}", text.strip()):
            return Reference("question", text.strip())
        reference = self.find(text)
        if reference and reference.kind == "answer" and reference.question:
            return Reference("question", reference.question)
        return self._checked(text, reference, ("question",), "question", tr_lazy("question:123456, or a link to it"))

    def content(self, text: str) -> Reference:
        """Return the answer or article that a text names. Raises ServiceError: INVALID_ARGUMENT."""
        example = tr_lazy("answer:123456, article:123456, or a link to it")
        return self._checked(text, self.find(text), ("answer", "article"), "content", example)

    def user(self, text: str) -> Reference:
        """Return the user that a text names: a ref, a link, or the last part of the profile's address.

        Raises:
            ServiceError: INVALID_ARGUMENT.
        """
        reference = self.find(text)
        if reference is None and (match := re.fullmatch(rf"@?{_TOKEN}", text.strip(), re.ASCII)):
            return Reference("user", match[1])
        return self._checked(text, reference, ("user",), "user", tr_lazy("user:zhihuadmin, or a link to the profile"))

    def _checked(
        self, text: str, reference: Reference | None, kinds: Collection[str], argument: str, example: Text
    ) -> Reference:
        if reference is None:
            link = self._link(text)
            if link and _OTHERS.search(f"{link}/"):
                _refuse(argument, tr_lazy("Ideas, videos, topics, columns and collections are not supported"), example)
            _refuse(argument, tr_lazy("The argument names nothing on Zhihu"), example)
        if reference.kind not in kinds:
            tool = tr_lazy("use {tool} for {ref}", tool=_TOOLS[reference.kind], ref=reference.ref)
            _refuse(argument, tr_lazy("{ref} is of another kind", ref=reference.ref), tool)
        return reference

    def _link(self, text: str) -> str | None:
        """Return the path of the first link in a text that leads to the site, with a slash at its start."""
        for match in _LINK.finditer(text):
            path = self._path(match[0])
            if path:
                return path
        return None

    def _path(self, link: str) -> str | None:
        if "://" not in link:
            link = f"https://{link}"
        try:
            parts = urlsplit(link)
        except ValueError:
            return None
        if parts.scheme.lower() == "zhihu":
            return f"/{parts.netloc}{parts.path}"
        host = parts.netloc.lower()
        if host == "link.zhihu.com":
            return self._path(parse_qs(parts.query).get("target", [""])[0])
        if host == self._host or host == "zhihu.com" or host.endswith(".zhihu.com"):
            return unquote(parts.path)
        return None


def _of_path(path: str) -> Reference | None:
    for pattern, kind in _PATHS:
        if match := pattern.search(path):
            named = match.groupdict().get("question")
            return Reference(kind, match[2] if named else match[1], named or "")
    return None


def _refuse(argument: str, message: Text, next_step: Text) -> NoReturn:
    raise ServiceError(ErrorCode.INVALID_ARGUMENT, message, next_step, fields=[argument])
