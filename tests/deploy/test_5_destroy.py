"""Destroy leaves nothing of ours behind, and everything of others."""

from __future__ import annotations

from deploy_under_test import Checkout, docker, ours


def test_destroy_without_consent_destroys_nothing(deployed: Checkout) -> None:
    before = ours("container")
    result = deployed.deploy_sh("destroy", check=False)
    assert result.returncode != 0
    assert ours("container") == before


def test_destroy_leaves_nothing_of_ours_and_everything_of_others(deployed: Checkout) -> None:
    deployed.remove_stand_in()
    deployed.deploy_sh("destroy", "--yes")
    assert {kind: ours(kind) for kind in ("container", "network", "volume")} == {"container": [], "network": [], "volume": []}
    names = deployed.bystanders
    assert docker("inspect", "--format", "{{.State.Running}}", names["container"]).strip() == "true"
    assert docker("network", "inspect", "--format", "{{.Name}}", names["network"]).strip() == names["network"]
    assert docker("volume", "inspect", "--format", "{{.Name}}", names["volume"]).strip() == names["volume"]


def test_a_destroyed_stack_says_so_when_asked_for_its_token(deployed: Checkout) -> None:
    result = deployed.deploy_sh("token", "show", check=False)
    assert result.returncode == 1
    assert "还没有部署" in result.stderr
