"""Every kind of change, under steady load: no call lost, none doubled, no stream cut off without a proper end.

Run with `-s` for the figures; DYBER_TEST_ENGINE_RESTART=1 also restarts the Docker engine of this machine.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.deploy.checkout import BASE, STACK, TEST_LABEL, Checkout, docker, inspect, mcp_client, ours
from tests.deploy.steady_load import SteadyLoad, nothing_lost

REPLICAS = 2
CALL_SECONDS = 5
RELOADS = 20


@pytest.fixture(scope="module")
def loaded(deployed: Checkout) -> Iterator[Checkout]:
    """The stack with two replicas of template, and limits that steady load does not meet."""
    before = deployed.stack_file.read_text()
    # Short calls, as a replaced gateway waits for the longest while a stream is open.
    xiaohongshu = {**deployed.configured("services")["xiaohongshu"], "maxCallSeconds": CALL_SECONDS}
    template = {"replicas": REPLICAS, "maxCallSeconds": CALL_SECONDS}
    deployed.configure("services", {"xiaohongshu": xiaohongshu, "template": template})
    limits = {"requestsPerSecond": 1000, "burst": 1000}
    deployed.configure("gateway", {**deployed.configured("gateway"), "limits": limits})
    deployed.deploy_sh()
    yield deployed
    deployed.stack_file.write_text(before)
    deployed.behind = True
    # Without the rotation in its file the client has another token.
    deployed._token = ""


@pytest.fixture
def load(loaded: Checkout, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SteadyLoad]:
    """Put steady load on the stack while the test runs; `finished` ends it and gives its figures."""
    with SteadyLoad(BASE, "template", loaded.token, stack=STACK, folder=tmp_path) as steady:
        time.sleep(1)
        yield steady
    print(f"\n| {request.node.name} | {steady.outcome.row} |")
    nothing_lost(steady.outcome)


def replicas() -> list[str]:
    """Return the ids of template's containers."""
    filters = ["--filter", f"label=dyber.stack={STACK}", "--filter", "label=dyber.service=template"]
    return docker("ps", "--quiet", *filters).split()


def ready(count: int, seconds: float = 60) -> None:
    """Wait until /api/status counts this many ready replicas of template."""
    deadline = time.monotonic() + seconds
    while True:
        details = httpx2.get(f"{BASE}/api/status").json()["details"]["template"]
        if details["replicas"] == {"ready": count, "total": REPLICAS}:
            return
        assert time.monotonic() < deadline, details
        time.sleep(0.2)


def test_a_service_is_redeployed(loaded: Checkout, load: SteadyLoad) -> None:
    before = set(replicas())
    services = loaded.configured("services")
    loaded.configure("services", {**services, "template": {**services["template"], "environment": {"GREETING": "hi"}}})
    loaded.deploy_sh()
    assert len(replicas()) == REPLICAS and not before & set(replicas())


def test_the_gateways_configuration_changes(loaded: Checkout, load: SteadyLoad) -> None:
    before = inspect("gateway")["Id"]
    loaded.configure("gateway", {**loaded.configured("gateway"), "maxBodyMib": 8})
    loaded.deploy_sh()
    assert inspect("gateway")["Id"] == before


