"""The client reaches the engine that the docker command uses, and each failure is one message with a next step."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.engine import client, engine
from cli.engine.errors import EngineError, NotOnEngine
from infra.engine import connection
from tests.support.socket_engine import SocketEngine

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in for the engine listens on a Unix socket")
ANSWERS: dict[str, tuple[int, object]] = {
    "GET /containers/json": (200, [{"Id": "a", "Names": ["/a"]}, {"Id": "gone", "Names": ["/gone"]}]),
    "GET /containers/a/json": (200, {"Id": "a", "Name": "/a"}),
    "GET /networks": (200, [{"Id": "n", "Name": "net", "Labels": {"dyber.deployment": "d"}}]),
    "GET /system/df": (200, {"Volumes": [{"Name": "v", "UsageData": {"Size": 7}}, {"Name": "w"}]}),
    "GET /images/json": (200, [{"Id": "i", "RepoTags": ["x:1", "x:2"]}, {"Id": "j", "RepoTags": None}]),
    "GET /volumes/unlabelled": (200, {"Name": "unlabelled", "Labels": None}),
    "DELETE /volumes/busy": (409, {"message": "volume is in use"}),
}


@pytest.fixture(autouse=True)
def answers(socket_engine: SocketEngine) -> None:
    socket_engine.answers |= ANSWERS


def test_the_engines_answers_are_read_as_data(chosen_engine: SocketEngine) -> None:
    assert engine.containers("label=a=b") == [{"Id": "a", "Name": "/a"}]  # The other went after it was listed.
    assert "%7B%22label%22%3A+%5B%22a%3Db%22%5D%7D" in chosen_engine.requests[1]
    assert engine.labelled_networks() == [("d", "n", "net")]
    assert engine.volume_sizes() == {"v": 7}
    assert engine.images() == {"x:1": "i", "x:2": "i"}
    assert engine.volume_labels("unlabelled") == {}


@pytest.mark.usefixtures("chosen_engine")
def test_a_refusal_keeps_the_engines_words_and_an_unknown_name_is_an_error_of_its_own() -> None:
    with pytest.raises(EngineError, match="volume is in use") as refused, engine.asking() as docker_client:
        docker_client.remove_volume("busy")
    assert not isinstance(refused.value, NotOnEngine)
    with pytest.raises(NotOnEngine, match="No such container"), engine.asking() as docker_client:
        docker_client.inspect_container("x")


def test_an_engine_that_hangs_is_to_be_restarted(chosen_engine: SocketEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen_engine.answers["GET /info"] = lambda handler: time.sleep(2)
    monkeypatch.setattr(client, "ANSWER_SECONDS", 0.2)
    with pytest.raises(EngineError, match="did not answer in time") as refused, engine.asking() as docker_client:
        docker_client.info()
    assert "restart docker" in refused.value.next_step


@pytest.mark.parametrize("host", ["unix:///nowhere/engine.sock", "tcp://127.0.0.1:1"])
def test_where_no_engine_listens_its_address_is_told(
    socket_engine: SocketEngine, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(EngineError, match=f"does not answer .{host}.: .*(No such file|refused)") as refused:
        engine.images()
    assert "./deploy.sh doctor" in refused.value.next_step


@pytest.mark.usefixtures("chosen_engine")
def test_a_user_without_the_right_to_the_socket_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("docker.transport.unixconn.UnixHTTPConnection.connect", refuse)
    with pytest.raises(EngineError, match="may not use it") as refused:
        engine.images()
    assert "usermod -aG docker" in refused.value.next_step


def test_the_chosen_docker_context_is_followed(
    socket_engine: SocketEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "config"
    file = folder / "contexts" / "meta" / hashlib.sha256(b"there").hexdigest() / "meta.json"
    file.parent.mkdir(parents=True)
    endpoint = {"docker": {"Host": f"unix://{socket_engine.path}", "SkipTLSVerify": False}}
    file.write_text(json.dumps({"Name": "there", "Metadata": {}, "Endpoints": endpoint}))
    (folder / "config.json").write_text(json.dumps({"currentContext": "there"}))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    assert engine.images() == {"x:1": "i", "x:2": "i"}
    monkeypatch.setenv("DOCKER_CONTEXT", "nowhere")
    with pytest.raises(EngineError, match="no docker context 'nowhere'"):
        engine.images()


@pytest.fixture
def dialling(socket_engine: SocketEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a docker command of a Python program's text, for an engine that only that command reaches."""
    monkeypatch.setenv("DOCKER_HOST", "ssh://user@host.example")
    monkeypatch.setattr(client, "ANSWER_SECONDS", 5)

    def make(program: str) -> None:
        command = tmp_path / "bin" / "docker"
        command.parent.mkdir()
        command.write_text(f"#!{sys.executable}\n{program}")
        command.chmod(0o755)
        monkeypatch.setenv("PATH", str(command.parent))

    client._connect.cache_clear()
    return make


DIAL = """
import os, socket, sys, threading
assert sys.argv[1:] == ["system", "dial-stdio"]
engine = socket.socket(socket.AF_UNIX)
engine.connect({path!r})
def ask():
    while part := os.read(0, 65536):
        engine.sendall(part)
    os._exit(0)
threading.Thread(target=ask, daemon=True).start()
while part := engine.recv(65536):
    os.write(1, part)
"""


def test_an_engine_behind_ssh_is_reached_through_the_docker_command(
    dialling: Callable[[str], None], socket_engine: SocketEngine
) -> None:
    dialling(DIAL.format(path=socket_engine.path))
    assert engine.images() == {"x:1": "i", "x:2": "i"}
    with pytest.raises(NotOnEngine), engine.asking() as docker_client:
        docker_client.inspect_container("x")


def test_a_docker_command_that_reaches_nothing_or_is_not_there_is_told(
    dialling: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dialling("raise SystemExit(1)")
    with pytest.raises(EngineError, match="does not answer .ssh://user@host.example"):
        engine.images()
    shutil.rmtree(tmp_path / "bin")
    with pytest.raises(EngineError, match="program docker is not installed"):
        engine.images()


@pytest.mark.parametrize(("host", "proxy"), [("192.0.2.7", "http://proxy.example:3128"), ("127.0.0.1", None)])
def test_only_an_engine_on_another_machine_is_asked_through_the_proxy(
    monkeypatch: pytest.MonkeyPatch, host: str, proxy: str | None
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(connection.Client, "_retrieve_server_version", lambda self: "1.43")
    docker_client = connection.Client(client._find_proxy, base_url=f"tcp://{host}:2375")
    settings = docker_client.merge_environment_settings(f"http://{host}:2375/info", {}, None, None, None)
    assert settings["proxies"].get("http") == proxy
