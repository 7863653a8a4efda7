"""Every command names what a stopped stack lost by a prune, and reports nothing that is gone as running."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from cli.commands.operation import logs, run, status
from cli.commands.settings import tools
from cli.engine import engine
from cli.inventory import gone
from cli.system.errors import StackError
from infra.settings.gateway import GatewaySettings
from tests.unit.cli.inventory.test_health_report import container

PREFIX = "urn:pulumi:dev::dyber::"
SERVICES = {"template": {}}


def resource(kind: str, logical: str, **inputs: Any) -> dict[str, Any]:
    """Return a resource of the state whose id is its logical name."""
    return {"type": kind, "urn": f"{PREFIX}{kind}::{logical}", "id": logical, "inputs": inputs,
            "outputs": {"name": inputs.get("name", f"dyber-dev-{logical}-0")}}  # fmt: skip


def in_state(service: str, logical: str, *, must_run: bool = True) -> dict[str, Any]:
    labels = [{"label": "dyber.service", "value": service}]
    return resource(gone.CONTAINER, logical, mustRun=must_run, labels=labels, image="dyber-x:1")


STATE = [
    in_state("template", "template-1"),
    in_state("template", "template-server-2"),
    in_state("gateway", "gateway-1"),
    in_state("gateway-front", "gateway-front-1"),
    in_state("gateway-loader", "gateway-loader", must_run=False),
    {**in_state("template", "old"), "delete": True},
    resource(gone.NETWORK, "template-network"),
    resource(gone.IMAGE, "template-image", name="dyber-template:1"),
    resource(gone.VOLUME, "template-data", name="dyber-dev-template-data"),
]
EVERYTHING = {str(item["id"]) for item in STATE}


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return a function that sets what the engine has of a deployed stack.

    The function returns the list in which starting, stopping and restarting of containers is recorded.
    """
    monkeypatch.setenv("DYBER_LANG", "en")
    calls: list[str] = []
    deployment = SimpleNamespace(
        resources=lambda: STATE,
        require_id=lambda: "abc",
        deployment_id=lambda: "abc",
        settings=None,
        missing_secrets=dict,
        enabled_services=list,
        outputs=lambda: {"services": SERVICES},
    )

    def set_engine(
        *existing: str, networks: bool = True, images: bool = True, volumes: bool = True, **state: Any
    ) -> list[str]:
        containers = [container(name.rpartition("-")[0], number=name.rpartition("-")[2], **state) for name in existing]
        for item in containers:
            item["HostConfig"]["RestartPolicy"] = {"Name": "unless-stopped"}
        monkeypatch.setattr(engine, "containers", lambda *filters, all_states=True: containers)
        monkeypatch.setattr(
            engine, "labelled_networks", lambda own: [("abc", "template-network", "n")] if networks else []
        )
        monkeypatch.setattr(engine, "images", lambda: {"dyber-template:1": "sha256:1"} if images else {})
        data = {"Name": "dyber-dev-template-data", "Labels": {}}
        monkeypatch.setattr(engine, "volumes", lambda *filters: [data] if volumes else [])
        monkeypatch.setattr(status.health_report, "measure", lambda processes: {})
        monkeypatch.setattr(engine, "log_tail", lambda container, lines: "")
        return calls

    for module in (run, logs, status):
        monkeypatch.setattr(module, "deployed", lambda stack, **_: (deployment, {"services": SERVICES}))
    monkeypatch.setattr(run, "_display", nullcontext)
    monkeypatch.setattr(run, "_start", lambda member, display: calls.append(f"start {member.id}"))
    monkeypatch.setattr(run, "_stop", lambda member, display: calls.append(f"stop {member.id}"))
    monkeypatch.setattr(run, "_restart", lambda member, *_: calls.append(f"restart {member.id}"))
    monkeypatch.setattr(status.health_report.gateway_status, "fetch", lambda settings: None)
    monkeypatch.setattr(tools.Deployment, "open", lambda name, create=True: deployment)
    return set_engine


ALL = ("template-1", "template-server-2", "gateway-1", "gateway-front-1")


def test_what_the_engine_has_lost_is_listed_by_kind() -> None:
    lost = gone.compare(STATE, {"gateway-1", "gateway-front-1"}, set(), set(), set(), set(SERVICES))
    assert [(item.service, item.kind, item.replica, item.state) for item in lost.containers] == [
        ("template", "server", 1, "gone"),
        ("template", "server", 2, "gone"),
    ]
    assert lost.networks == ("dyber-dev-template-network-0",)
    assert lost.images == ("dyber-template:1",)
    assert lost.volumes == ("dyber-dev-template-data",)


def test_a_complete_stack_lacks_nothing_and_missing_images_do_not_count() -> None:
    volumes = {"dyber-dev-template-data"}
    assert not gone.compare(STATE, EVERYTHING, EVERYTHING, {"dyber-template:1"}, volumes, set(SERVICES))
    assert not gone.compare(STATE, EVERYTHING, EVERYTHING, set(), volumes, set(SERVICES))


