"""The workflows are sound, and the scripts they call do what they say, against stand-ins of gh and of the token's issuer."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from cli.app import app
from cli.drift.differences import Difference
from cli.drift.report import Report, markdown
from cli.preview_comment import MARKER

REPOSITORY = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
CI = REPOSITORY / ".ci"


def scripts() -> list[tuple[str, str]]:
    """(where, script) of every step that runs one."""
    return [
        (f"{file.name}: {name}: {step.get('name')}", step["run"])
        for file in WORKFLOWS
        for name, job in yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].items()
        for step in job["steps"]
    ]


def test_the_workflows_have_no_known_weakness() -> None:
    zizmor = Path(sys.executable).with_name("zizmor")
    found = subprocess.run(
        [zizmor, "--offline", "--no-progress", *WORKFLOWS], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_grants_nothing_by_default_and_runs_nobody_elses_action(file: Path) -> None:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert content["permissions"] == {}
    assert not [step for job in content["jobs"].values() for step in job["steps"] if "uses" in step]


def test_a_forks_code_never_runs_on_the_engine() -> None:
    content = yaml.safe_load((REPOSITORY / ".github/workflows/preview.yml").read_text(encoding="utf-8"))
    for job in content["jobs"].values():
        assert "head.repo.full_name == github.repository" in job["if"]


def test_what_is_applied_waits_for_the_approval_of_its_environment() -> None:
    jobs = yaml.safe_load((REPOSITORY / ".github/workflows/deploy.yml").read_text(encoding="utf-8"))["jobs"]
    for name, job in jobs.items():
        applies = any("deploy.sh apply" in step["run"] for step in job["steps"])
        assert job.get("environment") == (name if applies else None)
    assert (jobs["plan-prod"]["needs"], jobs["prod"]["needs"]) == ("test", "plan-prod")


@pytest.mark.parametrize(("where", "script"), scripts(), ids=[where for where, _ in scripts()])
def test_a_script_is_valid_and_takes_nothing_from_an_expression(where: str, script: str) -> None:
    checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "${{" not in script


def test_every_deploy_command_in_a_workflow_is_one_that_the_command_line_takes() -> None:
    group = typer.main.get_command(app)
    lines = [line.strip() for _, script in scripts() for line in script.splitlines() if "./deploy.sh " in line]
    assert len(lines) == 6
    for line in lines:
        text = line.split("./deploy.sh ")[1].split("||")[0].replace('"${options[@]}"', "--stack test --stack prod")
        word, *arguments = shlex.split(text)
        group.commands[word].make_context(word, arguments)


@pytest.fixture
def github(tmp_path: Path) -> dict[str, str]:
    """A `gh` that answers with tmp_path/comments.json, through its own --jq, and writes down what it is asked."""
    gh = tmp_path / "gh"
    gh.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$*\" >>{tmp_path}/asked\ncat {tmp_path}/answer 2>/dev/null || true\n")
    gh.chmod(0o755)
    (tmp_path / "preview.md").write_text(f"{MARKER}\n## Preview\n")
    return {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "GITHUB_REPOSITORY": "dyber/dyber",
        "PULL_REQUEST": "7",
        "GH_TOKEN": "x",
    }


def put_comment(tmp_path: Path, environment: dict[str, str]) -> list[str]:
    subprocess.run([CI / "pull-request-comment", tmp_path / "preview.md"], env=environment, check=True)
    return (tmp_path / "asked").read_text().splitlines()


def test_a_first_preview_makes_a_comment(tmp_path: Path, github: dict[str, str]) -> None:
    listed, made = put_comment(tmp_path, github)
    assert "repos/dyber/dyber/issues/7/comments" in listed and f'startswith("{MARKER}")' in listed
    assert made.startswith("api --method POST repos/dyber/dyber/issues/7/comments --field body=@")


def test_the_next_preview_updates_it_in_place(tmp_path: Path, github: dict[str, str]) -> None:
    (tmp_path / "answer").write_text("4711\n4712\n")
    _, updated = put_comment(tmp_path, github)
    assert updated.startswith("api --method PATCH repos/dyber/dyber/issues/comments/4711 --field body=@")


def keep_issue(tmp_path: Path, environment: dict[str, str], state: str) -> list[str]:
    differences = [Difference("gone", "Container", "template-server")] if state == "open" else []
    (tmp_path / "drift.md").write_text(markdown([Report("test", differences)]))
    subprocess.run([CI / "drift-issue", tmp_path / "drift.md", state], env=environment, check=True)
    return (tmp_path / "asked").read_text().splitlines()


def test_drift_opens_an_issue_with_the_report(tmp_path: Path, github: dict[str, str]) -> None:
    listed, made = keep_issue(tmp_path, github, "open")
    assert "repos/dyber/dyber/issues?state=open&creator=github-actions%5Bbot%5D" in listed
    assert 'startswith("<!-- dyber-drift -->")' in listed
    assert re.search(r"--method POST repos/dyber/dyber/issues --raw-field title=[^ #].* --field body=@", made)


def test_drift_that_stays_updates_that_issue(tmp_path: Path, github: dict[str, str]) -> None:
    (tmp_path / "answer").write_text("12\n")
    _, updated = keep_issue(tmp_path, github, "open")
    assert updated.startswith("api --method PATCH repos/dyber/dyber/issues/12 --field body=@")
    assert "--raw-field state=open" in updated


def test_the_issue_is_closed_when_there_is_no_drift_any_more(tmp_path: Path, github: dict[str, str]) -> None:
    (tmp_path / "answer").write_text("12\n")
    _, closed = keep_issue(tmp_path, github, "closed")
    assert closed.startswith("api --method PATCH repos/dyber/dyber/issues/12 ") and "state=closed" in closed


def test_without_drift_and_without_an_issue_nothing_is_made(tmp_path: Path, github: dict[str, str]) -> None:
    assert len(keep_issue(tmp_path, github, "closed")) == 1


class Issuer(BaseHTTPRequestHandler):
    """Gives the identity token of a job, as GitHub does, to whoever shows the request token."""

    def do_GET(self) -> None:
        asked: list[Any] = self.server.asked  # type: ignore[attr-defined]
        asked.append((self.path, self.headers["Authorization"]))
        allowed = self.headers["Authorization"] == "bearer request-token"
        self.send_response(200 if allowed else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"count": 1, "value": "identity.token"}).encode() if allowed else b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def issuer() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Issuer)
    server.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def exchange(tmp_path: Path, issuer: HTTPServer, token: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"http://127.0.0.1:{issuer.server_port}/token?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": token,
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_ENV": str(tmp_path / "environment"),
        "GITHUB_RUN_ID": "42",
        "no_proxy": "127.0.0.1",
    }
    command = [CI / "oidc-credentials", "arn:aws:iam::1:role/dyber"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_jobs_identity_becomes_credentials_that_nobody_stored(tmp_path: Path, issuer: HTTPServer) -> None:
    done = exchange(tmp_path, issuer, "request-token")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    token = tmp_path / "oidc-token"
    assert token.read_text() == "identity.token"
    assert token.stat().st_mode & 0o077 == 0
    assert issuer.asked == [("/token?api-version=2.0&audience=sts.amazonaws.com", "bearer request-token")]
    assert f"AWS_WEB_IDENTITY_TOKEN_FILE={token}\n" in (tmp_path / "environment").read_text()


def test_a_refused_identity_fails_the_job(tmp_path: Path, issuer: HTTPServer) -> None:
    assert exchange(tmp_path, issuer, "wrong").returncode != 0
    assert not (tmp_path / "environment").exists()
