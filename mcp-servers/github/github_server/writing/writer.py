"""Checks what would prevent a write to GitHub, describes the write, and carries it out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.language import Text
from dyber_kit.upstream.api.answers import ApiAnswer
from dyber_kit.upstream.text import clean_text

from github_server.model.references import Numbered, Repository
from github_server.model.wire import WireCreated, WireIssue, WireRepository, WireUser
from github_server.reading.api import GitHub
from github_server.reading.texts import line
from github_server.translations import tr, tr_lazy

logger = logging.getLogger("dyber.github")

_WRITING_PERMISSIONS = ("push", "maintain", "admin")


@dataclass(frozen=True)
class IssueTarget:
    """Holds an issue or pull request that can be commented on, and its repository."""

    repository: WireRepository
    issue: WireIssue


class Writer:
    """Writes with the account of the token.

    Every method raises ServiceError: NOT_CONFIGURED without a token, ACCESS_RESTRICTED for what GitHub would refuse,
    INVALID_ARGUMENT for a repository or issue that has moved, NOT_FOUND, or another refusal of GitHub. Methods that
    submit also raise OUTCOME_UNKNOWN when GitHub's answer was not seen.
    """

    def __init__(self, github: GitHub) -> None:
        self._github = github

    async def describe_issue(self, name: Repository, title: str, body: str) -> str:
        """Return what opening an issue would do."""
        repository = await self._writable(name)
        _require_issues(repository, name)
        return tr(
            "Open an issue in {repo} ({visibility}) as {account}. Title: {title}. Text: {text}",
            repo=repository.full_name,
            visibility=_visibility(repository),
            account=await self._account(),
            title=title,
            text=body or tr("(empty)"),
        )

    async def open_issue(self, name: Repository, title: str, body: str, spend: Callable[[], None]) -> str:
        """Open an issue and say where it is; `spend` is called immediately before the submit."""
        repository = await self._writable(name)
        _require_issues(repository, name)
        spend()
        answer = await self._github.post("/repos/{owner}/{repo}/issues", name.values, {"title": title, "body": body})
        created = _created(answer)
        ref = f"{repository.full_name}#{created.number}"
        logger.info("issue opened", extra={"ref": ref})
        return tr("Opened {ref}: {url}", ref=ref, url=created.html_url)

    async def describe_comment(self, target: Numbered, body: str) -> str:
        """Return what commenting on an issue or pull request would do."""
        checked = await self._commentable(target)
        kind = tr("pull request") if checked.issue.pull_request else tr("issue")
        return tr(
            "Comment on the {kind} {ref} ({state}, {visibility}) as {account}. Its title: {title}. Its author: "
            "{author}. The comment: {text}",
            kind=kind,
            ref=f"{checked.repository.full_name}#{target.number}",
            state=tr("closed") if checked.issue.state == "closed" else tr("open"),
            visibility=_visibility(checked.repository),
            account=await self._account(),
            title=line(checked.issue.title) or "-",
            author=self._github.login(checked.issue.user) or tr("a deleted account"),
            text=body,
        )

    async def comment(self, target: Numbered, body: str, spend: Callable[[], None]) -> str:
        """Comment on an issue or pull request and say where; `spend` is called immediately before the submit."""
        checked = await self._commentable(target)
        values = {**target.repository.values, "number": target.number}
        spend()
        answer = await self._github.post("/repos/{owner}/{repo}/issues/{number}/comments", values, {"body": body})
        created = _created(answer)
        ref = f"{checked.repository.full_name}#{target.number}"
        logger.info("comment added", extra={"ref": ref})
        return tr("Commented on {ref}: {url}", ref=ref, url=created.html_url)

    def require_token(self) -> None:
        """Raise ServiceError: NOT_CONFIGURED without a token."""
        if not self._github.has_token:
            raise ServiceError(
                ErrorCode.NOT_CONFIGURED,
                tr_lazy("Writing to GitHub needs a token, and this service has none in GITHUB_TOKEN"),
                tr_lazy("Ask the operator to set the secret GITHUB_TOKEN and to deploy again"),
            )

    async def _writable(self, name: Repository) -> WireRepository:
        """Return a repository after checking that it takes writes of this token."""
        self.require_token()
        answer = await self._github.get("/repos/{owner}/{repo}", name.values)
        repository = answer.model(WireRepository)
        if repository.full_name.lower() != name.full_name.lower():
            raise _moved(name.full_name, repository.full_name)
        if repository.archived:
            raise _prevented(
                tr_lazy("{repo} is archived and takes no more writes", repo=repository.full_name),
                tr_lazy("Choose another repository, such as the one that its description or README names"),
            )
        if repository.disabled:
            raise _prevented(tr_lazy("GitHub has disabled {repo}", repo=repository.full_name))
        _require_scope(answer, repository)
        return repository

    async def _commentable(self, target: Numbered) -> IssueTarget:
        repository = await self._writable(target.repository)
        values = {**target.repository.values, "number": target.number}
        issue = (await self._github.get("/repos/{owner}/{repo}/issues/{number}", values)).model(WireIssue)
        place = (issue.repository_url or "").partition("/repos/")[2] or repository.full_name
        if place.lower() != repository.full_name.lower():
            raise _moved(f"{target.repository.full_name}#{target.number}", f"{place}#{issue.number}")
        permissions = repository.permissions or {}
        if issue.locked and not any(permissions.get(name) for name in _WRITING_PERMISSIONS):
            raise _prevented(
                tr_lazy(
                    "The conversation of {ref} is locked: only people with write access may comment",
                    ref=f"{repository.full_name}#{target.number}",
                ),
                tr_lazy("Do not comment here; choose another issue, or talk to the user"),
            )
        return IssueTarget(repository, issue)

    async def _account(self) -> str:
        """Return the login of the token's account; tokens of GitHub Apps may not ask for it."""
        try:
            user = (await self._github.get("/user")).model(WireUser)
        except ServiceError as error:
            if error.code not in (ErrorCode.ACCESS_RESTRICTED, ErrorCode.NOT_FOUND):
                raise
            return tr("the account of GITHUB_TOKEN")
        return self._github.login(user) or user.login


