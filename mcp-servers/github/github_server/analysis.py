"""Computes figures about a repository from its newest issues, pull requests, commits and releases."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.analysis.figures import Counted, median_of, most_frequent
from dyber_kit.times import iso_utc
from dyber_kit.upstream.text import parse_time

from github_server.model.analysis import Analysis, CommitFigures, IssueFigures, ReleaseFigures
from github_server.model.references import References
from github_server.model.wire import WireCommit, WireIssue, WireLabel, WireRelease, WireRepository
from github_server.reading.api import GitHub, listed, now, read_all
from github_server.translations import tr

_SECONDS = 1800.0
_TOP = 10
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_+#.-]{2,30}")
_STOP_WORDS = frozenset(
    "add added and are bug but can cannot could does doesn doesn't don error feature feat fix fixed fixes fixing for "
    "from get has have how into issue make not now one only our out remove should some support than that the then "
    "there this update updated use used using was what when where which why will with without work working you your".split()
)


class Analyzer:
    """Returns the figures of repositories.

    Args:
        github: Asks the API; an analysis costs four requests.
        references: Reads how callers name repositories.
    """

    def __init__(self, github: GitHub, references: References) -> None:
        self._github = github
        self._references = references

    async def analyze(self, repo: str, sample: int) -> Analysis:
        """Return figures about a repository from up to `sample` issues and commits each.

        Raises:
            ServiceError: GitHub's refusal of one of the requests.
        """
        name = self._references.repository(repo)

        async def load() -> Analysis:
            raw = (await self._github.get("/repos/{owner}/{repo}", name.values)).model(WireRepository)
            newest = {"state": "all", "sort": "created", "direction": "desc"}
            both = read_all(WireIssue, await self._newest("/repos/{owner}/{repo}/issues", name.values, sample, newest))
            commits = read_all(WireCommit, await self._newest("/repos/{owner}/{repo}/commits", name.values, sample))
            releases = read_all(WireRelease, await self._newest("/repos/{owner}/{repo}/releases", name.values, 30))
            issues = [issue for issue in both if not issue.pull_request]
            pulls = [issue for issue in both if issue.pull_request]
            return Analysis(
                repo=raw.full_name,
                stars=raw.stargazers_count,
                forks=raw.forks_count,
                open_issues=raw.open_issues_count,
                language=raw.language,
                archived=raw.archived,
                issues=issue_figures(issues, pulls=False),
                pulls=issue_figures(pulls, pulls=True),
                commits=commit_figures(commits),
                releases=release_figures(releases),
                top_labels=most_frequent((_label(label) for issue in both for label in issue.labels or []), _TOP),
                top_authors=most_frequent((self._github.login(issue.user) for issue in both), _TOP),
                top_words=top_words([issue.title or "" for issue in both]),
                warnings=_caveats(len(both), len(commits), sample, issues),
                fetched_at=now(),
            )

        return await self._github.cached(Analysis, f"{name.full_name} {sample}", _SECONDS, load)

    async def _newest(
        self, path: str, values: dict[str, str | int], most: int, params: dict[str, str] | None = None
    ) -> list[Any]:
        """Return the first page of a list; empty for a repository that has none of them."""
        try:
            return listed(await self._github.get(path, values, {**(params or {}), "per_page": most}))
        except ServiceError as error:
            if error.code is ErrorCode.NOT_FOUND:
                return []
            raise


def issue_figures(issues: Sequence[WireIssue], *, pulls: bool) -> IssueFigures:
    """Return the figures of issues, or of pull requests."""
    times = [each for issue in issues if (each := _time(issue.created_at))]
    hours = []
    for issue in issues:
        created, closed = _time(issue.created_at), _time(issue.closed_at)
        if created and closed and closed >= created:
            hours.append((closed - created) / timedelta(hours=1))
    merged = sum(bool(issue.pull_request and issue.pull_request.get("merged_at")) for issue in issues)
    return IssueFigures(
        n=len(issues),
        open=sum(issue.state == "open" for issue in issues),
        closed=sum(issue.state == "closed" for issue in issues),
        merged=merged if pulls else None,
        median_hours_to_close=round(median(hours), 1) if hours else None,
        median_comments=median_of(issue.comments for issue in issues),
        first=iso_utc(min(times, default=None)),
        last=iso_utc(max(times, default=None)),
    )


def commit_figures(commits: Sequence[WireCommit]) -> CommitFigures:
    """Return the figures of commits; weekdays are those of UTC."""
    signatures = [commit.commit.author for commit in commits if commit.commit.author]
    times = [each for signature in signatures if (each := _time(signature.date))]
    span = (max(times) - min(times)) / timedelta(weeks=1) if times else 0.0
    weekdays = Counter(_WEEKDAYS[each.weekday()] for each in times)
    authors = {_author(commit) for commit in commits} - {None}
    return CommitFigures(
        n=len(commits),
        authors=len(authors),
        first=iso_utc(min(times, default=None)),
        last=iso_utc(max(times, default=None)),
        per_week=round(len(times) / span, 1) if span > 0 else None,
        by_weekday={day: weekdays[day] for day in _WEEKDAYS},
    )


def release_figures(releases: Sequence[WireRelease]) -> ReleaseFigures:
    """Return the figures of releases."""
    dated = sorted(
        ((each, release.tag_name) for release in releases if (each := _time(release.published_at))), reverse=True
    )
    days = [(later[0] - earlier[0]) / timedelta(days=1) for later, earlier in itertools.pairwise(dated)]
    return ReleaseFigures(
        n=len(releases),
        last_tag=dated[0][1] if dated else None,
        last=iso_utc(dated[0][0]) if dated else None,
        median_days_between=round(median(days), 1) if days else None,
    )


def top_words(titles: Iterable[str]) -> list[Counted]:
    """Return the words with Latin letters that most titles have; each title counts once."""
    of_each = [{word.lower().rstrip(".-") for word in _WORD.findall(title)} for title in titles]
    return most_frequent((word for words in of_each for word in words - _STOP_WORDS), _TOP, least=2)


def _caveats(both: int, commits: int, sample: int, issues: Sequence[WireIssue]) -> list[str]:
    caveats = []
    if both >= sample:
        caveats.append(
            tr("Only the newest {count} issues and pull requests were looked at; the figures are theirs", count=both)
        )
    if commits >= sample:
        caveats.append(tr("Only the newest {count} commits of the default branch were looked at", count=commits))
    if any(issue.state == "open" for issue in issues):
        caveats.append(tr("The times to close are those of closed issues; the open ones make the real times longer"))
    return caveats


def _label(label: WireLabel | str) -> str | None:
    return label if isinstance(label, str) else label.name


def _author(commit: WireCommit) -> str | None:
    login = (commit.author or {}).get("login")
    if isinstance(login, str):
        return login
    return commit.commit.author.name if commit.commit.author else None


def _time(shown: str | None) -> datetime | None:
    return parse_time(shown, datetime.now(UTC), UTC)
