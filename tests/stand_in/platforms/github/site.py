"""Takes the place of GitHub: its REST API with headers, pages and refusals, and its page of trending repositories.

`python -m tests.stand_in.platforms.github.site --port 8100` runs it alone; set GITHUB_API_URL to its address.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route

from tests.stand_in.platforms.github import files, reading, writing

TOKEN = "github_pat_of_a_test_11AAAA"
_LIMITS = {"core": (60, 5000), "search": (10, 30), "code_search": (0, 10)}
_SECONDS_TO_RESET = 1800
_PARTS = ("jobs", "reviews", "annotations", "commits", "comments", "files", "runs", "releases")
Handler = Callable[[Request, "GitHubState"], Any]


@dataclass
class GitHubState:
    """Holds what GitHub received and how it behaves; tests change it.

    The switches are `expired` (the token), `primary` and `secondary` (rate limits), `empty`, `removed`, `blocked`
    (taken down), `changed` (other shapes), `changed-parts` (other shapes of lists), `odd` (missing fields, numbers as text), `down`, `slow`, `no-limits` (an
    Enterprise Server without rate limits), `no-trending`, `unfinished` (a search that ran out of time). Those of
    `github_writing` concern writes: `archived`, `disabled`, `private`, `no-issues`, `locked`, `may-push`, `no-scopes`,
    `fine-grained`, `app-token`, `transferred`, `forbidden`, `invalid`, `busy`, and for lost answers `lost`, `cut` and
    `garbled`.
    """

    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    switches: set[str] = field(default_factory=set)
    used: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_LIMITS, 0))
    opened: list[dict[str, Any]] = field(default_factory=list)
    commented: list[dict[str, Any]] = field(default_factory=list)
    confirmed: int = 0
    at_once: int = 0
    most_at_once: int = 0

    def reset(self) -> None:
        """Forget all requests, and behave as usual."""
        self.__dict__.update(GitHubState().__dict__)


def create_github() -> Starlette:
    """Return GitHub as an application; `app.state.github` is its GitHubState.

    The API is at the root, and at `/api/v3` as on an Enterprise Server.
    """
    repo = "/repos/{owner}/{repo}"
    api = [
        _route("/rate_limit", _rate_limit),
        _route("/search/repositories", reading.search_repositories, "search"),
        _route("/search/issues", reading.search_issues, "search"),
        _route("/search/code", reading.search_code, "code_search"),
        _route("/user", writing.account),
        _route("/users/{login}", reading.user),
        _route("/users/{login}/repos", reading.user_repos),
        _route("/repositories/1296269", reading.repository),
        _route(repo, reading.repository),
        _route(f"{repo}/readme", reading.readme),
        _route(f"{repo}/commits", reading.commits),
        _route(f"{repo}/releases", reading.releases),
        _route(f"{repo}/contents/{{path:path}}", reading.contents),
        _route(f"{repo}/contents", reading.contents),
        _route(f"{repo}/issues", writing.open_issue, method="POST"),
        _route(f"{repo}/issues", reading.issues),
        _route(f"{repo}/issues/{{number:int}}", reading.issue),
        _route(f"{repo}/issues/{{number:int}}/comments", writing.add_comment, method="POST"),
        _route(f"{repo}/issues/{{number:int}}/comments", reading.comments),
        _route(f"{repo}/pulls/{{number:int}}", reading.pull),
        _route(f"{repo}/pulls/{{number:int}}/files", reading.changed_files),
        _route(f"{repo}/pulls/{{number:int}}/reviews", reading.reviews),
        _route(f"{repo}/actions/runs", reading.runs),
        _route(f"{repo}/actions/runs/{{run_id:int}}", reading.run),
        _route(f"{repo}/actions/runs/{{run_id:int}}/jobs", reading.jobs),
        _route(f"{repo}/check-runs/{{job_id:int}}/annotations", reading.annotations),
    ]
    pages = [Route("/trending", _trending), Route("/trending/{language}", _trending)]
    app = Starlette(routes=[*api, *pages, Mount("/api/v3", routes=api)])
    app.state.github = GitHubState()
    return app


def _route(path: str, handler: Handler, resource: str = "core", method: str = "GET") -> Route:
    async def answer(request: Request) -> Response:
        state: GitHubState = request.app.state.github
        state.at_once += 1
        state.most_at_once = max(state.most_at_once, state.at_once)
        try:
            return await _answered(request, state, handler, resource)
        finally:
            state.at_once -= 1

    return Route(path, answer, methods=[method])


async def _answered(request: Request, state: GitHubState, handler: Handler, resource: str) -> Response:
    query = f"?{request.url.query}" if request.url.query else ""
    state.requests.append(f"{request.method} {request.url.path}{query}")
    state.headers.append(dict(request.headers))
    if "slow" in state.switches:
        await asyncio.sleep(0.05)
    sent = request.headers.get("authorization")
    if sent is not None and (sent != f"Bearer {TOKEN}" or "expired" in state.switches):
        return _refusal("Bad credentials", 401, {})
    allowed = _LIMITS[resource][sent is not None]
    is_free = request.url.path.endswith("/rate_limit")
    state.used[resource] += not is_free
    remaining = 0 if "primary" in state.switches else max(0, allowed - state.used[resource])
    headers = {
        "x-ratelimit-limit": str(allowed),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-used": str(state.used[resource]),
        "x-ratelimit-reset": str(int(time.time()) + _SECONDS_TO_RESET),
        "x-ratelimit-resource": resource,
        "x-github-request-id": "C0DE:1A2B:3C4D:5E6F",
        "x-github-media-type": "github.v3; format=json",
        **_scopes(state, sent),
    }
    if "no-limits" in state.switches:
        headers = {"x-github-request-id": "C0DE:1A2B:3C4D:5E6F"}
    if "primary" in state.switches and not is_free:
        return _refusal("API rate limit exceeded for 203.0.113.9. (But here's the good news: …)", 403, headers)
    if "secondary" in state.switches:
        message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
        return _refusal(message, 403, {**headers, "retry-after": "120"})
    if "down" in state.switches:
        return HTMLResponse("<html><title>Unicorn! · GitHub</title></html>", 502, headers)
    if "removed" in state.switches:
        return _refusal("Not Found", 404, headers)
    if "blocked" in state.switches:
        return _refusal("Repository access blocked", 451, headers)
    if "changed" in state.switches:
        return JSONResponse({"unexpected": True}, headers=headers)
    if "changed-parts" in state.switches and request.url.path.rpartition("/")[2] in _PARTS:
        return JSONResponse({"unexpected": True}, headers=headers)
    body = handler(request, state)
    if isinstance(body, Awaitable):
        body = await body
    if isinstance(body, Response):
        body.headers.update(headers)
        return body
    return _with_etag(request, state, body, headers, resource)


def _scopes(state: GitHubState, sent: str | None) -> dict[str, str]:
    """Return the header with the scopes, which GitHub sends for classic tokens only."""
    if sent is None or "fine-grained" in state.switches:
        return {}
    return {"x-oauth-scopes": "read:org" if "no-scopes" in state.switches else "repo, read:org"}


def _with_etag(request: Request, state: GitHubState, body: Any, headers: dict[str, str], resource: str) -> Response:
    """Return a JSON answer, or 304 when the caller has it; GitHub does not count that for callers with a token."""
    content, links = body if isinstance(body, tuple) else (body, "")
    # ETags differ from caller to caller.
    seen = json.dumps([content, links, request.headers.get("authorization"), request.headers.get("accept")])
    etag = f'W/"{hashlib.sha256(seen.encode()).hexdigest()[:32]}"'
    headers = {**headers, "etag": etag, "cache-control": "private, max-age=60, s-maxage=60"}
    if request.headers.get("if-none-match") == etag:
        state.confirmed += 1
        state.used[resource] -= "authorization" in request.headers
        return Response(status_code=304, headers=headers)
    return JSONResponse(content, headers={**headers, **({"link": links} if links else {})})


def _refusal(message: str, status: int, headers: dict[str, str], **values: Any) -> JSONResponse:
    answer = writing.refusal(message, status, **values)
    answer.headers.update(headers)
    return answer


def _rate_limit(request: Request, state: GitHubState) -> Any:
    if "no-limits" in state.switches:
        return _refusal("Rate limiting is not enabled.", 404, {})
    reset = int(time.time()) + _SECONDS_TO_RESET
    signed = "authorization" in request.headers
    resources = {
        name: {
            "limit": both[signed],
            "used": state.used[name],
            "remaining": max(0, both[signed] - state.used[name]),
            "reset": reset,
        }
        for name, both in _LIMITS.items()
        if both[signed]
    }
    return {"resources": resources, "rate": resources["core"]}


async def _trending(request: Request) -> Response:
    state: GitHubState = request.app.state.github
    state.requests.append(f"GET {request.url.path}?{request.url.query}")
    state.headers.append(dict(request.headers))
    if "no-trending" in state.switches:
        return HTMLResponse("<html><body>Page not found</body></html>", 404)
    if "changed-page" in state.switches:
        return HTMLResponse("<html><body><div class='NewRow'>stars/repo1</div></body></html>")
    return HTMLResponse(files.trending_page(0 if "empty" in state.switches else 25))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8100)
    options = parser.parse_args()
    uvicorn.run(create_github(), host=options.host, port=options.port)
