"""Reads issues and pull requests."""

from __future__ import annotations

from typing import Any, Literal

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.upstream.text import visible_text

from github_server.model.answers import (
    ChangedFile,
    CommentItem,
    Issue,
    IssueItem,
    IssueList,
    Pull,
    ReviewItem,
)
from github_server.model.references import Numbered, References
from github_server.model.wire import WireChangedFile, WireComment, WireIssue, WireLabel, WirePull, WireReview
from github_server.reading.api import GitHub, Listing, listed, now, read_all
from github_server.reading.searching import result_fields, searched, words
from github_server.reading.texts import cut, line, markdown
from github_server.translations import tr, tr_lazy

Kind = Literal["issue", "pull"]
State = Literal["any", "open", "closed"]
Sort = Literal["best_match", "created", "updated", "comments"]
_SEARCH_SECONDS = 300.0
_DETAIL_SECONDS = 600.0
_EXCERPT_CHARS = 300
_REVIEW_CHARS = 500


class IssueReader:
    """Returns the answers about issues and pull requests; every method raises ServiceError when GitHub refuses."""

    def __init__(self, github: GitHub, references: References) -> None:
        self._github = github
        self._references = references

    async def search(
        self, query: str, repo: str, kind: Kind, state: State, sort: Sort, limit: int, cursor: str, verbose: bool
    ) -> IssueList:
        """Return issues, or pull requests, that match a query, in one repository or everywhere."""
        if not query.strip() and not repo.strip():
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                tr_lazy("query or repo is needed"),
                tr_lazy("Write words to search for, or name a repository"),
                fields=["query", "repo"],
            )
        parts = [words("query", query)] if query.strip() else []
        if repo.strip():
            parts.append(f"repo:{self._references.repository(repo).full_name}")
        # GitHub refuses searches of fine-grained tokens that do not name a kind.
        parts.append("is:pr" if kind == "pull" else "is:issue")
        parts += [] if state == "any" else [f"state:{state}"]
        params = searched(" ".join(parts), sort)
        key = f"{params} {verbose}"

        async def load() -> IssueList:
            listing = Listing(f"issues {key}", "/search/issues", params=params, items_at="items")
            page = await self._github.page(listing, limit, cursor, lambda raw: self._items(raw, verbose))
            return IssueList(**result_fields(page))

        return await self._github.cached(IssueList, f"{key} {limit} {cursor}", _SEARCH_SECONDS, load)

    def _items(self, raw: list[Any], verbose: bool) -> list[IssueItem]:
        items = []
        for issue in read_all(WireIssue, raw):
            repository = (issue.repository_url or "").partition("/repos/")[2]
            item = IssueItem(
                ref=f"{repository}#{issue.number}",
                title=line(issue.title),
                state=_state(issue),
                author=self._github.login(issue.user),
                labels=_labels(issue.labels),
                comments=issue.comments,
                updated_at=issue.updated_at,
            )
            if verbose:
                item.kind = "pull" if issue.pull_request else "issue"
                item.created_at = issue.created_at
                item.closed_at = issue.closed_at
                item.assignees = self._logins(issue)
                item.reactions = issue.reactions.total_count if issue.reactions else None
                item.excerpt = line(markdown(issue.body, _EXCERPT_CHARS * 4).text, _EXCERPT_CHARS)
                item.url = issue.html_url
            items.append(item)
        return items

    async def get(self, issue: str, comments: int, max_chars: int, cursor: str, verbose: bool) -> Issue:
        """Return an issue or pull request with comments; with a cursor, further comments without the text."""
        target = self._references.issue(issue)
        values = {**target.repository.values, "number": target.number}
        ref = _ref(target)
        key = f"{ref} {max_chars} {verbose}"

        async def load() -> Issue:
            raw = (await self._github.get("/repos/{owner}/{repo}/issues/{number}", values)).model(WireIssue)
            text = markdown("" if cursor else raw.body, max_chars)
            items: list[CommentItem] = []
            next_cursor = None
            if comments and raw.comments != 0:
                listing = Listing(f"comments {key}", "/repos/{owner}/{repo}/issues/{number}/comments", values)
                page = await self._github.page(
                    listing, comments, cursor, lambda raw: self._comments(raw, max_chars, verbose), _room(text.text)
                )
                items, next_cursor = page.items, page.next_cursor
            return Issue(
                ref=ref,
                kind="pull" if raw.pull_request else "issue",
                title=line(raw.title),
                state=raw.state,
                state_reason=raw.state_reason,
                author=self._github.login(raw.user),
                labels=_labels(raw.labels),
                assignees=self._logins(raw),
                milestone=line(raw.milestone.title) if raw.milestone else None,
                text=text.text,
                text_truncated=text.truncated,
                url=raw.html_url,
                created_at=raw.created_at,
                updated_at=raw.updated_at,
                closed_at=raw.closed_at,
                reactions=raw.reactions.total_count if raw.reactions else None,
                comments_total=raw.comments,
                comments=items,
                next_cursor=next_cursor,
                warnings=[tr("This is a pull request: github_get_pull reads its changes and reviews")]
                if raw.pull_request
                else [],
                fetched_at=now(),
            )

        return await self._github.cached(Issue, f"{key} {comments} {cursor}", _DETAIL_SECONDS, load)

    def _comments(self, raw: list[Any], max_chars: int, verbose: bool) -> list[CommentItem]:
        items = []
        for comment in read_all(WireComment, raw):
            text = markdown(comment.body, max_chars)
            items.append(
                CommentItem(
                    author=self._github.login(comment.user),
                    text=text.text,
                    truncated=text.truncated or None,
                    created_at=comment.created_at,
                    association=None if comment.author_association == "NONE" else comment.author_association,
                    reactions=comment.reactions.total_count if verbose and comment.reactions else None,
                    url=comment.html_url if verbose else None,
                )
            )
        return items

    async def pull(self, pull: str, files: int, patch: bool, max_chars: int, cursor: str) -> Pull:
        """Return what a pull request changes and what its reviewers say; with a cursor, further files only."""
        target = self._references.issue(pull)
        values = {**target.repository.values, "number": target.number}
        ref = _ref(target)
        key = f"{ref} {patch} {max_chars}"

        async def load() -> Pull:
            raw = (await self._github.get("/repos/{owner}/{repo}/pulls/{number}", values)).model(WirePull)
            text = markdown("" if cursor else raw.body, max_chars)
            reviews = [] if cursor else await self._reviews(values)
            changed: list[ChangedFile] = []
            next_cursor = None
            if files:
                listing = Listing(f"files {key}", "/repos/{owner}/{repo}/pulls/{number}/files", values)
                room = _room(text.text) + sum(len(review.text or "") + 120 for review in reviews)
                page = await self._github.page(
                    listing, files, cursor, lambda raw: _changed_files(raw, patch, max_chars), room
                )
                changed, next_cursor = page.items, page.next_cursor
            return Pull(
                ref=ref,
                title=line(raw.title),
                state="merged" if raw.merged else raw.state,
                draft=raw.draft,
                merged=raw.merged,
                mergeable=raw.mergeable_state,
                author=self._github.login(raw.user),
                base=raw.base.ref if raw.base else None,
                head=self._head(raw),
                head_sha=raw.head.sha if raw.head else None,
                text=text.text,
                text_truncated=text.truncated,
                url=raw.html_url,
                created_at=raw.created_at,
                updated_at=raw.updated_at,
                commits=raw.commits,
                additions=raw.additions,
                deletions=raw.deletions,
                files_total=raw.changed_files,
                files=changed,
                reviews=reviews,
                next_cursor=next_cursor,
                fetched_at=now(),
            )

        return await self._github.cached(Pull, f"{key} {files} {cursor}", _DETAIL_SECONDS, load)

    def _head(self, raw: WirePull) -> str | None:
        """Return the branch that is to be merged; its label begins with the owner's login, which privacy mode hides."""
        if raw.head is None:
            return None
        return raw.head.ref if self._github.hides_users() else raw.head.label or raw.head.ref

    async def _reviews(self, values: dict[str, str | int]) -> list[ReviewItem]:
        answer = await self._github.get("/repos/{owner}/{repo}/pulls/{number}/reviews", values, {"per_page": 100})
        latest: dict[str | None, ReviewItem] = {}
        for review in read_all(WireReview, listed(answer)):
            author = self._github.login(review.user)
            text = markdown(review.body, _REVIEW_CHARS).text or None
            kept = latest.pop(author, None)
            # A plain comment does not take back an approval or a request for changes.
            decided = kept is not None and kept.state in ("APPROVED", "CHANGES_REQUESTED")
            state = kept.state if kept and decided and review.state == "COMMENTED" else review.state
            latest[author] = ReviewItem(author=author, state=state, text=text, submitted_at=review.submitted_at)
        return list(latest.values())[-20:]

    def _logins(self, issue: WireIssue) -> list[str]:
        return [login for user in issue.assignees or [] if (login := self._github.login(user))]


