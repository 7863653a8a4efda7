"""Makes the objects that the stand-in for GitHub serves, with the fields of the API's public description.

All contents are invented for tests; `github_fields` lists the fields that GitHub documents.
"""

from __future__ import annotations

import hashlib
from typing import Any

from tests.stand_in.platforms.github.files import API, HIDDEN, SITE

#: Login of the token's account.
ACCOUNT = "mona"


def user(login: str, **values: Any) -> dict[str, Any]:
    """Return a user as it is inside other objects."""
    return {
        "login": login,
        "id": int(hashlib.sha256(login.encode()).hexdigest()[:6], 16),
        "node_id": "MDQ6VXNlcjE=",
        "avatar_url": f"{SITE}/images/error/octocat_happy.gif",
        "gravatar_id": "",
        "url": f"{API}/users/{login}",
        "html_url": f"{SITE}/{login}",
        "type": "User",
        "site_admin": False,
        **values,
    }


def profile(login: str) -> dict[str, Any]:
    """Return a user as the address of the user shows it."""
    return user(
        login,
        name="The Octocat",
        company="@github",
        blog="https://github.blog",
        location="San Francisco",
        email=None,
        hireable=None,
        bio="A <b>cat</b> 🐙",
        twitter_username=None,
        public_repos=8,
        public_gists=8,
        followers=9999,
        following=9,
        created_at="2011-01-25T18:44:36Z",
        updated_at="2026-10-01T00:00:00Z",
    )


def repository(full_name: str, **values: Any) -> dict[str, Any]:
    """Return a repository."""
    owner, _, name = full_name.partition("/")
    return {
        "id": 1296269,
        "node_id": "MDEwOlJlcG9zaXRvcnkxMjk2MjY5",
        "name": name,
        "full_name": full_name,
        "private": False,
        "owner": user(owner),
        "html_url": f"{SITE}/{full_name}",
        "description": "第一个仓库 🎉 " + "很长的说明" * 60,
        "fork": False,
        "url": f"{API}/repos/{full_name}",
        "homepage": "https://hello.example",
        "language": "Python",
        "forks_count": 9,
        "stargazers_count": 80,
        "watchers_count": 80,
        "size": 108,
        "default_branch": "main",
        "open_issues_count": 3,
        "topics": ["octocat", "api"],
        "archived": False,
        "disabled": False,
        "has_issues": True,
        "visibility": "public",
        "permissions": {"admin": False, "maintain": False, "push": False, "triage": False, "pull": True},
        "license": {
            "key": "mit",
            "name": "MIT License",
            "spdx_id": "MIT",
            "url": f"{API}/licenses/mit",
            "node_id": "x",
        },
        "pushed_at": "2026-11-20T08:00:00Z",
        "created_at": "2011-01-26T19:01:12Z",
        "updated_at": "2026-11-20T08:10:00Z",
        "score": 1.0,
        **values,
    }


def issue(number: int, **values: Any) -> dict[str, Any]:
    """Return an issue of octocat/hello; every third is a pull request, every second is closed."""
    is_pull = number % 3 == 0
    made: dict[str, Any] = {
        "id": number,
        "node_id": "MDU6SXNzdWUx",
        "url": f"{API}/repos/octocat/hello/issues/{number}",
        "repository_url": f"{API}/repos/octocat/hello",
        "comments_url": f"{API}/repos/octocat/hello/issues/{number}/comments",
        "html_url": f"{SITE}/octocat/hello/{'pull' if is_pull else 'issues'}/{number}",
        "number": number,
        "state": "closed" if number % 2 == 0 else "open",
        "state_reason": "completed" if number % 2 == 0 else None,
        "title": f"Parser crash number {number}",
        "body": f"# 复现\n\n    code {number}\n\n{HIDDEN}",
        "user": user("reporter"),
        "labels": [
            {"id": 1, "node_id": "x", "url": "x", "name": "bug", "description": "", "color": "f29513", "default": True}
        ],
        "assignee": user("fixer"),
        "assignees": [user("fixer")],
        "milestone": None,
        "locked": False,
        "active_lock_reason": None,
        "comments": 0,
        "closed_at": f"2026-11-{number % 27 + 2:02d}T12:00:00Z" if number % 2 == 0 else None,
        "created_at": f"2026-11-{number % 27 + 1:02d}T12:00:00Z",
        "updated_at": "2026-11-28T00:00:00Z",
        "author_association": "NONE",
        "reactions": {"url": "x", "total_count": 2, "+1": 2, "-1": 0},
        **values,
    }
    if is_pull:
        made["draft"] = False
        made["pull_request"] = {
            "url": f"{API}/repos/octocat/hello/pulls/{number}",
            "html_url": f"{SITE}/octocat/hello/pull/{number}",
            "merged_at": made["closed_at"],
        }
    return made


