"""Tests the workflows, and the scripts that they call against a fake `gh` and a fake issuer of identity tokens."""

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
from cli.previews.comment import MARKER

REPOSITORY = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
CI = REPOSITORY / ".ci"


def scripts() -> list[tuple[str, str]]:
    """Return (step, script) for every step that runs a script."""
    return [
        (f"{file.name}: {name}: {step.get('name')}", step["run"])
        for file in WORKFLOWS
        for name, job in yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].items()
        for step in job["steps"]
        if "run" in step
    ]


def jobs(workflow: str) -> dict[str, Any]:
    file = REPOSITORY / ".github" / "workflows" / workflow
    return dict(yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"])


def test_the_workflows_have_no_known_weakness() -> None:
    zizmor = Path(sys.executable).with_name("zizmor")
    result = subprocess.run(
        [zizmor, "--offline", "--no-progress", *WORKFLOWS], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_grants_nothing_by_default_and_uses_only_githubs_actions_by_commit(file: Path) -> None:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert content["permissions"] == {}
    used = [step["uses"] for job in content["jobs"].values() for step in job["steps"] if "uses" in step]
    assert [name for name in used if not re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", name)] == []
    assert file.name == "tests.yml" or {name.split("@")[0] for name in used} == {"actions/checkout"}


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_every_job_checks_out_first_and_leaves_no_token_for_later_steps(file: Path) -> None:
    for job in yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].values():
        first, *others = job["steps"]
        assert first["uses"].startswith("actions/checkout@")
        assert first["with"]["persist-credentials"] is False
        assert "token" not in first["with"]
        assert [step for step in others if step.get("uses", "").startswith("actions/checkout@")] == []


def test_self_hosted_runners_keep_the_files_that_git_ignores() -> None:
    for file in WORKFLOWS:
        for job in yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].values():
            kept = job["steps"][0]["with"].get("clean") is False
            assert kept == (job["runs-on"] != "ubuntu-latest")


def test_the_code_of_a_fork_never_runs_on_a_self_hosted_runner() -> None:
    for file in WORKFLOWS:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        for job in content["jobs"].values():
            if "pull_request" in content[True] and job["runs-on"] != "ubuntu-latest":
                assert "head.repo.full_name == github.repository" in job["if"]


def test_only_main_runs_on_the_runner_of_an_environment() -> None:
    for file in WORKFLOWS:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        runners = [job["runs-on"] for job in content["jobs"].values()]
        if any("dyber" in labels for labels in runners if isinstance(labels, list)):
            assert file.name in ("deploy.yml", "drift.yml")
            assert set(content[True]) <= {"push", "schedule", "workflow_dispatch"}
            assert (content[True].get("push") or {"branches": ["main"]}) == {"branches": ["main"]}


def test_the_job_that_runs_the_code_of_a_branch_can_only_read_the_repository() -> None:
    preview = jobs("preview.yml")["preview"]
    assert preview["permissions"] == {"contents": "read"}
    assert preview["runs-on"] == ["self-hosted", "dyber-preview"]
    (script,) = [step["run"] for step in preview["steps"] if "deploy.sh" in step.get("run", "")]
    assert "--state-copies" in script
    holders = [step["name"] for step in preview["steps"] if "GH_TOKEN" in step.get("env", {})]
    assert holders == [] and "GH_TOKEN" not in preview["env"]
    assert preview["steps"][0]["with"]["ref"] == "${{ env.COMMIT }}"


def test_the_job_that_writes_the_comment_runs_the_code_of_the_base() -> None:
    comment = jobs("preview.yml")["comment"]
    assert comment["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert comment["runs-on"] == "ubuntu-latest"
    assert comment["env"] == {"BASE": "${{ github.event.pull_request.base.sha }}"}
    assert comment["steps"][0]["with"]["ref"] == "${{ env.BASE }}"
    assert "deploy.sh" not in str(comment["steps"])


def test_pull_requests_and_main_are_tested_with_the_command_of_the_readme() -> None:
    content = yaml.safe_load((REPOSITORY / ".github/workflows/tests.yml").read_text(encoding="utf-8"))
    assert content[True] == {"pull_request": {"branches": ["main"]}, "push": {"branches": ["main"]}}
    (job,) = content["jobs"].values()
    assert (job["runs-on"], job["permissions"]) == ("ubuntu-latest", {"contents": "read"})
    assert any(".ci/run" in step.get("run", "") for step in job["steps"])
    (cache,) = [step["with"]["path"].split() for step in job["steps"] if "path" in step.get("with", {})]
    # The cache is outside the checkout and contains neither a state nor a passphrase.
    home = job["env"]["DYBER_HOME"]
    assert all(path.startswith(f"{home}/") for path in cache)
    assert not {"state", "passphrase", ""} & {path.removeprefix(f"{home}/").split("/")[0] for path in cache}


def test_a_job_that_applies_a_plan_waits_for_the_approval_of_its_environment() -> None:
    deploying = jobs("deploy.yml")
    for name, job in deploying.items():
        applies = any("deploy.sh apply" in step.get("run", "") for step in job["steps"])
        assert job.get("environment") == (name if applies else None)
    assert (deploying["plan-prod"]["needs"], deploying["prod"]["needs"]) == ("test", "plan-prod")


@pytest.mark.parametrize(("step", "script"), scripts(), ids=[step for step, _ in scripts()])
def test_a_script_is_valid_and_contains_no_expression(step: str, script: str) -> None:
    checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "${{" not in script


def test_the_command_line_accepts_every_deploy_command_of_the_workflows() -> None:
    group = typer.main.get_command(app)
    lines = [line.strip() for _, script in scripts() for line in script.splitlines() if "./deploy.sh " in line]
    assert len(lines) == 8
    for line in lines:
        text = line.split("./deploy.sh ")[1].split("||")[0].replace('"${options[@]}"', "--stack test --stack prod")
        word, *arguments = shlex.split(text)
        group.commands[word].make_context(word, arguments)


GH = """\
#!/bin/sh
printf '%s\\n' "$*" >>"{folder}/requests"
case "$*" in
*graphql*) cat "{folder}/login" ;;
*GET*|*comments?--jq*) cat "{folder}/answer" 2>/dev/null || true ;;
esac
for word; do
    case "$word" in body=@*) cat "${{word#body=@}}" >"{folder}/sent" ;; esac
done
"""


@pytest.fixture
def github(tmp_path: Path) -> dict[str, str]:
    """Make a fake `gh` that records its arguments, knows the token's owner and lists the entries of tmp_path/answer."""
    gh = tmp_path / "gh"
    gh.write_text(GH.format(folder=tmp_path))
    gh.chmod(0o755)
    (tmp_path / "login").write_text("github-actions[bot]\n")
    (tmp_path / "preview.md").write_text(f"{MARKER}\n## Preview\n")
    return {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "GITHUB_REPOSITORY": "dyber/dyber",
        "PULL_REQUEST": "7",
        "GH_TOKEN": "x",
    }


def answers(tmp_path: Path, *entries: tuple[int, str, str | None]) -> None:
    """Set the entries that exist already: id, author and text of each."""
    lines = [json.dumps({"id": number, "author": author, "body": body}) for number, author, body in entries]
    (tmp_path / "answer").write_text("\n".join(lines) + "\n")


def put_comment(tmp_path: Path, environment: dict[str, str]) -> str:
    """Put tmp_path/preview.md on the pull request and return the last request."""
    subprocess.run([CI / "pull-request-comment", tmp_path / "preview.md"], env=environment, check=True)
    return (tmp_path / "requests").read_text().splitlines()[-1]


def test_the_first_preview_makes_a_comment(tmp_path: Path, github: dict[str, str]) -> None:
    made = put_comment(tmp_path, github)
    assert made.startswith("api --method POST repos/dyber/dyber/issues/7/comments --field body=@")
    assert (tmp_path / "sent").read_text() == f"{MARKER}\n## Preview\n"


def test_the_next_preview_updates_the_comment_in_place(tmp_path: Path, github: dict[str, str]) -> None:
    answers(tmp_path, (4710, "github-actions[bot]", "tests passed"), (4711, "github-actions[bot]", f"{MARKER}\nold"),
            (4712, "github-actions[bot]", f"{MARKER}\nolder"))  # fmt: skip
    updated = put_comment(tmp_path, github)
    assert updated.startswith("api --method PATCH repos/dyber/dyber/issues/comments/4711 --field body=@")


def test_a_comment_by_another_account_is_never_changed(tmp_path: Path, github: dict[str, str]) -> None:
    answers(tmp_path, (1, "mallory", f"{MARKER}\nmine"), (2, "github-actions", f"{MARKER}\nmine"), (3, "mallory", None))
    assert put_comment(tmp_path, github).startswith("api --method POST")


def test_with_the_token_of_a_person_the_comment_of_that_person_is_updated(
    tmp_path: Path, github: dict[str, str]
) -> None:
    (tmp_path / "login").write_text("alice\n")
    answers(tmp_path, (1, "github-actions[bot]", f"{MARKER}\nof the bot"), (2, "alice", f"{MARKER}\r\nof alice"))
    assert "comments/2 " in put_comment(tmp_path, github)


def test_a_comment_that_only_quotes_the_marker_is_not_changed(tmp_path: Path, github: dict[str, str]) -> None:
    answers(tmp_path, (1, "github-actions[bot]", f"> {MARKER}\nold"), (2, "github-actions[bot]", f"x {MARKER}"))
    assert put_comment(tmp_path, github).startswith("api --method POST")


def test_a_text_without_the_marker_gets_it_and_changes_no_other_comment(tmp_path: Path, github: dict[str, str]) -> None:
    (tmp_path / "preview.md").write_text("<!-- dyber-drift -->\ntext\n")
    answers(tmp_path, (1, "github-actions[bot]", "<!-- dyber-drift -->\nreport"))
    assert put_comment(tmp_path, github).startswith("api --method POST")
    assert (tmp_path / "sent").read_text() == f"{MARKER}\n<!-- dyber-drift -->\ntext\n"


def test_a_comment_is_passed_between_jobs_as_one_line_and_cut_if_too_long(tmp_path: Path) -> None:
    text = MARKER + "\n小红书 ```diff``` $(id) ${{ github.token }}\n" * 900
    (tmp_path / "preview.md").write_text(text)
    packed = subprocess.run([CI / "pack-comment", tmp_path / "preview.md"], capture_output=True, text=True, check=True)
    # Linux allows 128 KiB in an environment variable.
    assert len(packed.stdout) < 128 * 1024 and packed.stdout.split() == [packed.stdout]
    target = tmp_path / "unpacked.md"
    subprocess.run([CI / "pack-comment", "--unpack", target], input=packed.stdout, text=True, check=True)
    assert target.read_text() == text
    (tmp_path / "large").write_bytes(b"x" * 10_000_000)
    packed = subprocess.run([CI / "pack-comment", tmp_path / "large"], capture_output=True, text=True, check=True)
    subprocess.run([CI / "pack-comment", "--unpack", target], input=packed.stdout, text=True, check=False)
    assert target.stat().st_size == 200_000


ON_MAIN = {
    "GITHUB_EVENT_NAME": "push",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_REPOSITORY": "dyber/dyber",
    "GITHUB_WORKFLOW_REF": "dyber/dyber/.github/workflows/deploy.yml@refs/heads/main",
}
DRIFT = ON_MAIN["GITHUB_WORKFLOW_REF"].replace("deploy", "drift")


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({}, True),
        ({"GITHUB_EVENT_NAME": "schedule", "GITHUB_WORKFLOW_REF": DRIFT}, True),
        ({"GITHUB_EVENT_NAME": "workflow_dispatch", "GITHUB_WORKFLOW_REF": DRIFT}, True),
        ({"GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/7/merge"}, False),
        ({"GITHUB_EVENT_NAME": "pull_request_target"}, False),
        ({"GITHUB_REF": "refs/heads/change"}, False),
        ({"GITHUB_WORKFLOW_REF": "dyber/dyber/.github/workflows/deploy.yml@refs/heads/change"}, False),
        ({"GITHUB_WORKFLOW_REF": "dyber/dyber/.github/workflows/other.yml@refs/heads/main"}, False),
        ({"GITHUB_WORKFLOW_REF": "mallory/x/.github/workflows/deploy.yml@refs/heads/main"}, False),
        ({"GITHUB_WORKFLOW_REF": ""}, False),
    ],
)
def test_the_runner_of_an_environment_accepts_only_the_workflows_of_main(
    changes: dict[str, str], accepted: bool
) -> None:
    environment = {"PATH": os.environ["PATH"], **ON_MAIN, **changes}
    done = subprocess.run([CI / "only-main"], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is accepted, done.stderr
    assert accepted or "refused" in done.stderr


def keep_issue(tmp_path: Path, environment: dict[str, str], state: str) -> list[str]:
    differences = [Difference("gone", "Container", "template-server")] if state == "open" else []
    (tmp_path / "drift.md").write_text(markdown([Report("test", differences)]))
    subprocess.run([CI / "drift-issue", tmp_path / "drift.md", state], env=environment, check=True)
    return (tmp_path / "requests").read_text().splitlines()


DRIFT_MARKER = "<!-- dyber-drift -->"


def test_drift_opens_an_issue_with_the_report(tmp_path: Path, github: dict[str, str]) -> None:
    _, listed, made = keep_issue(tmp_path, github, "open")
    assert "--method GET repos/dyber/dyber/issues --raw-field state=open" in listed
    assert "--raw-field creator=github-actions[bot]" in listed
    assert re.search(r"--method POST repos/dyber/dyber/issues --raw-field title=[^ #].* --field body=@", made)
    assert (tmp_path / "sent").read_text().startswith(DRIFT_MARKER)


def test_drift_that_stays_updates_the_issue(tmp_path: Path, github: dict[str, str]) -> None:
    answers(tmp_path, (11, "mallory", f"{DRIFT_MARKER}\n"), (12, "github-actions[bot]", f"{DRIFT_MARKER}\n"))
    *_, updated = keep_issue(tmp_path, github, "open")
    assert updated.startswith("api --method PATCH repos/dyber/dyber/issues/12 --field body=@")
    assert "--raw-field state=open" in updated


def test_the_issue_is_closed_when_there_is_no_drift_any_more(tmp_path: Path, github: dict[str, str]) -> None:
    answers(tmp_path, (12, "github-actions[bot]", f"{DRIFT_MARKER}\n"))
    *_, closed = keep_issue(tmp_path, github, "closed")
    assert closed.startswith("api --method PATCH repos/dyber/dyber/issues/12 ") and "state=closed" in closed


def test_without_drift_and_without_an_issue_nothing_is_made(tmp_path: Path, github: dict[str, str]) -> None:
    assert not any("--method P" in line for line in keep_issue(tmp_path, github, "closed"))


class Issuer(BaseHTTPRequestHandler):
    """Gives the identity token of a job, as GitHub does, to requests with the right request token."""

    def do_GET(self) -> None:
        requests: list[Any] = self.server.requests  # type: ignore[attr-defined]
        requests.append((self.path, self.headers["Authorization"]))
        allowed = self.headers["Authorization"] == "bearer request-token"
        self.send_response(200 if allowed else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"count": 1, "value": "identity.token"}).encode() if allowed else b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def issuer() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Issuer)
    server.requests = []  # type: ignore[attr-defined]
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


def test_the_identity_of_the_job_becomes_short_lived_credentials(tmp_path: Path, issuer: HTTPServer) -> None:
    done = exchange(tmp_path, issuer, "request-token")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    token = tmp_path / "oidc-token"
    assert token.read_text() == "identity.token"
    assert token.stat().st_mode & 0o077 == 0
    assert issuer.requests == [("/token?api-version=2.0&audience=sts.amazonaws.com", "bearer request-token")]
    assert f"AWS_WEB_IDENTITY_TOKEN_FILE={token}\n" in (tmp_path / "environment").read_text()


def test_a_refused_identity_fails_the_job(tmp_path: Path, issuer: HTTPServer) -> None:
    assert exchange(tmp_path, issuer, "wrong").returncode != 0
    assert not (tmp_path / "environment").exists()
