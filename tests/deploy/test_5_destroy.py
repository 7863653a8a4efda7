"""Destroy leaves nothing of ours behind, and everything of others."""

from __future__ import annotations

from tests.deploy.checkout import STACK, Checkout, docker, inspect, ours


def test_destroy_without_consent_tells_what_becomes_of_data_and_destroys_nothing(deployed: Checkout) -> None:
    before = ours("container"), ours("volume")
    result = deployed.deploy_sh("destroy", check=False)
    assert result.returncode != 0
    assert "数据会被删除" in result.stderr and f"dyber-{STACK}-xiaohongshu-data（xiaohongshu，" in result.stderr
    assert (ours("container"), ours("volume")) == before


def test_data_that_is_to_be_kept_outlives_destroy_and_is_found_again(deployed: Checkout) -> None:
    deployed.remove_stand_in()
    docker("exec", inspect("xiaohongshu")["Id"], "sh", "-c", "echo mine > /data/kept.txt")
    deployed.configure("dataRetention", "keep")
    deployed.deploy_sh()
    destroyed = deployed.deploy_sh("destroy", "--yes")
    assert "数据会保留" in destroyed.stderr and "数据卷已保留" in destroyed.stdout
    assert (ours("container"), ours("network")) == ([], [])
    # Profiles and a console of earlier tests leave their data too.
    kept = set(ours("volume"))
    assert f"dyber-{STACK}-xiaohongshu-data" in kept
    assert kept <= {f"dyber-{STACK}-{name}-data" for name in ("xiaohongshu", "console", "cache", "monitoring")}
    deployed.configure("dataRetention", None)
    deployed.deploy_sh()
    assert docker("exec", inspect("xiaohongshu")["Id"], "cat", "/data/kept.txt") == "mine\n"


def test_destroy_leaves_nothing_of_ours_and_everything_of_others(deployed: Checkout) -> None:
    deployed.remove_stand_in()
    deployed.deploy_sh("destroy", "--yes")
    assert {kind: ours(kind) for kind in ("container", "network", "volume")} == {
        "container": [],
        "network": [],
        "volume": [],
    }
    names = deployed.bystanders
    assert docker("inspect", "--format", "{{.State.Running}}", names["container"]).strip() == "true"
    assert docker("network", "inspect", "--format", "{{.Name}}", names["network"]).strip() == names["network"]
    assert docker("volume", "inspect", "--format", "{{.Name}}", names["volume"]).strip() == names["volume"]


def test_a_destroyed_stack_says_so_when_asked_for_its_token(deployed: Checkout) -> None:
    result = deployed.deploy_sh("token", "show", check=False)
    assert result.returncode == 1
    assert "还没有部署" in result.stderr