def test_data_is_promised_only_if_its_volume_still_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")
    assert "tokens, data and settings are kept" in gone.Gone(networks=("n",)).next_step("test")
    assert "./deploy.sh -s test" in gone.Gone(networks=("n",)).next_step("test")
    assert "from a backup" in gone.Gone(volumes=("dyber-dev-template-data",)).next_step("dev")


def test_start_starts_the_rest_and_says_what_is_gone(stack: Callable[..., list[str]]) -> None:
    calls = stack("gateway-1", "gateway-front-1", Status="exited")
    with pytest.raises(StackError, match="no longer on the engine.*template-1.*template-server-2") as refused:
        run.start(None, stack="dev")
    assert calls == ["start gateway-1", "start gateway-front-1"]
    assert "./deploy.sh makes everything again" in refused.value.next_step


def test_start_does_not_say_that_all_run_while_one_is_gone(
    stack: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    stack(*ALL[1:])
    for word in (None, "template"):
        with pytest.raises(StackError, match="template-1"):
            run.start(word, stack="dev")
    run.start("api-gateway", stack="dev")
    assert capsys.readouterr().out == "Everything is running.\n"


def test_containers_whose_network_is_gone_are_not_started(stack: Callable[..., list[str]]) -> None:
    calls = stack(*ALL, networks=False, Status="exited")
    for command in (run.start, run.restart):
        with pytest.raises(StackError, match="networks dyber-dev-template-network-0"):
            command(None, stack="dev")
    assert calls == []


@pytest.mark.parametrize("command", [run.start, run.stop, run.restart, logs.logs])
def test_a_stack_without_any_container_is_reported(command: Any, stack: Callable[..., list[str]]) -> None:
    stack(networks=False, images=False)
    with pytest.raises(StackError, match="containers .*template-1.*networks .*images dyber-template:1"):
        command(None, stack="dev", **({"follow": False, "tail": 1} if command is logs.logs else {}))


def test_stop_and_restart_report_containers_that_are_gone(stack: Callable[..., list[str]]) -> None:
    calls = stack("gateway-1", "gateway-front-1")
    for command in (run.stop, run.restart):
        with pytest.raises(StackError, match="template-1"):
            command("template-mcp", stack="dev")
    assert calls == []
    run.stop(None, stack="dev")
    assert calls == ["stop gateway-front-1", "stop gateway-1"]


def test_exec_in_a_container_that_is_gone_does_not_suggest_start(stack: Callable[..., list[str]]) -> None:
    stack("gateway-1", "gateway-front-1")
    with pytest.raises(StackError, match="no longer on the engine"):
        logs.execute(SimpleNamespace(args=[]), "template-mcp", stack="dev")


def test_status_reports_containers_that_are_gone_and_fails(
    stack: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    stack("gateway-1", "template-1", "template-server-2", Status="exited")
    with pytest.raises(status.typer.Exit):
        status.status(as_json=False, stack="dev")
    printed = capsys.readouterr()
    assert "gateway-front-1" in printed.err
    assert "makes everything again" in printed.err
    assert "./deploy.sh start" not in printed.err


def test_status_and_list_show_a_service_without_containers_as_gone(
    stack: Callable[..., list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack("gateway-1", "gateway-front-1", Status="exited")
    with pytest.raises(status.typer.Exit):
        status.status(as_json=False, stack="dev")
    assert "gone" in capsys.readouterr().out
    monkeypatch.setattr(status, "activate", lambda home: None)
    monkeypatch.setattr(status.Deployment, "read", tools.Deployment.open)
    assert status._states("dev") == {"template": "gone"}


def test_status_and_list_say_that_a_paused_service_does_not_answer(
    stack: Callable[..., list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack("gateway-1", "gateway-front-1", "template-1", "template-server-2", Status="paused")
    with pytest.raises(status.typer.Exit):
        status.status(as_json=False, stack="dev")
    printed = capsys.readouterr()
    assert "does not answer (paused)" in printed.out
    assert "docker unpause" in printed.err
    assert "./deploy.sh start" not in printed.err
    monkeypatch.setattr(status, "activate", lambda home: None)
    monkeypatch.setattr(status.Deployment, "read", tools.Deployment.open)
    assert status._states("dev") == {"template": "paused"}


@pytest.mark.parametrize(("offset", "port"), [(0, 8001), (3300, 11301)])
def test_list_shows_the_ports_of_this_machine(
    offset: int, port: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "_states", lambda stack: {})
    settings = SimpleNamespace(gateway=GatewaySettings(port_offset=offset), hidden_tools=lambda spec: ())
    monkeypatch.setattr(status, "_settings", lambda stack: settings)
    status.list_services(as_json=True, sources=False, stack="dev")
    listed = {row["name"]: row["port"] for row in json.loads(capsys.readouterr().out)}
    assert listed["xiaohongshu-mcp"] == port


def test_tools_diff_names_a_service_that_does_not_run(
    stack: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    stack("gateway-1")
    assert tools._report_silent("dev", None, None, set())
    assert "not compared: template" in capsys.readouterr().err
    assert not tools._report_silent("dev", None, None, {"template"})
    assert not tools._report_silent("dev", "weibo", None, set())