def written(name: str, value: str, *, lines: bool) -> str:
    """Return a text to be published, without outer blanks; `lines` allows more than one line.

    Raises:
        ServiceError: INVALID_ARGUMENT for a text without visible characters, or with control characters.
    """
    text = value.replace("\r\n", "\n").strip()
    allowed = "\n\t" if lines else ""
    if any((ord(character) < 32 and character not in allowed) or ord(character) == 127 for character in text):
        message = (
            tr_lazy("{name} has control characters", name=name)
            if lines
            else tr_lazy("{name} has more than one line, or control characters", name=name)
        )
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, message, tr_lazy("Correct {name}", name=name), fields=[name])
    if not clean_text(text, html=False).text:
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT,
            tr_lazy("{name} is blank", name=name),
            tr_lazy("Write in {name} what is to be published", name=name),
            fields=[name],
        )
    return text


def _require_issues(repository: WireRepository, name: Repository) -> None:
    if repository.has_issues is False:
        raise _prevented(
            tr_lazy("Issues are switched off in {repo}", repo=name.full_name),
            tr_lazy("Look into its README for where to report"),
        )


def _require_scope(answer: ApiAnswer, repository: WireRepository) -> None:
    """Raise ServiceError when a classic token lacks the scope; GitHub does not tell what other tokens may do."""
    told = answer.headers.get("x-oauth-scopes")
    if told is None:
        return
    needed = {"repo"} if repository.private else {"repo", "public_repo"}
    if not needed & {scope.strip() for scope in told.split(",")}:
        raise _prevented(
            tr_lazy("The token in GITHUB_TOKEN may not write here: it lacks the scope {scope}", scope=min(needed)),
            tr_lazy("Ask the operator to replace GITHUB_TOKEN with a token that may write issues, and to deploy again"),
        )


def _created(answer: ApiAnswer) -> WireCreated:
    """Return what GitHub says it has made.

    Raises:
        ServiceError: OUTCOME_UNKNOWN when GitHub accepted the request, and its answer does not name a new object.
    """
    try:
        return answer.model(WireCreated)
    except ServiceError as error:
        raise ServiceError(ErrorCode.OUTCOME_UNKNOWN, request_id=answer.request_id) from error


def _moved(named: str, present: str) -> ServiceError:
    return ServiceError(
        ErrorCode.INVALID_ARGUMENT,
        tr_lazy("{named} has moved to {present}", named=named, present=present),
        tr_lazy("If the user means that, write {present}", present=present),
    )


def _prevented(message: Text, next_step: Text | None = None) -> ServiceError:
    return ServiceError(ErrorCode.ACCESS_RESTRICTED, message, next_step)


def _visibility(repository: WireRepository) -> str:
    return tr("private") if repository.private else tr("public, everybody can read it")