def _changed_files(raw: list[Any], patch: bool, max_chars: int) -> list[ChangedFile]:
    items = []
    for changed in read_all(WireChangedFile, raw):
        shown = cut(visible_text(changed.patch or ""), max_chars) if patch else None
        items.append(
            ChangedFile(
                path=changed.filename,
                status=changed.status,
                previous_path=changed.previous_filename,
                additions=changed.additions,
                deletions=changed.deletions,
                patch=shown.text or None if shown else None,
                patch_truncated=shown.truncated or None if shown else None,
            )
        )
    return items


def _state(issue: WireIssue) -> str | None:
    """Return `merged` for a merged pull request, `draft` for an open draft, else GitHub's state."""
    if issue.pull_request and issue.pull_request.get("merged_at"):
        return "merged"
    return "draft" if issue.draft and issue.state == "open" else issue.state


def _labels(labels: list[WireLabel | str] | None) -> list[str]:
    names = [label if isinstance(label, str) else label.name for label in labels or []]
    return [cleaned for name in names if (cleaned := line(name, 50))][:20]


def _ref(target: Numbered) -> str:
    return f"{target.repository.full_name}#{target.number}"


def _room(text: str) -> int:
    """Return the characters that a text needs in JSON, where line ends and quotation marks count twice."""
    return len(text) + sum(text.count(character) for character in '\n"\\\t')
