"""Takes issues and comments for the stand-in for GitHub, and loses or garbles the answers when a test asks for that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from tests.stand_in.platforms.github import data

#: Fields that GitHub's public description has in the bodies of these requests.
WRITTEN = {"issue": {"title", "body", "assignee", "milestone", "labels", "assignees", "type"}, "comment": {"body"}}
FIRST_NUMBER = 101


async def open_issue(request: Request, state: Any) -> Response:
    """Open an issue, as POST /repos/{owner}/{repo}/issues does."""
    if "no-issues" in state.switches:
        return refusal("Issues has been disabled in this repository.", 410)
    sent = await request.json()
    assert set(sent) <= WRITTEN["issue"]
    if "invalid" in state.switches:
        return refusal("Validation Failed", 422, errors=[{"resource": "Issue", "field": "title", "code": "invalid"}])
    number = FIRST_NUMBER + len(state.opened)
    place = f"{request.path_params['owner']}/{request.path_params['repo']}"
    made = data.issue(number, title=sent["title"], body=sent.get("body"), user=data.user(data.ACCOUNT), labels=[])
    made = {**made, "html_url": f"{data.SITE}/{place}/issues/{number}", "repository_url": f"{data.API}/repos/{place}"}
    return await _taken(request, state, state.opened, made)


async def add_comment(request: Request, state: Any) -> Response:
    """Add a comment, as POST /repos/{owner}/{repo}/issues/{number}/comments does."""
    if "locked" in state.switches and "may-push" not in state.switches:
        return refusal("Unable to create comment because issue is locked.", 403)
    sent = await request.json()
    assert set(sent) <= WRITTEN["comment"]
    number = 9001 + len(state.commented)
    made = data.comment(number, body=sent["body"], user=data.user(data.ACCOUNT))
    return await _taken(request, state, state.commented, made)


def account(request: Request, state: Any) -> Any:
    """Return the account of the token, as GET /user does."""
    if "authorization" not in request.headers:
        return refusal("Requires authentication", 401)
    if "app-token" in state.switches:
        return refusal("Resource not accessible by integration", 403)
    return data.profile(data.ACCOUNT)


def repository(made: dict[str, Any], state: Any) -> dict[str, Any]:
    """Return a repository as the switches make it."""
    switches = {"archived": {"archived": True}, "disabled": {"disabled": True}, "no-issues": {"has_issues": False}}
    for switch, values in switches.items():
        made = {**made, **values} if switch in state.switches else made
    if "private" in state.switches:
        made = {**made, "private": True, "visibility": "private"}
    if "may-push" in state.switches:
        made = {**made, "permissions": {**made["permissions"], "push": True}}
    return made


def refusal(message: str, status: int, **values: Any) -> JSONResponse:
    """Return a refusal in GitHub's form."""
    body = {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status), **values}
    return JSONResponse(body, status)


async def _taken(request: Request, state: Any, kept: list[dict[str, Any]], made: dict[str, Any]) -> Response:
    if "authorization" not in request.headers:
        return refusal("Requires authentication", 401)
    if "forbidden" in state.switches:
        return refusal("Resource not accessible by personal access token", 403)
    if "busy" in state.switches:
        return JSONResponse({"message": "Service unavailable"}, 503, {"retry-after": "30"})
    kept.append(made)
    if "lost" in state.switches:
        return HTMLResponse("<html><title>Unicorn! · GitHub</title></html>", 502)
    if "cut" in state.switches:
        return StreamingResponse(_broken_off(), 201, {"content-length": "5000"}, "application/json")
    return JSONResponse({"unexpected": True} if "garbled" in state.switches else made, 201)


async def _broken_off() -> AsyncIterator[bytes]:
    yield b'{"id": 1, '