def comment(number: int, **values: Any) -> dict[str, Any]:
    """Return a comment of an issue."""
    return {
        "id": number,
        "node_id": "MDEyOklzc3VlQ29tbWVudDE=",
        "url": f"{API}/repos/octocat/hello/issues/comments/{number}",
        "html_url": f"{SITE}/octocat/hello/issues/1#issuecomment-{number}",
        "body": f"评论 {number}",
        "user": user("commenter"),
        "created_at": "2026-11-10T00:00:00Z",
        "updated_at": "2026-11-10T00:00:00Z",
        "author_association": "MEMBER",
        "reactions": {"url": "x", "total_count": 1},
        **values,
    }


def pull(number: int) -> dict[str, Any]:
    """Return a pull request."""
    side = {"user": user("octocat"), "repo": None}
    shared = issue(number)
    kept = ("id", "node_id", "html_url", "number", "state", "locked", "title", "user", "body", "labels", "milestone")
    return {
        **{name: shared[name] for name in kept},
        "url": f"{API}/repos/octocat/hello/pulls/{number}",
        "created_at": shared["created_at"],
        "updated_at": shared["updated_at"],
        "closed_at": shared["closed_at"],
        "merged_at": shared["closed_at"],
        "draft": False,
        "merged": shared["state"] == "closed",
        "mergeable": True,
        "mergeable_state": "clean",
        "head": {
            "label": "octocat:new-topic",
            "ref": "new-topic",
            "sha": "6dcb09b5b57875f334f61aebed695e2e4193db5e",
            **side,
        },
        "base": {"label": "octocat:main", "ref": "main", "sha": "c3d0be41ecbe669545ee3e94d31ed9a4bc91ee3c", **side},
        "comments": 1,
        "review_comments": 2,
        "commits": 3,
        "additions": 100,
        "deletions": 3,
        "changed_files": 25,
    }


def changed_file(number: int) -> dict[str, Any]:
    """Return a file of a pull request; the first is a picture, which has no patch."""
    made = {
        "sha": "bbcd538c8e72b8c175046e27cc8f907076331401",
        "filename": f"src/file{number}.py",
        "status": "modified",
        "additions": number,
        "deletions": 1,
        "changes": number + 1,
        "blob_url": "x",
        "raw_url": "x",
        "contents_url": "x",
        "patch": f"@@ -1 +1 @@\n-    old {number}\n+    new {number}\n" + "+line\n" * 500,
    }
    if number == 1:
        del made["patch"]
    return made


def review(login: str, state: str, submitted_at: str) -> dict[str, Any]:
    """Return a review of a pull request."""
    return {
        "id": 80,
        "node_id": "x",
        "user": user(login),
        "body": f"{login} {state}",
        "state": state,
        "html_url": "x",
        "pull_request_url": "x",
        "commit_id": "x",
        "submitted_at": submitted_at,
        "author_association": "MEMBER",
    }


def commit(number: int) -> dict[str, Any]:
    """Return a commit; every second has no account of GitHub."""
    return {
        "url": "x",
        "sha": f"{number:040x}",
        "node_id": "x",
        "html_url": f"{SITE}/octocat/hello/commit/{number:040x}",
        "comments_url": "x",
        "commit": {
            "url": "x",
            "author": {
                "name": "Mona Octocat",
                "email": "mona@private.example",
                "date": f"2026-11-{number % 28 + 1:02d}T10:00:00Z",
            },
            "committer": {"name": "GitHub", "email": "noreply@github.com", "date": "2026-11-01T10:00:00Z"},
            "message": f"Change {number}\n\nBody of {number}",
            "tree": {"url": "x", "sha": "x"},
            "comment_count": 0,
            "verification": {"verified": False, "reason": "unsigned", "signature": None, "payload": None},
        },
        "author": user("mona") if number % 2 == 0 else None,
        "committer": None,
        "parents": [],
    }