def test_the_gateways_image_changes(loaded: Checkout, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    before = inspect("gateway")["Id"]
    source = loaded.root / "nginx" / "bootstrap" / "nginx.conf"
    text = source.read_text()
    source.write_text(text + "# Changed.\n")
    try:
        with replaced_gateway(loaded, tmp_path, request.node.name):
            loaded.deploy_sh()
            assert inspect("gateway")["Id"] != before
    finally:
        source.write_text(text)


async def test_an_added_service_is_live_after_one_up_and_when_removed_leaves_nothing_but_its_data(
    loaded: Checkout, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder, volume = loaded.root / "mcp-servers" / "added-here", f"dyber-{STACK}-added-here-data"
    loaded.deploy_sh("add-service", folder.name)
    spec = folder / "service.yaml"
    text = spec.read_text(encoding="utf-8").replace("data: false", "data: true")
    text = re.sub(r"(?m)^max_call_seconds: .*", f"max_call_seconds: {CALL_SECONDS}", text)
    spec.write_text(text, encoding="utf-8")
    try:
        with replaced_gateway(loaded, tmp_path, request.node.name) as load:
            loaded.deploy_sh()
            async with mcp_client(folder.name, "http", load.token) as client:
                result = await client.call_tool("added_here_echo", {"text": "你好"})
                assert result.structured_content == {"text": "你好", "length": 2}
            docker("exec", inspect(folder.name)["Id"], "sh", "-c", "echo mine > /data/kept.txt")
            loaded.deploy_sh("remove-service", folder.name, "--yes")
            loaded.deploy_sh()
            headers = {"Authorization": f"Bearer {load.token}"}
            assert httpx2.get(f"{BASE}/api/{folder.name}/health", headers=headers).status_code == 404
            base = ("--rm", "--label", TEST_LABEL, "--volume", f"{volume}:/data", "dyber-base:trixie")
            assert docker("run", *base, "cat", "/data/kept.txt") == "mine\n"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        docker("volume", "rm", volume, check=False)


@contextmanager
def replaced_gateway(loaded: Checkout, folder: Path, name: str) -> Iterator[SteadyLoad]:
    """Steady load while gateways are replaced: streams through the old one are cut after the longest call, no call is."""
    with SteadyLoad(BASE, "template", loaded.token, stack=STACK, folder=folder) as steady:
        time.sleep(1)
        yield steady
    print(f"\n| {name} | {steady.outcome.row} |")
    assert steady.open_streams == steady.outcome.streams
    steady.outcome.broken = []
    nothing_lost(steady.outcome)


def test_the_console_is_added_hangs_and_is_removed(
    loaded: Checkout, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Services get where their spans and log lines go, and the gateway a network, so all are replaced twice."""
    before = set(replicas())
    loaded.configure("console", {"enabled": True})
    with replaced_gateway(loaded, tmp_path, request.node.name) as load:
        loaded.deploy_sh()
        assert before.isdisjoint(replicas())
        console, sent = inspect("console")["Id"], load.outcome.posts
        docker("pause", console)
        try:
            time.sleep(10)
            # Calls that wait for it would be three, one of each caller.
            assert load.outcome.posts > sent + 5
        finally:
            docker("unpause", console)
        loaded.configure("console", None)
        loaded.deploy_sh()
        assert ours("container") and not [name for name in ours("container") if "console" in name]


def test_a_token_is_rotated_and_the_old_one_revoked(loaded: Checkout, load: SteadyLoad) -> None:
    old = load.token
    loaded.deploy_sh("token", "rotate", "desktop-pet")
    new = loaded.deploy_sh("token", "show").stdout.strip()
    assert new != old
    assert accepted(old) and accepted(new)
    assert loaded.deploy_sh("token", "rotate", "desktop-pet", check=False).returncode == 1
    load.token = loaded._token = new
    time.sleep(1)
    loaded.deploy_sh("token", "revoke", "desktop-pet")
    assert accepted(new) and not accepted(old)


def accepted(token: str) -> bool:
    answer = httpx2.get(f"{BASE}/api/template/health", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


def test_the_gateway_is_reloaded_again_and_again(loaded: Checkout, load: SteadyLoad) -> None:
    gateway = inspect("gateway")["Id"]
    for _ in range(RELOADS):
        docker("kill", "--signal", "HUP", gateway)
        time.sleep(0.5)


def test_a_replica_hangs_and_comes_back(loaded: Checkout, load: SteadyLoad) -> None:
    ready(REPLICAS)
    init = docker("inspect", "--format", "{{.State.Pid}}", replicas()[0]).strip()
    process = int(Path(f"/proc/{init}/task/{init}/children").read_text())
    os.kill(process, signal.SIGSTOP)
    try:
        ready(REPLICAS - 1, seconds=10)
        before = load.outcome.posts
        time.sleep(3)
        # The other one takes over: calls go on while it hangs.
        assert load.outcome.posts - before > 20
    finally:
        os.kill(process, signal.SIGCONT)
    ready(REPLICAS)


def test_a_replica_is_killed(loaded: Checkout, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    ready(REPLICAS)
    with SteadyLoad(BASE, "template", loaded.token, stack=STACK, folder=tmp_path) as steady:
        time.sleep(1)
        docker("kill", "--signal", "KILL", replicas()[0])
        time.sleep(3)
    print(f"\n| {request.node.name} | {steady.outcome.row} |")
    # Its streams broke with it; calls that only read were made again by the other one, so none is lost.
    steady.outcome.broken = []
    nothing_lost(steady.outcome)
    loaded.deploy_sh()
    ready(REPLICAS)


SECRET = "E2E_TOKEN"
FIRST_VALUE, SECOND_VALUE = "first-correct-horse", "second-battery-staple"


@pytest.fixture(scope="module")
def declaring(loaded: Checkout) -> Iterator[Checkout]:
    """The stack whose template declares a secret. Its value leaves with the stack's file, which is restored after."""
    spec = loaded.root / "mcp-servers" / "template" / "service.yaml"
    text = spec.read_text(encoding="utf-8")
    spec.write_text(f"{text}secrets:\n  {SECRET}: required\n", encoding="utf-8")
    yield loaded
    spec.write_text(text, encoding="utf-8")


def give(declaring: Checkout, value: str) -> None:
    key = f"dyber:services.template.secrets.{SECRET}"
    declaring.shell(f"printf %s {value} | pulumi config set --path --secret {key} -s {STACK}")


def in_template(*command: str, user: str = "") -> subprocess.CompletedProcess[str]:
    options = ["--user", user] if user else []
    return subprocess.run(
        ["docker", "exec", *options, replicas()[0], *command], capture_output=True, text=True, check=False
    )


def read_by_the_service() -> str:
    script = f"from dyber_kit.settings import environment_secret; print(environment_secret('{SECRET}'))"
    return in_template("python", "-c", script).stdout.strip()


def test_a_service_gets_a_secret_and_loses_its_way_out(declaring: Checkout) -> None:
    refused = declaring.deploy_sh("preview", check=False)
    assert refused.returncode == 2
    assert f"./deploy.sh config set services.template.secrets.{SECRET} --secret -s {STACK}" in refused.stderr
    give(declaring, FIRST_VALUE)
    services = declaring.configured("services")
    declaring.configure("services", {**services, "template": {**services["template"], "egress": "none"}})
    other = inspect("xiaohongshu")["Id"]
    declaring.deploy_sh()
    assert inspect("xiaohongshu")["Id"] == other
    assert read_by_the_service() == FIRST_VALUE
    file = in_template("sh", "-c", f"echo ${SECRET}_FILE").stdout.strip()
    assert in_template("stat", "--format", "%u:%g %a", file).stdout == "28002:28002 440\n"
    assert in_template("cat", file, user="12345").returncode != 0
    networks = json.loads(docker("inspect", replicas()[0]))[0]["NetworkSettings"]["Networks"]
    assert [json.loads(docker("network", "inspect", name))[0]["Internal"] for name in networks] == [True]


def test_a_secret_is_rotated_and_is_nowhere_to_be_seen(declaring: Checkout, load: SteadyLoad, tmp_path: Path) -> None:
    give(declaring, SECOND_VALUE)
    plan = tmp_path / "plan.json"
    previewed = declaring.shell(f"pulumi preview -s {STACK} --json --non-interactive --save-plan {plan}").stdout
    steps = [step for step in json.loads(previewed)["steps"] if step["op"] not in ("same", "refresh")]
    touched = {step["urn"].rsplit("::", 1)[-1] for step in steps}
    assert touched == {"template-secrets", "template-secrets-revision", "template-server", "template-server-2"}
    before, old = {part: inspect(part)["Id"] for part in ("xiaohongshu", "gateway")}, set(replicas())
    told = declaring.deploy_sh()
    assert {part: inspect(part)["Id"] for part in before} == before and not old & set(replicas())
    assert read_by_the_service() == SECOND_VALUE
    assert declaring.planned_changes() == {}

    containers = ours("container")
    seen = {
        "preview": previewed + declaring.shell(f"pulumi preview --diff -s {STACK} --non-interactive").stdout,
        "plan": plan.read_text(),
        "deployment": told.stdout + told.stderr,
        "export": declaring.shell(f"pulumi stack export -s {STACK}").stdout,
        "inspect": docker("inspect", *containers) + docker("volume", "inspect", *ours("volume")),
        "logs": "".join(logs.stdout + logs.stderr for logs in map(everything_logged, containers)),
        "processes": "".join(docker("top", identity, check=False) for identity in containers),
        "settings": declaring.stack_file.read_text(),
    }
    for file in filter(Path.is_file, declaring.state.rglob("*")):
        seen[str(file)] = file.read_bytes().decode(errors="replace")
    assert [place for place, text in seen.items() if FIRST_VALUE in text or SECOND_VALUE in text] == []


def everything_logged(container: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=False)


@pytest.mark.skipif(os.environ.get("DYBER_TEST_ENGINE_RESTART") != "1", reason="restarts this machine's Docker engine")
def test_the_engine_restarts(loaded: Checkout, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with SteadyLoad(BASE, "template", loaded.token, stack=STACK, folder=tmp_path) as steady:
        time.sleep(1)
        pid = int(Path("/var/run/docker.pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
        os.kill(pid, signal.SIGTERM)
        while Path(f"/proc/{pid}").exists() and " Z" not in Path(f"/proc/{pid}/stat").read_text():
            time.sleep(0.1)
        subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not answers(loaded.token):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        lost_while_down = len(steady.outcome.lost)
        time.sleep(5)
    print(f"\n| {request.node.name} | {steady.outcome.row} |")
    docker("start", loaded.bystanders["container"])
    assert lost_while_down > 0
    assert len(steady.outcome.lost) - lost_while_down <= 2 * steady.callers, steady.outcome.lost[-5:]
    ready(REPLICAS)
    assert "没有变化" in loaded.deploy_sh().stdout


def answers(token: str) -> bool:
    """Say whether the gateway passes calls to the service."""
    try:
        return accepted(token)
    except (httpx2.HTTPError, AssertionError):
        return False
