"""Tests of how callers may name things: short forms, links of every kind, texts with a link."""

from __future__ import annotations

import pytest
from dyber_kit import ErrorCode, ServiceError

from github_server.config import GitHubSettings
from github_server.model.references import References

PUBLIC = References("https://github.com")
ENTERPRISE = References("https://git.corp.example:8443")


@pytest.mark.parametrize(
    "text",
    [
        "octocat/hello.world",
        "  octocat/hello.world  ",
        "看看 octocat/hello.world 这个项目",
        "https://github.com/octocat/hello.world",
        "https://www.github.com/octocat/hello.world.git",
        "http://github.com/octocat/hello.world/tree/main/src?tab=readme#top",
        "github.com/octocat/hello.world",
        "git@github.com:octocat/hello.world.git",
        "ssh://git@github.com/octocat/hello.world.git",
        "git clone https://token@github.com/octocat/hello.world.git",
        "https://api.github.com/repos/octocat/hello.world/issues",
        "https://raw.githubusercontent.com/octocat/hello.world/main/README.md",
        "分享：《仓库》（https://github.com/octocat/hello.world），很好",
    ],
)
def test_a_repository_is_recognised_in_every_form(text):
    assert PUBLIC.repository(text).full_name == "octocat/hello.world"


@pytest.mark.parametrize(
    "text",
    ["octocat", "", "/", "https://github.com/octocat", "https://github.com/trending/python", "a/b/c/d", "../../etc"],
)
def test_what_is_no_repository_is_refused_with_an_example(text):
    with pytest.raises(ServiceError) as refusal:
        PUBLIC.repository(text)
    assert refusal.value.code is ErrorCode.INVALID_ARGUMENT
    assert "octocat/hello-world" in refusal.value.next_step


@pytest.mark.parametrize(
    "text",
    ["https://gitlab.com/octocat/hello", "https://github.com.evil.example/o/r", "https://evil.example/github.com/o/r"],
)
def test_links_to_other_sites_are_refused(text):
    with pytest.raises(ServiceError, match="链接不是本服务所用的 GitHub 的"):
        PUBLIC.repository(text)


@pytest.mark.parametrize(
    "text",
    [
        "octocat/hello#12",
        "octocat/hello 12",
        "https://github.com/octocat/hello/issues/12",
        "https://github.com/octocat/hello/issues/12#issuecomment-99",
        "https://github.com/octocat/hello/pull/12/files",
        "https://api.github.com/repos/octocat/hello/pulls/12",
        "修复见 https://github.com/octocat/hello/pull/12。",
    ],
)
def test_an_issue_is_recognised_in_every_form(text):
    target = PUBLIC.issue(text)
    assert (target.repository.full_name, target.number) == ("octocat/hello", 12)


@pytest.mark.parametrize(
    "text", ["#12", "12", "octocat/hello", "octocat/hello#0", "https://github.com/octocat/hello/wiki"]
)
def test_what_is_no_issue_is_refused(text):
    with pytest.raises(ServiceError, match="没有认出"):
        PUBLIC.issue(text)


def test_a_workflow_run_is_recognised_with_its_long_number():
    for text in ("octocat/hello#12345678901", "https://github.com/octocat/hello/actions/runs/12345678901/job/7"):
        assert PUBLIC.run(text).number == 12345678901


@pytest.mark.parametrize(
    ("repo", "path", "ref", "expected"),
    [
        ("o/r", "src/a b.py", "v1", ("src/a b.py", "v1", 0)),
        ("o/r", "/src//./x/", "", ("src/x", "", 0)),
        ("https://github.com/o/r/blob/main/src/a%20b.py#L10-L20", "", "", ("src/a b.py", "main", 10)),
        ("https://github.com/o/r/tree/main/src", "", "", ("src", "main", 0)),
        ("https://github.com/o/r/tree/main/src", "doc/x.md", "", ("doc/x.md", "main", 0)),
        ("https://github.com/o/r/blob/feature/x/a.py", "a.py", "feature/x", ("a.py", "feature/x", 0)),
        ("https://raw.githubusercontent.com/o/r/main/a.py", "", "", ("a.py", "main", 0)),
        ("https://raw.githubusercontent.com/o/r/refs/heads/main/a.py", "", "", ("a.py", "main", 0)),
        ("https://github.com/o/r", "", "", ("", "", 0)),
    ],
)
def test_a_file_is_recognised_by_path_and_by_link(repo, path, ref, expected):
    file = PUBLIC.file(repo, path, ref)
    assert (file.repository.full_name, file.path, file.ref, file.line) == ("o/r", *expected)


def test_a_path_cannot_leave_the_repository():
    with pytest.raises(ServiceError, match="路径超出了仓库"):
        PUBLIC.file("o/r", "src/../../../user", "")


@pytest.mark.parametrize(
    "text",
    ["octocat", "@octocat", " octocat ", "https://github.com/octocat", "https://github.com/orgs/octocat/repositories"],
)
def test_a_user_is_recognised_in_every_form(text):
    assert PUBLIC.user(text) == "octocat"


@pytest.mark.parametrize("text", ["", "a b", "-", "https://github.com/"])
def test_what_is_no_user_is_refused(text):
    with pytest.raises(ServiceError, match="没有认出用户"):
        PUBLIC.user(text)


def test_an_enterprise_server_accepts_its_links_and_not_those_of_github_com():
    assert ENTERPRISE.repository("https://git.corp.example:8443/o/r/pull/1").full_name == "o/r"
    assert ENTERPRISE.issue("https://git.corp.example:8443/api/v3/repos/o/r/issues/5").number == 5
    with pytest.raises(ServiceError, match="git.corp.example:8443"):
        ENTERPRISE.repository("https://github.com/o/r")


@pytest.mark.parametrize(
    ("api", "site"),
    [
        ("https://api.github.com", "https://github.com"),
        ("https://git.corp.example:8443/api/v3", "https://git.corp.example:8443"),
        ("https://api.octocorp.ghe.com", "https://octocorp.ghe.com"),
    ],
)
def test_the_site_follows_from_the_address_of_the_api(api, site):
    assert GitHubSettings(api_url=api).web_url == site


def test_settings_are_read_from_the_environment_and_hide_the_token(monkeypatch):
    monkeypatch.setenv("GITHUB_API_URL", "https://git.corp.example/api/v3/")
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_secret")
    monkeypatch.setenv("GITHUB_ALLOWED_ADDRESSES", "10.0.0.5, 10.0.0.6")
    settings = GitHubSettings.from_environment()
    assert (settings.api_url, settings.token) == ("https://git.corp.example/api/v3", "ghp_secret")
    assert settings.allowed_addresses == ("10.0.0.5", "10.0.0.6")
    assert "ghp_secret" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GITHUB_API_URL", "git.corp.example"),
        ("GITHUB_PROXY", "user:hunter2"),
        ("GITHUB_ALLOWED_ADDRESSES", "10.0.0.0/8"),
        ("GITHUB_CA", "hunter2, which is no certificate"),
        ("GITHUB_CACHE_SECONDS", "-1"),
    ],
)
def test_an_unusable_setting_is_named_without_a_password(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=name) as refusal:
        GitHubSettings.from_environment()
    assert "hunter2" not in str(refusal.value)