def release(number: int) -> dict[str, Any]:
    """Return a release."""
    return {
        "url": "x",
        "html_url": f"{SITE}/octocat/hello/releases/v{number}.0.0",
        "assets_url": "x",
        "upload_url": "x",
        "tarball_url": "x",
        "zipball_url": "x",
        "id": number,
        "node_id": "x",
        "tag_name": f"v{number}.0.0",
        "target_commitish": "main",
        "name": f"版本 {number}",
        "body": "修复 " * 400,
        "draft": False,
        "prerelease": number == 1,
        "created_at": f"2026-0{number}-01T00:00:00Z",
        "published_at": f"2026-0{number}-02T00:00:00Z",
        "author": user("octocat"),
        "assets": [
            {
                "url": "x", "browser_download_url": f"{SITE}/octocat/hello/releases/download/v{number}.0.0/a.zip",
                "id": 1, "node_id": "x", "name": "a.zip", "label": None, "state": "uploaded",
                "content_type": "application/zip", "size": 1024, "download_count": 42,
                "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "uploader": user("octocat"),
            }
        ],
    }  # fmt: skip


def code_match(number: int) -> dict[str, Any]:
    """Return a file that a code search found."""
    return {
        "name": f"file{number}.py",
        "path": f"src/file{number}.py",
        "sha": "x",
        "url": "x",
        "git_url": "x",
        "html_url": f"{SITE}/octocat/hello/blob/main/src/file{number}.py",
        "repository": {
            key: repository("octocat/hello")[key] for key in ("id", "name", "full_name", "private", "owner")
        },
        "score": 1.0,
        "text_matches": [
            {
                "object_url": "x",
                "object_type": "FileContent",
                "property": "content",
                "fragment": f"    def found{number}():\n",
                "matches": [],
            }
            for _ in range(3)
        ],
    }


def run(number: int) -> dict[str, Any]:
    """Return a workflow run; the first is in progress, every second after it failed."""
    running = number == 1
    return {
        "id": 30433642 + number,
        "name": "CI",
        "node_id": "x",
        "check_suite_id": 42,
        "head_branch": "main",
        "head_sha": "acb5820ced9479c074f688cc328bf03f341a511d",
        "run_number": number,
        "run_attempt": 1,
        "event": "push",
        "display_title": f"Update {number}",
        "status": "in_progress" if running else "completed",
        "conclusion": None if running else "failure" if number % 2 == 0 else "success",
        "workflow_id": 159038,
        "url": "x",
        "html_url": f"{SITE}/octocat/hello/actions/runs/{30433642 + number}",
        "pull_requests": [],
        "created_at": "2026-11-20T10:00:00Z",
        "updated_at": "2026-11-20T10:05:00Z",
        "run_started_at": "2026-11-20T10:00:00Z",
        "actor": user("octocat"),
    }


def job(number: int, conclusion: str) -> dict[str, Any]:
    """Return a job of a workflow run."""
    steps = [("Set up job", "success"), ("Run tests", conclusion)]
    return {
        "id": number,
        "run_id": 30433644,
        "run_url": "x",
        "run_attempt": 1,
        "node_id": "x",
        "head_sha": "acb5820ced9479c074f688cc328bf03f341a511d",
        "url": "x",
        "html_url": f"{SITE}/octocat/hello/actions/runs/30433644/job/{number}",
        "status": "completed",
        "conclusion": conclusion,
        "created_at": "2026-11-20T10:00:00Z",
        "started_at": "2026-11-20T10:00:10Z",
        "completed_at": "2026-11-20T10:02:10Z",
        "name": f"test {number}",
        "steps": [
            {
                "name": name,
                "status": "completed",
                "conclusion": ended,
                "number": place,
                "started_at": None,
                "completed_at": None,
            }
            for place, (name, ended) in enumerate(steps, 1)
        ],
        "check_run_url": "x",
        "labels": ["ubuntu-latest"],
        "runner_id": 1,
        "runner_name": "my runner",
        "runner_group_id": 2,
        "runner_group_name": "my runner group",
        "workflow_name": "CI",
        "head_branch": "main",
    }


def annotation() -> dict[str, Any]:
    """Return a message of a failed job."""
    return {
        "path": "src/main.py",
        "start_line": 7,
        "end_line": 7,
        "start_column": None,
        "end_column": None,
        "annotation_level": "failure",
        "title": "",
        "message": "AssertionError: 1 != 2",
        "raw_details": None,
        "blob_href": "x",
    }
