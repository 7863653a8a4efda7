"""Reads how callers name repositories, issues, files, workflow runs and users: short forms, links, texts with a link."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import unquote, urlsplit

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.language import Text

from github_server.translations import tr_lazy

_OWNER = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9])?(?:\[bot\])?"
_NAME = r"[A-Za-z0-9._-]{1,100}"
_REPOSITORY = re.compile(rf"(?<![\w./-])({_OWNER})/({_NAME})(?![\w.-]|/\w)", re.ASCII)
_NUMBERED = re.compile(rf"(?<![\w./-])({_OWNER})/({_NAME})\s*(?:#|\s)\s*(\d{{1,15}})(?!\d)", re.ASCII)
_LINK = re.compile(r"(?:https?|ssh|git)://[^\s<>\"'）】」，。]+|git@[\w.-]+:[^\s<>\"'）】」，。]+", re.IGNORECASE)
_BARE_LINK = re.compile(r"(?<![\w.@/-])(?:www\.)?github\.com/[^\s<>\"'）】」，。]+", re.IGNORECASE)
_LINES = re.compile(r"L(\d{1,7})")
_NO_REPOSITORY = tr_lazy("No repository was recognized")
_REPOSITORY_FORM = tr_lazy("Write owner/name, such as octocat/hello-world")
# First segments of paths on the site that are no owners.
_NO_OWNERS = {
    "about", "apps", "collections", "customer-stories", "enterprise", "explore", "features", "gist", "issues", "login",
    "marketplace", "notifications", "orgs", "pricing", "pulls", "search", "settings", "sponsors", "stars", "topics",
    "trending", "users",
}  # fmt: skip


@dataclass(frozen=True)
class Repository:
    """Names a repository."""

    owner: str
    name: str

    @property
    def full_name(self) -> str:
        """Return `owner/name`."""
        return f"{self.owner}/{self.name}"

    @property
    def values(self) -> dict[str, str | int]:
        """Return the values of `{owner}` and `{repo}` in paths of the API."""
        return {"owner": self.owner, "repo": self.name}


@dataclass(frozen=True)
class Numbered:
    """Names an issue, a pull request or a workflow run of a repository by its number."""

    repository: Repository
    number: int


@dataclass(frozen=True)
class FileReference:
    """Names a file or folder; `ref` is empty for the default branch, `line` 0 without a line in the link."""

    repository: Repository
    path: str
    ref: str = ""
    line: int = 0


class References:
    """Reads what callers write.

    Args:
        web_url: Address of the site, whose links are accepted besides those of github.com when that is the site.
    """

    def __init__(self, web_url: str) -> None:
        self._site = urlsplit(web_url).netloc.lower()
        is_public = self._site == "github.com"
        also = (
            {"www.github.com", "api.github.com", "raw.githubusercontent.com", "ssh.github.com"} if is_public else set()
        )
        self._hosts = {self._site, f"api.{self._site}", *also}

    def repository(self, text: str) -> Repository:
        """Return the repository that a text names: `owner/name`, a link, or a text with a link.

        Raises ServiceError: INVALID_ARGUMENT.
        """
        parts = self._link(text)
        if parts is None:
            match = _REPOSITORY.search(text)
            return _repository(match[1], match[2]) if match else _refuse(_NO_REPOSITORY, _REPOSITORY_FORM)
        if len(parts.path) < 2 or parts.path[0] in _NO_OWNERS:
            _refuse(
                _NO_REPOSITORY,
                tr_lazy("Write the repository's link, such as https://github.com/octocat/hello-world"),
            )
        return _repository(parts.path[0], parts.path[1])

    def issue(self, text: str) -> Numbered:
        """Return the issue or pull request that a text names: `owner/name#12`, a link, or a text with a link.

        Raises ServiceError: INVALID_ARGUMENT.
        """
        return self._numbered(
            text,
            ("issues", "pull", "pulls"),
            tr_lazy("No issue or pull request was recognized"),
            tr_lazy("Write owner/name#number, such as octocat/hello-world#12, or the link of an issue or pull request"),
        )

    def run(self, text: str) -> Numbered:
        """Return the workflow run that a text names: `owner/name#run_id` or a link. Raises like `issue`."""
        return self._numbered(
            text,
            ("actions/runs",),
            tr_lazy("No workflow run was recognized"),
            tr_lazy("Write owner/name#run_id, such as octocat/hello-world#30433642, or the link of a workflow run"),
        )

    def file(self, repository: str, path: str, ref: str) -> FileReference:
        """Return the file that a repository with a path names, or a link to a file as `repository`.

        The reference of a link ends at the first slash; for branches with slashes, callers give `path` and `ref`.

        Raises ServiceError: INVALID_ARGUMENT.
        """
        parts = self._link(repository)
        named = self.repository(repository)
        link_ref, link_path, line = "", "", 0
        if parts is not None:
            rest = parts.path[2:]
            if parts.host == "raw.githubusercontent.com":
                rest = ["raw", *(rest[2:] if rest[:2] == ["refs", "heads"] else rest)]
            if len(rest) >= 2 and rest[0] in ("blob", "tree", "raw", "blame", "edit"):
                link_ref, link_path = rest[1], "/".join(rest[2:])
            if match := _LINES.match(parts.fragment):
                line = int(match[1])
        segments = [part for part in (path or link_path).split("/") if part not in ("", ".")]
        if ".." in segments:
            _refuse(
                tr_lazy("The path leads out of the repository"),
                tr_lazy("Write the path from the repository's root, such as src/main.py"),
            )
        return FileReference(named, "/".join(segments), ref.strip() or link_ref, line)

    def user(self, text: str) -> str:
        """Return the login that a text names: `login`, `@login` or a link. Raises ServiceError: INVALID_ARGUMENT."""
        parts = self._link(text)
        if parts is not None:
            path = parts.path[1:] if parts.path[:1] in (["orgs"], ["users"], ["sponsors"]) else parts.path
            text = path[0] if path else ""
        match = re.fullmatch(rf"@?({_OWNER})", text.strip())
        if match is None:
            _refuse(tr_lazy("No user was recognized"), tr_lazy("Write the login, such as octocat"))
        return match[1]

    def _numbered(self, text: str, kinds: tuple[str, ...], problem: Text, form: Text) -> Numbered:
        parts = self._link(text)
        if parts is None:
            match = _NUMBERED.search(text)
            if match is None or not int(match[3]):
                _refuse(problem, form)
            return Numbered(_repository(match[1], match[2]), int(match[3]))
        path = "/".join(parts.path[2:])
        for kind in kinds:
            if match := re.match(rf"{kind}/(\d{{1,15}})(?:/|$)", path):
                return Numbered(_repository(parts.path[0], parts.path[1]), int(match[1]))
        _refuse(problem, form)

    def _link(self, text: str) -> _Link | None:
        """Return the first link of the site in a text; None without a link.

        Raises ServiceError: INVALID_ARGUMENT when all links lead elsewhere.
        """
        links = _LINK.findall(text)
        if not links:
            bare = _BARE_LINK.search(text)
            links = [f"https://{bare[0]}"] if bare else []
        for link in links:
            if read := _split(link):
                if read.host in self._hosts:
                    return self._without_api_prefix(read)
        if links:
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                tr_lazy("The link does not lead to the GitHub that this service uses"),
                tr_lazy("Give a link of {site}, or owner/name", site=self._site),
            )
        return None

    def _without_api_prefix(self, link: _Link) -> _Link:
        path = link.path[2:] if link.path[:2] == ["api", "v3"] else link.path
        if path[:1] == ["repos"] and (link.host.startswith("api.") or path is not link.path):
            path = path[1:]
        return _Link(link.host, path, link.fragment)


@dataclass(frozen=True)
class _Link:
    host: str
    path: list[str]
    fragment: str


def _split(link: str) -> _Link | None:
    if link.lower().startswith("git@"):
        host, _, path = link[4:].partition(":")
        return _Link(host.lower(), [part for part in path.split("/") if part], "")
    try:
        parts = urlsplit(link.rstrip(".,;:!?)]}"))
        # The name before an `@` is a login, as in ssh://git@github.com.
        host = parts.netloc.rpartition("@")[2].lower()
    except ValueError:
        return None
    return _Link(host, [unquote(part) for part in parts.path.split("/") if part], parts.fragment)


def _repository(owner: str, name: str) -> Repository:
    name = name.removesuffix(".git").rstrip(".")
    if not re.fullmatch(_OWNER, owner) or not re.fullmatch(_NAME, name) or name in (".", ".."):
        _refuse(_NO_REPOSITORY, _REPOSITORY_FORM)
    return Repository(owner, name)


def _refuse(problem: Text, form: Text) -> NoReturn:
    raise ServiceError(ErrorCode.INVALID_ARGUMENT, problem, form)
