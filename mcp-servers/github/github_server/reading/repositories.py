"""Reads repositories, their commits and releases, and users."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Literal

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.upstream.text import visible_text

from github_server.model.answers import (
    AssetItem,
    CommitItem,
    CommitList,
    ReleaseItem,
    ReleaseList,
    Repository,
    RepositoryItem,
    RepositoryList,
    User,
)
from github_server.model.references import References
from github_server.model.references import Repository as RepositoryName
from github_server.model.wire import WireCommit, WireContent, WireLicense, WireRelease, WireRepository, WireUser
from github_server.reading.api import GitHub, Listing, not_as_agreed, now, read_all
from github_server.reading.searching import result_fields, searched, words
from github_server.reading.texts import cut, line, markdown
from github_server.translations import tr

Sort = Literal["best_match", "stars", "forks", "updated"]
_SEARCH_SECONDS = 300.0
_DETAIL_SECONDS = 600.0
_USER_SECONDS = 1800.0


class RepositoryReader:
    """Returns the answers about repositories and users; every method raises ServiceError when GitHub refuses."""

    def __init__(self, github: GitHub, references: References) -> None:
        self._github = github
        self._references = references

    async def search(self, query: str, sort: Sort, limit: int, cursor: str, verbose: bool) -> RepositoryList:
        """Return repositories that match a query."""
        query = words("query", query)
        params = searched(query, sort)
        key = f"{query} {sort} {verbose}"

        async def load() -> RepositoryList:
            listing = Listing(f"repos {key}", "/search/repositories", params=params, items_at="items")
            page = await self._github.page(listing, limit, cursor, lambda raw: repository_items(raw, verbose))
            return RepositoryList(**result_fields(page))

        return await self._github.cached(RepositoryList, f"{key} {limit} {cursor}", _SEARCH_SECONDS, load)

    async def get(self, repo: str, max_chars: int) -> Repository:
        """Return a repository, with at most `max_chars` of its README; without the README for 0."""
        name = self._references.repository(repo)

        async def load() -> Repository:
            raw = (await self._github.get("/repos/{owner}/{repo}", name.values)).model(WireRepository)
            readme, path = await self._readme(name) if max_chars else ("", None)
            cleaned = markdown(readme, max_chars)
            return Repository(
                repo=raw.full_name,
                description=line(raw.description, 500),
                url=raw.html_url,
                homepage=line(raw.homepage),
                language=raw.language,
                topics=raw.topics or [],
                license=_license(raw.license),
                stars=raw.stargazers_count,
                forks=raw.forks_count,
                watchers=raw.subscribers_count,
                open_issues=raw.open_issues_count,
                default_branch=raw.default_branch,
                archived=raw.archived,
                private=raw.private,
                fork_of=raw.parent.full_name if raw.parent else None,
                created_at=raw.created_at,
                pushed_at=raw.pushed_at,
                readme_path=path,
                readme=cleaned.text if path else None,
                truncated=cleaned.truncated,
                warnings=[tr("The README is cut: github_read_file reads all of {path}", path=path)]
                if cleaned.truncated
                else [],
                fetched_at=now(),
            )

        return await self._github.cached(Repository, f"{name.full_name} {max_chars}", _DETAIL_SECONDS, load)

    async def _readme(self, name: RepositoryName) -> tuple[str, str | None]:
        """Return the README's text and path; None as its path when there is none."""
        try:
            content = (await self._github.get("/repos/{owner}/{repo}/readme", name.values)).model(WireContent)
        except ServiceError as error:
            if error.code is ErrorCode.NOT_FOUND:
                return "", None
            raise
        try:
            return base64.b64decode(content.content or "").decode(errors="replace"), content.path
        except binascii.Error:
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED, not_as_agreed("content")) from None

    async def commits(
        self, repo: str, path: str, ref: str, author: str, limit: int, cursor: str, verbose: bool
    ) -> CommitList:
        """Return the commits of a branch, the newest first; all of them, or those of a path or an author."""
        name = self._references.repository(repo)
        key = f"{name.full_name} {path} {ref} {author} {verbose}"
        params = {"path": path or None, "sha": ref or None, "author": author or None}

        async def load() -> CommitList:
            listing = Listing(f"commits {key}", "/repos/{owner}/{repo}/commits", name.values, params)
            page = await self._github.page(listing, limit, cursor, lambda raw: self._commits(raw, verbose))
            return CommitList(**page.fields, repo=name.full_name)

        return await self._github.cached(CommitList, f"{key} {limit} {cursor}", _DETAIL_SECONDS, load)

    def _commits(self, raw: list[Any], verbose: bool) -> list[CommitItem]:
        items = []
        for commit in read_all(WireCommit, raw):
            message = visible_text(commit.commit.message or "").strip()
            shown = cut(message, 2000).text if verbose else message.partition("\n")[0][:200]
            login = (commit.author or {}).get("login")
            signature = commit.commit.author
            name = login if isinstance(login, str) else signature.name if signature else None
            items.append(
                CommitItem(
                    sha=commit.sha if verbose else commit.sha[:10],
                    message=shown,
                    author=self._github.login(WireUser(login=name)) if name else None,
                    date=signature.date if signature else None,
                    url=commit.html_url if verbose else None,
                )
            )
        return items

    async def releases(self, repo: str, limit: int, max_chars: int, cursor: str, verbose: bool) -> ReleaseList:
        """Return the releases of a repository, the newest first, with at most `max_chars` of the notes of each."""
        name = self._references.repository(repo)
        key = f"{name.full_name} {max_chars} {verbose}"

        async def load() -> ReleaseList:
            listing = Listing(f"releases {key}", "/repos/{owner}/{repo}/releases", name.values)
            page = await self._github.page(listing, limit, cursor, lambda raw: self._releases(raw, max_chars, verbose))
            return ReleaseList(**page.fields, repo=name.full_name)

        return await self._github.cached(ReleaseList, f"{key} {limit} {cursor}", _DETAIL_SECONDS, load)

    def _releases(self, raw: list[Any], max_chars: int, verbose: bool) -> list[ReleaseItem]:
        items = []
        for release in read_all(WireRelease, raw):
            notes = markdown(release.body, max_chars)
            assets = [
                AssetItem(
                    name=asset.name, size=asset.size, downloads=asset.download_count, url=asset.browser_download_url
                )
                for asset in (release.assets or [])[:30]
            ]
            items.append(
                ReleaseItem(
                    tag=release.tag_name,
                    name=line(release.name) if release.name != release.tag_name else None,
                    published_at=release.published_at or release.created_at,
                    prerelease=release.prerelease or None,
                    draft=release.draft or None,
                    notes=notes.text or None,
                    notes_truncated=notes.truncated or None,
                    author=self._github.login(release.author) if verbose else None,
                    url=release.html_url if verbose else None,
                    assets=assets if verbose else None,
                )
            )
        return items

    async def user(self, user: str, repos: int) -> User:
        """Return a user or organisation, with the repositories that were pushed to last."""
        login = self._references.user(user)

        async def load() -> User:
            raw = (await self._github.get("/users/{login}", {"login": login})).model(WireUser)
            items: list[RepositoryItem] = []
            if repos:
                listing = Listing("user", "/users/{login}/repos", {"login": login}, {"sort": "pushed"})
                items = (await self._github.page(listing, repos, "", lambda raw: repository_items(raw, False))).items
            hidden = self._github.hides_users()
            return User(
                login=self._github.login(raw) or "",
                name=None if hidden else line(raw.name),
                type=raw.type,
                bio=None if hidden else line(raw.bio, 500),
                company=None if hidden else line(raw.company),
                location=None if hidden else line(raw.location),
                website=None if hidden else line(raw.blog),
                url=None if hidden else raw.html_url,
                public_repos=raw.public_repos,
                followers=raw.followers,
                following=raw.following,
                created_at=raw.created_at,
                repos=items,
                fetched_at=now(),
            )

        return await self._github.cached(User, f"{login} {repos}", _USER_SECONDS, load)


def repository_items(raw: list[Any], verbose: bool) -> list[RepositoryItem]:
    """Return repositories of a list of GitHub's."""
    items = []
    for repository in read_all(WireRepository, raw):
        item = RepositoryItem(
            repo=repository.full_name,
            description=line(repository.description, 500 if verbose else 200),
            stars=repository.stargazers_count,
            language=repository.language,
            pushed_at=repository.pushed_at,
            archived=repository.archived or None,
        )
        if verbose:
            item.forks = repository.forks_count
            item.open_issues = repository.open_issues_count
            item.license = _license(repository.license)
            item.topics = repository.topics
            item.created_at = repository.created_at
            item.homepage = line(repository.homepage)
            item.url = repository.html_url
        items.append(item)
    return items


def _license(raw: WireLicense | None) -> str | None:
    if raw is None:
        return None
    return raw.name if raw.spdx_id in (None, "NOASSERTION") else raw.spdx_id
