"""Answers what is read from the stand-in for GitHub: repositories, files, issues, pull requests and runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tests.stand_in.platforms.github import data, files, writing

ISSUES = 25
COMMENTS = {1: 25, 3: 2}
#: Fields of files that links and submodules do not have.
ONLY_FILES = {"content", "encoding"}


def _paged(request: Request, items: list[Any], wrap: Callable[[list[Any]], Any] = list) -> tuple[Any, str]:
    """Return a page of a list, and its Link header."""
    page, size = int(request.query_params.get("page", "1")), int(request.query_params.get("per_page", "30"))
    shown = items[(page - 1) * size : page * size]
    if page * size >= len(items):
        return wrap(shown), ""
    following = request.url.include_query_params(page=page + 1)
    return wrap(shown), f'<{following}>; rel="next", <{request.url.include_query_params(page=99)}>; rel="last"'


def _searched(request: Request, state: Any, items: list[Any]) -> Any:
    query = request.query_params["q"]
    if "nonsense:" in query:
        errors = [
            {
                "message": "The search contains an unknown qualifier.",
                "resource": "Search",
                "field": "q",
                "code": "invalid",
            }
        ]
        return writing.refusal("Validation Failed", 422, errors=errors)
    items = [] if "empty" in state.switches else items
    unfinished = "unfinished" in state.switches
    total = 4321 if "many" in query else len(items)
    return _paged(
        request, items, lambda shown: {"total_count": total, "incomplete_results": unfinished, "items": shown}
    )


def search_repositories(request: Request, state: Any) -> Any:
    items = [data.repository(f"octocat/hello{number}", stargazers_count=number) for number in range(1, 26)]
    if request.query_params.get("sort") == "stars":
        items.reverse()
    if "odd" in state.switches:
        items = [
            {"full_name": "odd/one", "description": None, "stargazers_count": "17", "owner": None, "license": None}
        ]
    return _searched(request, state, items)


def search_issues(request: Request, state: Any) -> Any:
    wanted_pull = "is:pr" in request.query_params["q"]
    items = [made for number in range(1, ISSUES + 1) if ("pull_request" in (made := data.issue(number))) is wanted_pull]
    if "odd" in state.switches:
        items = [
            {
                "number": "7",
                "title": "<script>x</script>",
                "user": None,
                "labels": ["plain"],
                "repository_url": f"{files.API}/repos/odd/one",
            }
        ]
    return _searched(request, state, items)


def search_code(request: Request, state: Any) -> Any:
    return _searched(request, state, [data.code_match(number) for number in range(1, 13)])


def user(request: Request, state: Any) -> Any:
    login = request.path_params["login"]
    return writing.refusal("Not Found", 404) if login == "nobody" else data.profile(login)


def user_repos(request: Request, state: Any) -> Any:
    return _paged(request, [data.repository(f"{request.path_params['login']}/r{number}") for number in range(1, 9)])


def repository(request: Request, state: Any) -> Any:
    name = request.path_params.get("repo", "hello")
    if name == "renamed":
        return RedirectResponse(str(request.url.replace(path="/repositories/1296269")), 301)
    if name in ("missing", "private"):
        return writing.refusal("Not Found", 404)
    if "odd" in state.switches:
        return {"full_name": "odd/one", "forks_count": "3"}
    made = data.repository(f"{request.path_params.get('owner', 'octocat')}/{name}", subscribers_count=42)
    return writing.repository(made, state)


def readme(request: Request, state: Any) -> Any:
    if request.path_params["repo"] == "no-readme" or "odd" in state.switches:
        return writing.refusal("Not Found", 404)
    return files.content("README.md")


def commits(request: Request, state: Any) -> Any:
    if "empty" in state.switches:
        return writing.refusal("Git Repository is empty.", 409)
    return _paged(request, [data.commit(number) for number in range(1, 61)])


def releases(request: Request, state: Any) -> Any:
    return _paged(request, [] if "empty" in state.switches else [data.release(number) for number in range(9, 0, -1)])


def contents(request: Request, state: Any) -> Any:
    path = request.path_params.get("path", "")
    without_text = {name: value for name, value in files.content("README.md").items() if name not in ONLY_FILES}
    if path == "link":
        return {**without_text, "type": "symlink", "path": "link", "target": "elsewhere/file"}
    if path == "module":
        repository = "https://github.com/octocat/other.git"
        return {**without_text, "type": "submodule", "path": "module", "submodule_git_url": repository}
    if path in files.FILES:
        if "raw" in request.headers.get("accept", ""):
            return Response(files.FILES[path], media_type="application/vnd.github.raw+json; charset=utf-8")
        return files.content(path)
    listed = files.entries(path)
    return listed or writing.refusal("Not Found", 404)


def issues(request: Request, state: Any) -> Any:
    return _paged(request, [] if "empty" in state.switches else [data.issue(n) for n in range(ISSUES, 0, -1)])


def issue(request: Request, state: Any) -> Any:
    number = request.path_params["number"]
    if number > ISSUES:
        return writing.refusal("Not Found", 404)
    if "odd" in state.switches:
        return {"number": str(number), "title": None, "user": None, "labels": ["plain"], "body": files.LONG_LINE}
    made = data.issue(
        number, comments=COMMENTS.get(number, 0) + len(state.commented), locked="locked" in state.switches
    )
    return {**made, "repository_url": f"{data.API}/repos/octocat/new-home"} if "transferred" in state.switches else made


def comments(request: Request, state: Any) -> Any:
    number = request.path_params["number"]
    made = [*(data.comment(each) for each in range(1, COMMENTS.get(number, 0) + 1)), *state.commented]
    if "odd" in state.switches:
        made = [{"id": 1, "user": None, "body": files.LONG_LINE}, {"id": 2, "user": None, "body": None}]
    return _paged(request, made)


def pull(request: Request, state: Any) -> Any:
    number = request.path_params["number"]
    return data.pull(number) if number % 3 == 0 else writing.refusal("Not Found", 404)


def changed_files(request: Request, state: Any) -> Any:
    return _paged(request, [data.changed_file(number) for number in range(1, 26)])


def reviews(request: Request, state: Any) -> Any:
    return [
        data.review("anna", "CHANGES_REQUESTED", "2026-11-01T00:00:00Z"),
        data.review("ben", "APPROVED", "2026-11-02T00:00:00Z"),
        data.review("anna", "APPROVED", "2026-11-03T00:00:00Z"),
        data.review("ben", "COMMENTED", "2026-11-04T00:00:00Z"),
    ]


def runs(request: Request, state: Any) -> Any:
    status = request.query_params.get("status")
    runs = [
        made for number in range(1, 13) if status in (None, (made := data.run(number))["conclusion"], made["status"])
    ]
    return _paged(request, runs, lambda shown: {"total_count": len(runs), "workflow_runs": shown})


def run(request: Request, state: Any) -> Any:
    return data.run(request.path_params["run_id"] - 30433642)


def jobs(request: Request, state: Any) -> Any:
    jobs = [data.job(1, "success"), data.job(2, "failure"), data.job(3, "skipped")]
    return {"total_count": len(jobs), "jobs": jobs}


def annotations(request: Request, state: Any) -> Any:
    if "no-annotations" in state.switches:
        return writing.refusal("Resource not accessible by personal access token", 403)
    return [data.annotation()]
