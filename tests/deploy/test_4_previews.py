"""A pull request is previewed on a copy of a real stack's state, which has no secret: only its own change is told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.checkout import STACK, Checkout


@pytest.fixture
def change(deployed: Checkout) -> Iterator[Checkout]:
    """The clone as a git repository in which the newest commit changes the gateway's configuration."""
    template = deployed.root / "nginx" / "templates" / "upstreams.conf.j2"
    before = template.read_text()
    git = "git -c user.name=a -c user.email=a@b"
    try:
        deployed.shell(f"git init -q && git add --all && {git} commit -qm base")
        template.write_text(before.replace("keepalive_timeout 1s", "keepalive_timeout 900ms"))
        assert template.read_text() != before
        deployed.shell(f"{git} commit -qam change")
        yield deployed
    finally:
        template.write_text(before)
        shutil.rmtree(deployed.root / ".git")


def test_a_pull_request_is_previewed_without_any_secret_of_the_stack(change: Checkout, tmp_path: Path) -> None:
    change.deploy_sh("state-copy", "--out", str(tmp_path / f"{STACK}.json"))
    copied = (tmp_path / f"{STACK}.json").read_text()
    assert change.token not in copied
    assert "ciphertext" not in copied and "placeholder-" in copied
    (tmp_path / "passphrase").write_text("of another machine")
    elsewhere = {
        "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
    }
    options = ("-s", STACK, "--base", "HEAD~1", "--state-copies", str(tmp_path), "--out", str(tmp_path / "plans"))
    change.deploy_sh("plan", *options, **elsewhere)
    comment = (tmp_path / "plans" / "preview.md").read_text()
    changed = [line.split("`")[1] for line in comment.splitlines() if line.startswith(("| ➕", "| 🔁", "| ✏️", "| 🗑️"))]
    assert set(changed) <= {"gateway-loader", "gateway-configuration"} and "gateway-loader" in changed, comment
    assert change.token not in comment
    assert json.loads(copied)["deployment"]["resources"]
