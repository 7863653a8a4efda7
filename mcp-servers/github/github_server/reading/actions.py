"""Reads the runs of GitHub Actions, and why they failed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.upstream.text import parse_time

from github_server.model.answers import AnnotationItem, JobItem, Run, RunItem, RunList
from github_server.model.references import References
from github_server.model.wire import WireAnnotation, WireJob, WireRun
from github_server.reading.api import GitHub, Listing, listed, now, read_all
from github_server.reading.searching import counts
from github_server.reading.texts import line
from github_server.translations import tr

RunStatus = Literal["any", "success", "failure", "cancelled", "in_progress", "queued"]
_LIST_SECONDS = 60.0
_MOST_JOBS = 50
# Messages of this many failed jobs are read, one request each.
_EXPLAINED_JOBS = 3
_MESSAGES = 10
_FAILED = ("failure", "timed_out", "startup_failure")


class ActionsReader:
    """Returns the answers about workflow runs; every method raises ServiceError when GitHub refuses."""

    def __init__(self, github: GitHub, references: References) -> None:
        self._github = github
        self._references = references

    async def runs(self, repo: str, branch: str, status: RunStatus, limit: int, cursor: str, verbose: bool) -> RunList:
        """Return the workflow runs of a repository, the newest first."""
        name = self._references.repository(repo)
        key = f"{name.full_name} {branch} {status} {verbose}"
        params = {"branch": branch or None, "status": None if status == "any" else status}

        async def load() -> RunList:
            listing = Listing(f"runs {key}", "/repos/{owner}/{repo}/actions/runs", name.values, params, "workflow_runs")
            page = await self._github.page(
                listing, limit, cursor, lambda raw: self._items(raw, name.full_name, verbose)
            )
            return RunList(**page.fields, repo=name.full_name, total=counts(page.first)[0])

        return await self._github.cached(RunList, f"{key} {limit} {cursor}", _LIST_SECONDS, load)

    def _items(self, raw: list[Any], repo: str, verbose: bool) -> list[RunItem]:
        items = []
        for run in read_all(WireRun, raw):
            item = RunItem(
                ref=f"{repo}#{run.id}",
                workflow=line(run.name, 100),
                title=line(run.display_title, 200),
                status=run.conclusion or run.status,
                branch=run.head_branch,
                created_at=run.created_at,
            )
            if verbose:
                item.event = run.event
                item.sha = run.head_sha
                item.actor = self._github.login(run.actor)
                item.attempt = run.run_attempt
                item.updated_at = run.updated_at
                item.url = run.html_url
            items.append(item)
        return items

    async def run(self, run: str, max_chars: int) -> Run:
        """Return a workflow run with its jobs; of failed jobs also the failed steps and their messages, cut."""
        target = self._references.run(run)
        values = {**target.repository.values, "run_id": target.number}
        ref = f"{target.repository.full_name}#{target.number}"

        async def load() -> Run:
            raw = (await self._github.get("/repos/{owner}/{repo}/actions/runs/{run_id}", values)).model(WireRun)
            answer = await self._github.get(
                "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs", values, {"per_page": 100, "filter": "latest"}
            )
            jobs = read_all(WireJob, listed(answer, "jobs"))
            jobs.sort(key=lambda job: job.conclusion not in _FAILED)
            items, warnings = [], []
            for number, job in enumerate(jobs[:_MOST_JOBS]):
                item = _job(job)
                if job.conclusion in _FAILED and number < _EXPLAINED_JOBS:
                    try:
                        item.messages = await self._messages(target.repository.values, job, max_chars)
                    except ServiceError as error:
                        if error.code not in (ErrorCode.NOT_FOUND, ErrorCode.ACCESS_RESTRICTED):
                            raise
                        warnings.append(
                            tr("The messages of job {name} cannot be read ({code})", name=item.name, code=error.code)
                        )
                items.append(item)
            total = counts(answer.json())[0]
            return Run(
                ref=ref,
                workflow=line(raw.name, 100),
                title=line(raw.display_title, 200),
                status=raw.conclusion or raw.status,
                event=raw.event,
                branch=raw.head_branch,
                sha=raw.head_sha,
                actor=self._github.login(raw.actor),
                attempt=raw.run_attempt,
                created_at=raw.created_at,
                url=raw.html_url,
                jobs_total=total,
                jobs=items,
                truncated=total is not None and total > len(items),
                warnings=warnings,
                fetched_at=now(),
            )

        return await self._github.cached(Run, f"{ref} {max_chars}", _LIST_SECONDS, load)

    async def _messages(self, repository: dict[str, str | int], job: WireJob, max_chars: int) -> list[AnnotationItem]:
        answer = await self._github.get(
            "/repos/{owner}/{repo}/check-runs/{job_id}/annotations",
            {**repository, "job_id": job.id},
            {"per_page": _MESSAGES},
        )
        return [
            AnnotationItem(
                level=annotation.annotation_level,
                path=annotation.path,
                line=annotation.start_line,
                message=line(annotation.message, max_chars) or "",
            )
            for annotation in read_all(WireAnnotation, listed(answer))
        ]


def _job(job: WireJob) -> JobItem:
    failed = [line(step.name, 200) or "" for step in job.steps or [] if step.conclusion in _FAILED]
    return JobItem(
        name=line(job.name, 200),
        status=job.conclusion or job.status,
        seconds=_seconds(job.started_at, job.completed_at),
        failed_steps=failed or None,
        url=job.html_url if job.conclusion in _FAILED else None,
    )


def _seconds(started: str | None, ended: str | None) -> int | None:
    present = datetime.now(UTC)
    first, last = parse_time(started, present, UTC), parse_time(ended, present, UTC)
    return round((last - first).total_seconds()) if first and last and last >= first else None
