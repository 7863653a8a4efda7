"""The engine's client follows what the docker command follows, and each failure is one message with a next step."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import ClassVar

import pytest

from cli.engine import client, engine
from cli.engine.errors import EngineError, NotOnEngine

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in for the engine listens on a Unix socket")
ANSWERS = {
    "/version": (200, {"ApiVersion": "1.43"}),
    "/v1.43/containers/json": (200, [{"Id": "a", "Names": ["/a"]}, {"Id": "gone", "Names": ["/gone"]}]),
    "/v1.43/containers/a/json": (200, {"Id": "a", "Name": "/a"}),
    "/v1.43/networks": (200, [{"Id": "n", "Name": "net", "Labels": {"dyber.deployment": "d"}}]),
    "/v1.43/system/df": (200, {"Volumes": [{"Name": "v", "UsageData": {"Size": 7}}, {"Name": "w"}]}),
    "/v1.43/images/json": (200, [{"Id": "i", "RepoTags": ["x:1", "x:2"]}, {"Id": "j", "RepoTags": None}]),
    "/v1.43/volumes/busy": (409, {"message": "volume is in use"}),
}


class Handler(BaseHTTPRequestHandler):
    """Gives an answer of ANSWERS, 404 to all else, and none at all to /v1.43/info."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        path = self.path.partition("?")[0]
        if path == "/v1.43/info":
            time.sleep(2)
        status, content = ANSWERS.get(path, (404, {"message": "No such container: x"}))
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_DELETE = do_GET

    def address_string(self) -> str:
        return "here"

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def listening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The path of the socket of a stand-in for the engine."""
    monkeypatch.setenv("DYBER_LANG", "en")
    for name in client._VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Handler, "asked", [])
    path = str(tmp_path / "engine.sock")
    with socketserver.ThreadingUnixStreamServer(path, Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield path
        server.shutdown()
        thread.join()


@pytest.fixture
def answering(listening: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{listening}")


@pytest.mark.usefixtures("answering")
def test_the_engines_answers_are_read_as_data() -> None:
    assert engine.containers("label=a=b") == [{"Id": "a", "Name": "/a"}]  # The other went after it was listed.
    assert "%7B%22label%22%3A+%5B%22a%3Db%22%5D%7D" in Handler.asked[1]
    assert engine.labelled_networks() == [("d", "n", "net")]
    assert engine.volume_sizes() == {"v": 7}
    assert engine.images() == {"x:1": "i", "x:2": "i"}


@pytest.mark.usefixtures("answering")
def test_a_refusal_is_told_in_the_engines_words_and_an_unknown_name_apart_from_it() -> None:
    with pytest.raises(EngineError, match="volume is in use") as refused, engine.asking() as found:
        found.remove_volume("busy")
    assert not isinstance(refused.value, NotOnEngine)
    with pytest.raises(NotOnEngine, match="No such container"), engine.asking() as found:
        found.inspect_container("x")


@pytest.mark.usefixtures("answering")
def test_an_engine_that_hangs_is_to_be_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER_SECONDS", 0.2)
    with pytest.raises(EngineError, match="did not answer in time") as refused, engine.asking() as found:
        found.info()
    assert "restart docker" in refused.value.next_step


@pytest.mark.parametrize("host", ["unix:///nowhere/engine.sock", "tcp://127.0.0.1:1"])
def test_where_no_engine_listens_its_address_is_told(
    listening: str, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(EngineError, match=f"does not answer .{host}.: .*(No such file|refused)") as refused:
        engine.images()
    assert "./deploy.sh doctor" in refused.value.next_step


def test_a_user_without_the_right_to_the_socket_is_told_how_to_get_it(
    listening: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setenv("DOCKER_HOST", f"unix://{listening}")
    monkeypatch.setattr("docker.transport.unixconn.UnixHTTPConnection.connect", refuse)
    with pytest.raises(EngineError, match="may not use it") as refused:
        engine.images()
    assert "usermod -aG docker" in refused.value.next_step


def test_the_chosen_docker_context_is_followed(listening: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "config"
    file = folder / "contexts" / "meta" / hashlib.sha256(b"there").hexdigest() / "meta.json"
    file.parent.mkdir(parents=True)
    endpoint = {"docker": {"Host": f"unix://{listening}", "SkipTLSVerify": False}}
    file.write_text(json.dumps({"Name": "there", "Metadata": {}, "Endpoints": endpoint}))
    (folder / "config.json").write_text(json.dumps({"currentContext": "there"}))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    assert engine.images() == {"x:1": "i", "x:2": "i"}
    monkeypatch.setenv("DOCKER_CONTEXT", "nowhere")
    with pytest.raises(EngineError, match="no docker context 'nowhere'"):
        engine.images()


@pytest.fixture
def dialling(listening: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a docker command of a Python program's text, for an engine that only that command reaches."""
    monkeypatch.setenv("DOCKER_HOST", "ssh://user@host.example")
    monkeypatch.setattr(client, "_dial_adapter", lambda: client.DialAdapter(5))

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
    dialling: Callable[[str], None], listening: str
) -> None:
    dialling(DIAL.format(path=listening))
    assert engine.images() == {"x:1": "i", "x:2": "i"}
    with pytest.raises(NotOnEngine), engine.asking() as found:
        found.inspect_container("x")


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
def test_only_an_engine_elsewhere_is_asked_through_the_proxy(
    monkeypatch: pytest.MonkeyPatch, host: str, proxy: str | None
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    found = client.Client(base_url=f"tcp://{host}:2375", version="1.43")
    settings = found.merge_environment_settings(f"http://{host}:2375/info", {}, None, None, None)
    assert settings["proxies"].get("http") == proxy
