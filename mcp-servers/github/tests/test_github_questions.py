"""Tests that questions that users ask of GitHub are answered by the tools: each answer has the fact that was asked for.

The facts are those that the stand-in serves.
"""

from __future__ import annotations


async def test_which_repositories_are_there_for_a_topic_and_how_popular_are_they(ask):
    answer = await ask("search_repos", query="hello language:python", sort="stars", limit=3)
    assert answer["total"] == 25
    assert [(item["repo"], item["stars"], item["language"]) for item in answer["items"]] == [
        ("octocat/hello25", 25, "Python"),
        ("octocat/hello24", 24, "Python"),
        ("octocat/hello23", 23, "Python"),
    ]


async def test_what_is_this_project_and_may_i_use_it_at_work(ask, site):
    answer = await ask("get_repo", repo=f"看看这个 {site.base}/octocat/hello 能用吗")
    assert (answer["license"], answer["archived"], answer["default_branch"]) == ("MIT", False, "main")
    assert answer["description"].startswith("第一个仓库") and answer["readme_path"] == "README.md"


async def test_is_the_project_still_alive(ask):
    answer = await ask("analyze_repo", repo="octocat/hello", sample=50)
    assert answer["releases"]["last_tag"] == "v9.0.0" and answer["releases"]["last"].startswith("2026-09-02")
    assert answer["issues"]["median_hours_to_close"] == 24.0 and answer["commits"]["per_week"] > 0
    assert answer["commits"]["by_weekday"]["Mon"] > 0


async def test_has_somebody_reported_this_crash_and_is_it_fixed(ask):
    listed = await ask("search_issues", query="crash", repo="octocat/hello", state="any", limit=50)
    closed = [item["ref"] for item in listed["items"] if item["state"] == "closed"]
    assert "octocat/hello#2" in closed
    issue = await ask("get_issue", issue="octocat/hello#2")
    assert (issue["state"], issue["state_reason"]) == ("closed", "completed")


async def test_what_do_people_say_about_the_issue_and_are_they_maintainers(ask, site):
    answer = await ask("get_issue", issue=f"{site.base}/octocat/hello/issues/1#issuecomment-3", comments=3)
    assert answer["comments_total"] == 25
    assert [(comment["text"], comment["association"]) for comment in answer["comments"]] == [
        ("评论 1", "MEMBER"),
        ("评论 2", "MEMBER"),
        ("评论 3", "MEMBER"),
    ]


async def test_what_does_the_pull_request_change_and_who_approved_it(ask):
    answer = await ask("get_pull", pull="octocat/hello#6", files=2, patch=True, max_chars=200)
    assert (answer["state"], answer["base"], answer["head"]) == ("merged", "main", "octocat:new-topic")
    assert "+    new 2" in answer["files"][1]["patch"]
    assert [review["author"] for review in answer["reviews"] if review["state"] == "APPROVED"] == ["anna", "ben"]


async def test_what_is_new_in_the_latest_version_and_where_is_its_file(ask):
    latest = (await ask("list_releases", repo="octocat/hello", limit=1, verbose=True))["items"][0]
    assert latest["tag"] == "v9.0.0" and latest["notes"].startswith("修复")
    assert latest["assets"][0]["url"].endswith("/v9.0.0/a.zip")


async def test_what_is_in_the_file_at_this_line(ask, site):
    link = f"{site.base}/octocat/hello/blob/main/src/main.py#L500"
    answer = await ask("read_file", repo=link, max_chars=100)
    assert (answer["first_line"], answer["total_lines"]) == (500, 1000)
    assert answer["text"].startswith("line 500\n")


async def test_where_in_the_code_is_this_function_and_who_changed_the_file_last(ask):
    match = (await ask("search_code", query="found1", repo="octocat/hello", limit=1))["items"][0]
    assert match["path"] == "src/file1.py" and "def found1" in match["fragments"][0]
    commit = (await ask("list_commits", repo="octocat/hello", path=match["path"], limit=1))["items"][0]
    assert (commit["message"], commit["author"]) == ("Change 1", "Mona Octocat")


async def test_why_did_the_last_build_fail(ask):
    failed = (await ask("list_runs", repo="octocat/hello", status="failure", limit=1))["items"][0]
    run = await ask("get_run", run=failed["ref"])
    job = run["jobs"][0]
    assert (job["name"], job["failed_steps"]) == ("test 2", ["Run tests"])
    assert job["messages"] == [
        {"level": "failure", "path": "src/main.py", "line": 7, "message": "AssertionError: 1 != 2"}
    ]


async def test_what_is_trending_this_week(ask):
    answer = await ask("list_trending", since="weekly", limit=3)
    assert answer["source"] == "web" and len(answer["items"]) == 3
    assert all(item["repo"] and item["stars_in_period"] for item in answer["items"])


async def test_who_is_this_user_and_what_do_they_work_on(ask, site):
    answer = await ask("get_user", user=f"{site.base}/octocat", repos=2)
    assert (answer["name"], answer["company"], answer["followers"]) == ("The Octocat", "@github", 9999)
    assert [item["repo"] for item in answer["repos"]] == ["octocat/r1", "octocat/r2"]
