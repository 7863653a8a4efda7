"""Each failure ends with one clear message, a non-zero exit code, and a next run that recovers."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.deploy.checkout import OFFSET, STACK, TEST_LABEL, Checkout, docker, inspect, interrupt_group, ours


@pytest.fixture
def stack_file(deployed: Checkout) -> Iterator[Checkout]:
    """Restore the stack's file after the test."""
    before = deployed.stack_file.read_text()
    yield deployed
    deployed.stack_file.write_text(before)


def test_an_invalid_setting_names_key_value_and_file_and_touches_nothing(stack_file: Checkout) -> None:
    before = inspect("gateway")["Id"]
    stack_file.configure("gateway", {"portOffset": "many"})
    result = stack_file.deploy_sh(check=False)
    assert result.returncode == 2
    assert f"Pulumi.{STACK}.yaml: gateway.portOffset = 'many': 应为整数" in result.stderr
    assert "Traceback" not in result.stderr
    assert inspect("gateway")["Id"] == before


def test_plain_pulumi_says_the_same_without_a_traceback(stack_file: Checkout) -> None:
    stack_file.configure("gateway", {"portOffset": "many"})
    result = stack_file.shell(f"pulumi preview -s {STACK} --non-interactive", check=False)
    assert result.returncode != 0
    output = result.stdout + result.stderr
    assert f"Pulumi.{STACK}.yaml: gateway.portOffset = 'many': 应为整数" in output
    assert "Traceback" not in output


def test_an_invalid_service_folder_is_named(deployed: Checkout) -> None:
    folder = deployed.root / "mcp-servers" / "weibo"
    folder.mkdir()
    (folder / "service.yaml").write_text("title: 微博\nport: 8002\npackage: weibo_server\n")
    try:
        result = deployed.deploy_sh(check=False)
    finally:
        (folder / "service.yaml").unlink()
        folder.rmdir()
    assert result.returncode == 2
    assert "mcp-servers/weibo/weibo_server/__main__.py" in result.stderr


def test_a_port_in_use_is_found_before_anything_changes(stack_file: Checkout) -> None:
    before = inspect("gateway")["Id"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 80 + OFFSET + 5000))
        taken.listen()
        stack_file.configure("gateway", {"portOffset": OFFSET + 5000})
        result = stack_file.deploy_sh(check=False)
    assert result.returncode == 1
    assert f"端口已被占用：127.0.0.1:{80 + OFFSET + 5000}" in result.stderr
    assert "portOffset" in result.stderr
    assert inspect("gateway")["Id"] == before


def test_a_wrong_passphrase_is_named_and_the_right_one_goes_on(deployed: Checkout) -> None:
    environment = {"PULUMI_CONFIG_PASSPHRASE": "wrong", "PULUMI_CONFIG_PASSPHRASE_FILE": ""}
    result = deployed.deploy_sh("token", "show", check=False, **environment)
    assert result.returncode == 1
    assert "口令不对" in result.stderr
    assert "Traceback" not in result.stderr
    assert deployed.deploy_sh("token", "show").stdout.strip() == deployed.token


def test_an_engine_that_does_not_answer_is_named(deployed: Checkout) -> None:
    result = deployed.deploy_sh(check=False, DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert result.returncode != 0
    assert "/nonexistent/docker.sock" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["depoly"], "未知命令: depoly"),
        (["token", "show", "nobody"], "没有客户端 'nobody'"),
        (["clients", "emacs"], "没有格式 'emacs'"),
        (["deploy", "--stack", "nowhere"], "没有栈文件 Pulumi.nowhere.yaml"),
        (["deploy", "--frobnicate"], "--frobnicate"),
    ],
)
def test_a_wrong_argument_is_an_error_with_a_next_step(deployed: Checkout, arguments: list[str], expected: str) -> None:
    result = deployed.deploy_sh(*arguments, check=False)
    assert result.returncode in (1, 2)
    assert expected in result.stderr
    assert "→" in result.stderr
    assert "Traceback" not in result.stderr


def _replacing(deployed: Checkout, greeting: str):
    """Start a deployment that is just replacing template's container."""
    services = deployed.configured("services")
    deployed.configure("services", {**services, "template": {"environment": {"GREETING": greeting}}})
    process = deployed.start()
    assert process.stderr is not None
    for line in process.stderr:
        if "▸" in line and "template-server" in line:
            return process
    raise AssertionError("the replacement never began")


def test_a_run_keeps_others_out_and_ctrl_c_ends_it_cleanly_and_the_next_one_goes_on(stack_file: Checkout) -> None:
    process = _replacing(stack_file, "after ctrl-c")
    # The new container is there, so what has begun is in the state, and nothing is written until it is healthy.
    new = ("--filter", f"label=dyber.stack={STACK}", "--filter", "label=dyber.service=template")
    wait_until(lambda: len(docker("ps", "--quiet", *new).split()) == 2, "the new container is there")
    interrupt_group(process, signal.SIGSTOP)
    try:
        refused = [stack_file.deploy_sh(*word, check=False) for word in ((), ("drift",))]
    finally:
        interrupt_group(process, signal.SIGCONT)
    assert [result.returncode for result in refused] == [1, 2]
    assert all(f"栈 {STACK} 正被" in result.stderr for result in refused)
    interrupt_group(process, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "再次运行会接着做" in errors
    stack_file.deploy_sh()
    assert "GREETING=after ctrl-c" in inspect("template")["Config"]["Env"]
    assert len(ours("container")) == 10


def test_a_killed_run_leaves_nothing_that_the_next_run_does_not_clear(stack_file: Checkout) -> None:
    process = _replacing(stack_file, "after kill")
    interrupt_group(process, signal.SIGKILL)
    process.wait(timeout=30)
    result = stack_file.deploy_sh()
    assert "GREETING=after kill" in inspect("template")["Config"]["Env"]
    assert len(ours("container")) == 10
    assert "解除遗留的锁" in result.stderr
    assert "没有变化" in stack_file.deploy_sh().stdout


def test_the_other_projects_things_are_untouched(deployed: Checkout) -> None:
    assert docker("inspect", "--format", "{{.State.Running}}", deployed.bystanders["container"]).strip() == "true"


def test_a_server_that_hangs_is_restarted(deployed: Checkout) -> None:
    name = f"dyber-{STACK}-hanging"
    docker("rm", "--force", name, check=False)
    docker(
        "run", "--detach", "--name", name, "--label", TEST_LABEL, "--restart", "unless-stopped",
        "--user", "28002:28002", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--env", "PORT=8002",
        "--env", "DYBER_SERVICE=template", "--env", "DYBER_HANG_CHECKS=2", "--health-cmd", "/opt/dyber/healthcheck",
        "--health-interval", "1s", "--health-timeout", "3s", inspect("template")["Image"],
    )  # fmt: skip
    try:
        wait_until(lambda: state(name, ".State.Health.Status") == "healthy", "the server is healthy")
        process = int(state(name, ".State.Pid"))
        (server,) = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        os.kill(int(server), signal.SIGSTOP)
        wait_until(lambda: state(name, ".RestartCount") == "1", "the hanging server is restarted")
        wait_until(lambda: state(name, ".State.Health.Status") == "healthy", "the fresh one is healthy")
    finally:
        docker("rm", "--force", name)


def state(container: str, field: str) -> str:
    return docker("inspect", "--format", f"{{{{{field}}}}}", container).strip()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)
