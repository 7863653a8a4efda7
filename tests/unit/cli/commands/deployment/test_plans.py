"""Plans leave out the changes of others, and refusals by plans and rules are explained."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from pulumi.automation.events import PolicyEvent

from cli.commands.deployment import plan
from cli.deployment import policies
from cli.deployment.events import DeployError, EventDisplay, explain
from cli.system.errors import StackError


class Quiet:
    """A display that shows nothing."""

    def line(self, text: str) -> None:
        pass


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    result = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return result.stdout.strip()


def test_changes_of_others_since_the_branch_began_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "ROOT", tmp_path)
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "Pulumi.test.yaml").write_text("old\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "base")
    git(tmp_path, "checkout", "-qb", "change")
    git(tmp_path, "commit", "-qm", "mine", "--allow-empty")
    git(tmp_path, "checkout", "-q", "main")
    (tmp_path / "Pulumi.test.yaml").write_text("of others\n")
    git(tmp_path, "commit", "-qam", "theirs")
    git(tmp_path, "checkout", "-q", "change")
    assert plan.file_at(plan.branched_off("main"), "Pulumi.test.yaml") == "old\n"
    assert plan.file_at("HEAD", "Pulumi.nowhere.yaml") == ""


def test_a_change_that_is_not_in_the_plan_is_refused_without_repeating_its_whole_value() -> None:
    events = EventDisplay(Quiet())  # type: ignore[arg-type]
    events._remember("resource urn::x violates plan: properties changed: ~~uploads[{[{map[content:\n# a\n# b", "error")
    assert events.errors == ["resource urn::x violates plan: properties changed: ~~uploads …"]
    error = explain("", events.errors)
    assert isinstance(error, DeployError)
    assert "plan" in error.message and "./deploy.sh plan" in error.next_step


def violation(level: str) -> PolicyEvent:
    message = "<{%reset%}>In production, images are given by digest.\nimage x:1 is not given by digest<{%reset%}>"
    urn = "urn:pulumi:prod::dyber::docker:index/container:Container::template-server"
    return PolicyEvent(message, "never", "pinned-image", "dyber", "1.0.0", "1.0.0", level, urn)


def test_a_violation_names_the_resource_what_is_wrong_and_the_rule() -> None:
    assert (
        policies.violation_text(violation("mandatory"))
        == "template-server: image x:1 is not given by digest (pinned-image)"
    )


def test_a_mandatory_violation_is_an_error_of_the_update_and_advice_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    events = EventDisplay(Quiet())  # type: ignore[arg-type]
    events._violated(violation("advisory"))
    assert events.errors == []
    assert "advice: template-server: image x:1 is not given by digest" in capsys.readouterr().err
    events._violated(violation("mandatory"))
    error = explain("error: update failed", events.errors)
    assert isinstance(error, DeployError)
    assert "rules" in error.message
    assert error.details == ["against the rules: template-server: image x:1 is not given by digest (pinned-image)"]


@pytest.mark.parametrize("content", [b"", b"\0\0", b"\xff", b'{"manifest":', b"[1]", b"3"])
def test_a_damaged_plan_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setenv("DYBER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(plan, "set_up", lambda *_: pytest.fail("something starts"))
    file = tmp_path / "test.plan.json"
    file.write_bytes(content)
    with pytest.raises(StackError) as refused:
        plan.apply(file, yes=True, stack="test")
    assert str(file) in refused.value.message and "./deploy.sh plan -s test" in refused.value.next_step
    assert file.read_bytes() == content
