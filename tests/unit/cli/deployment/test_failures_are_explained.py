"""Messages of Pulumi, its plugins and the engine become one clear error with a next step."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cli.deployment.events import Cancelled, DeployError, EventDisplay, explain

WORDS = {
    "error: failed to decrypt: incorrect passphrase, please set PULUMI_CONFIG_PASSPHRASE": "口令不对",
    "error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE": "没有给出口令",
    "error: unable to read PULUMI_CONFIG_PASSPHRASE_FILE: open /none: no such file or directory": "没有给出口令",
    "error: failed to load checkpoint: EOF": "正由另一次运行写入",
    "error: the stack is currently locked by 1 lock(s).": "正被另一次运行使用",
    'error: read ".pulumi/meta.yaml": blob (code=Unknown): operation error S3: GetObject, exceeded maximum number of '
    "attempts, 3, request send failed, dial tcp 127.0.0.1:1: connect: connection refused": "连不上存放状态的对象存储",
    'error: unable to open bucket "s3://states?bogus=1": unknown query parameter "bogus"': "打不开存放状态的地方",
    "error: could not create secrets manager for new stack: secrets (code=Unknown): "
    'Post "https://v.vault.azure.net/keys/k/encrypt": dial tcp: lookup v.vault.azure.net: no such host': "连不上密钥服务",
    "error: missing google credentials: unable to find gcp credentials": "没有云的访问凭据",
    "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions": "没有 Pulumi Cloud 的令牌",
    "failed to solve: write /var/lib/docker/tmp/x: no space left on device": "磁盘满了",
    "Bind for 127.0.0.1:80 failed: port is already allocated": "端口已被占用",
    "could not find an available, non-overlapping IPv4 address pool among the defaults": "引擎的地址段用完了",
    "Pool overlaps with other one on this address space": "已被引擎上的其他网络使用",
    "listen tcp4 127.0.0.1:80: bind: address already in use": "端口已被占用",
    "listen tcp 127.0.0.1:80: bind: An attempt was made to access a socket in a way forbidden by its access "
    "permissions.": "Windows 保留了这个端口",
    "Ports are not available: exposing port TCP 127.0.0.1:8001 -> 0.0.0.0:0: listen tcp 127.0.0.1:8001: bind: An "
    "attempt was made to access a socket in a way forbidden by its access permissions.": "Windows 保留了这个端口",
    "Error response from daemon: Ports are not available: unable to list exposed ports": "Windows 保留了这个端口",
    "Ports are not available: exposing port TCP 0.0.0.0:80 -> 0.0.0.0:0: listen tcp 0.0.0.0:80: bind: address already "
    "in use": "端口已被占用",
    "Ports are not available: listen tcp 0.0.0.0:80: bind: Only one usage of each socket address (protocol/network "
    "address/port) is normally permitted.": "端口已被占用",
    "driver failed programming external connectivity: Error starting userland proxy: error while calling "
    "PortManager.AddPort(): cannot expose privileged port 80, you can add 'net.ipv4.ip_unprivileged_port_start=80' to "
    "/etc/sysctl.conf": "不能发布 1024 以下的端口",
    "rootlessport cannot expose privileged port 80": "不能发布 1024 以下的端口",
    "listen tcp4 192.0.2.7:80: bind: cannot assign requested address": "没有 gateway.bind 里的地址",
    "* container failed to be in healthy state": "没有在时限内变为健康",
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock": "连不上 Docker 引擎",
    "pull access denied, repository does not exist": "缺少基础镜像",
    "Temporary failure resolving 'deb.example'": "下载软件包失败",
}


@pytest.fixture(autouse=True)
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "zh")


@pytest.mark.parametrize(("words", "meaning"), WORDS.items())
def test_known_messages_are_explained_and_quoted(words: str, meaning: str) -> None:
    error = explain("", [words])
    assert isinstance(error, DeployError)
    assert meaning in error.message
    assert error.next_step
    assert error.details == [words]


@pytest.mark.parametrize("words", [words for words, meaning in WORDS.items() if "Windows" in meaning])
def test_a_reserved_port_comes_with_the_command_that_lists_the_ranges(
    words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for language in ("zh", "en"):
        monkeypatch.setenv("DYBER_LANG", language)
        error = explain("", [words])
        assert isinstance(error, DeployError)
        assert "netsh interface ipv4 show excludedportrange protocol=tcp" in error.next_step
        assert "gateway.portOffset" in error.next_step


def test_the_message_follows_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")
    error = explain("", ["no space left on device"])
    assert isinstance(error, DeployError)
    assert error.message == "the disk is full"


def test_unknown_messages_are_quoted_in_full() -> None:
    error = explain("", ["something nobody has seen before"])
    assert isinstance(error, DeployError)
    assert error.details == ["something nobody has seen before"]


def test_a_cancelled_update_is_no_failure() -> None:
    assert isinstance(explain("error: update canceled", []), Cancelled)


def test_messages_that_only_say_that_something_else_failed_are_left_out() -> None:
    error = explain("", ["the cause", "update failed", "Traceback …\nKeyboardInterrupt"])
    assert isinstance(error, DeployError)
    assert error.details == ["the cause"]


def test_without_diagnostics_the_error_lines_of_the_output_are_shown() -> None:
    error = explain("code: 1\n stdout: \n stderr: error: no such thing\n", [])
    assert isinstance(error, DeployError)
    assert error.details == ["error: no such thing"]


def test_passwords_in_addresses_are_masked_wherever_pulumi_repeats_them() -> None:
    output = 'error: unable to open state database "postgres://dyber:hunter2@host/db": failed to ping PostgreSQL'
    for error in (explain(f"code: 255\n stderr: {output}\n", []), explain("", [output])):
        assert isinstance(error, DeployError)
        assert error.details == [output.replace("hunter2", "****")]


def test_who_holds_a_lock_is_shown() -> None:
    holder = "  s3://states/x.json: created by me@there (pid 7) at 12:00"
    locked = f"error: the stack is currently locked by 1 lock(s).\n{holder}"
    error = explain(f"code: 255\n stderr: {locked}\n", [])
    assert isinstance(error, DeployError)
    assert error.details == [locked]


def test_a_repeated_diagnostic_is_recorded_once() -> None:
    events = EventDisplay(_Silent())
    for _ in range(2):
        events._remember("the cause", "error")
    events._remember("only a note", "info#err")
    assert events.errors == ["the cause"]


@pytest.mark.parametrize(("retained", "verb"), [(True, "保留"), (False, "删除")])
def test_a_retained_resource_is_shown_as_kept(retained: bool, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "zh")
    display = _Silent()
    step = SimpleNamespace(
        op="delete",
        type="docker:index/volume:Volume",
        urn="urn:pulumi:dev::dyber::docker:index/volume:Volume::weibo-data",
        old=SimpleNamespace(retain_on_delete=retained),
    )
    EventDisplay(display)._started(step)
    assert display.titles == [f"{verb} 卷 weibo-data"]


def test_data_that_is_deleted_afterwards_is_not_said_to_be_kept() -> None:
    display = _Silent()
    step = SimpleNamespace(
        op="delete",
        type="docker:index/volume:Volume",
        urn="urn:pulumi:dev::dyber::docker:index/volume:Volume::console-data",
        old=SimpleNamespace(retain_on_delete=True),
    )
    EventDisplay(display, names_kept=False)._started(step)
    assert display.titles == []


class _Silent:
    def __init__(self) -> None:
        self.titles: list[str] = []

    def start(self, title: str, expect_seconds: float | None = None) -> int:
        """Record the title that would be shown."""
        self.titles.append(title)
        return 0

    def line(self, text: str) -> None:
        """Discard the output of a tool."""
