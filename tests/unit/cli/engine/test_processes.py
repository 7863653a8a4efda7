"""A command in a container gives its output, or an error in its own words."""

from __future__ import annotations

import io
import json
import os
import struct
import tarfile
import threading
import time
from pathlib import Path

import pytest

from cli.engine import isolated, processes
from cli.engine.errors import CommandFailed, EngineError
from tests.support.socket_engine import Handler, SocketEngine

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in for the engine listens on a Unix socket")


def frames(*parts: tuple[int, bytes]) -> bytes:
    """What a command writes, as the engine sends it: the number of the stream and the text of each part."""
    return b"".join(struct.pack(">BxxxL", stream, len(text)) + text for stream, text in parts)


def let_command_write(engine: SocketEngine, *parts: tuple[int, bytes], code: int) -> None:
    """Let a command that is run in the container c write this and end."""

    def start(handler: Handler) -> None:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        # As the engine does: without a length, in one piece with the head, and then the connection ends.
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"
        handler.wfile.write(head + frames(*parts))
        handler.close_connection = True

    engine.answers |= {
        "POST /containers/c/exec": (201, {"Id": "e"}),
        "POST /exec/e/start": start,
        "GET /exec/e/json": (200, {"ExitCode": code}),
    }


def test_only_the_standard_output_of_a_command_is_returned(chosen_engine: SocketEngine) -> None:
    let_command_write(chosen_engine, (1, "名".encode()), (2, b"a warning\n"), (1, "字\n".encode()), code=0)
    assert processes.execute("c", ["show"]) == "名字\n"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([(1, b"half\n"), (2, b"it broke\n")], "^it broke$"),
        ([(1, b"no such program\n")], "^no such program$"),
        ([], "show: exit code 3"),
    ],
    ids=["error output", "output", "nothing"],
)
def test_a_command_that_fails_is_reported_in_its_own_words(
    chosen_engine: SocketEngine, parts: list[tuple[int, bytes]], words: str
) -> None:
    let_command_write(chosen_engine, *parts, code=3)
    with pytest.raises(CommandFailed, match=words):
        processes.execute("c", ["show"])


def test_a_command_that_writes_nothing_for_too_long_is_given_up(chosen_engine: SocketEngine) -> None:
    let_command_write(chosen_engine, code=0)
    chosen_engine.answers["POST /exec/e/start"] = lambda handler: time.sleep(2)
    with pytest.raises(EngineError, match="did not answer in time"):
        processes.execute("c", ["show"], seconds=0.2)


def test_lines_of_a_command_come_as_they_are_written(chosen_engine: SocketEngine) -> None:
    may_go_on = threading.Event()

    def start(handler: Handler) -> None:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"
        handler.wfile.write(head + frames((1, "一\n二".encode()), (2, b"a warning\n")))
        handler.wfile.flush()
        assert may_go_on.wait(30)
        handler.wfile.write(frames((1, "\n三".encode()[:2])) + frames((1, "\n三".encode()[2:])))
        handler.close_connection = True

    let_command_write(chosen_engine, code=0)
    chosen_engine.answers["POST /exec/e/start"] = start
    lines = processes.lines("c", ["show"])
    assert next(lines) == "一"
    may_go_on.set()
    assert list(lines) == ["二", "三"]


def test_a_command_that_fails_after_some_lines_is_reported_in_its_own_words(chosen_engine: SocketEngine) -> None:
    let_command_write(chosen_engine, (1, b"half\n"), (2, b"it broke\n"), code=3)
    lines = processes.lines("c", ["show"])
    assert next(lines) == "half"
    with pytest.raises(CommandFailed, match="^it broke$"):
        next(lines)


def test_a_container_that_does_not_run_is_reported_before_its_first_line(chosen_engine: SocketEngine) -> None:
    chosen_engine.answers["POST /containers/c/exec"] = (409, {"message": "Container c is not running"})
    with pytest.raises(EngineError, match="is not running"):
        next(processes.lines("c", ["show"]))


def test_a_container_that_fails_is_reported_with_its_last_lines(chosen_engine: SocketEngine) -> None:
    chosen_engine.answers |= {
        "POST /containers/c/start": (204, None),
        "POST /containers/c/wait": (200, {"StatusCode": 1}),
        "GET /containers/c/json": (200, {"Config": {"Tty": False}}),
        "GET /containers/c/logs": lambda handler: handler.send(frames((2, b"disk full\n"))),
    }
    with pytest.raises(CommandFailed, match="^disk full$"):
        processes.run_to_end("c")
    del chosen_engine.answers["GET /containers/c/logs"]
    with pytest.raises(CommandFailed, match="c: exit code 1"):
        processes.run_to_end("c")


def test_a_container_that_does_not_end_in_time_is_given_up(chosen_engine: SocketEngine) -> None:
    chosen_engine.answers |= {
        "POST /containers/c/start": (204, None),
        "POST /containers/c/wait": lambda handler: time.sleep(2),
    }
    with pytest.raises(EngineError, match="did not answer in time"):
        processes.run_to_end("c", seconds=0.2)


@pytest.fixture
def created(chosen_engine: SocketEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The containers that are created of the image x; each writes `printed` and is removed."""
    monkeypatch.setenv("DYBER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(isolated.secrets, "token_hex", lambda size: "1")
    containers: list[dict[str, object]] = []

    def create(handler: Handler) -> None:
        containers.append(json.loads(handler.rfile.read(int(handler.headers["Content-Length"]))))
        handler.send(b'{"Id": "c"}', 201, "application/json")

    name = "/containers/dyber-isolated-1"
    chosen_engine.answers |= {
        "GET /images/x/json": (200, {"Id": "sha256:1"}),
        "POST /containers/create": create,
        f"POST {name}/start": (204, None),
        f"POST {name}/wait": (200, {"StatusCode": 0}),
        f"GET {name}/json": (200, {"Config": {"Tty": False}}),
        f"GET {name}/logs": lambda handler: handler.send(frames((1, b"printed\n"))),
        f"DELETE {name}": (204, None),
    }
    return containers


def test_a_container_of_its_own_has_no_network_no_rights_and_is_removed(
    created: list[dict[str, object]], chosen_engine: SocketEngine
) -> None:
    assert isolated.run("x", ["show"], {"A": "b"}) == "printed\n"
    (container,) = created
    options = container["HostConfig"]
    assert isinstance(options, dict)
    confinement = {
        "NetworkMode": "none", "ReadonlyRootfs": True, "CapDrop": ["ALL"], "Memory": 2**30,
        "SecurityOpt": ["no-new-privileges:true"], "Tmpfs": {"/tmp": ""},
    }  # fmt: skip
    assert confinement.items() <= options.items()
    assert (container["Image"], container["Cmd"], container["Env"]) == ("x", ["show"], ["A=b"])
    assert not container.get("Volumes")
    removal = chosen_engine.requests[-1]
    assert removal.startswith("DELETE") and "v=True" in removal and "force=True" in removal


def test_a_container_of_its_own_is_given_its_files_before_it_starts(
    created: list[dict[str, object]], chosen_engine: SocketEngine
) -> None:
    given: list[list[str]] = []

    def put(handler: Handler) -> None:
        content = handler.rfile.read(int(handler.headers["Content-Length"]))
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            given.append(tar.getnames())
        assert not [request for request in chosen_engine.requests if "/start" in request]
        handler.send(b"")

    chosen_engine.answers["PUT /containers/dyber-isolated-1/archive"] = put
    files = io.BytesIO()
    with tarfile.open(fileobj=files, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("a.py"))
    assert isolated.run("x", ["show"], {}, files.getvalue()) == "printed\n"
    assert given == [["a.py"]]
    assert created[0]["Volumes"] == {isolated.FOLDER: {}}


def test_an_image_that_the_engine_does_not_have_is_pulled_first(
    created: list[dict[str, object]], chosen_engine: SocketEngine
) -> None:
    del chosen_engine.answers["GET /images/x/json"]
    with pytest.raises(EngineError):
        isolated.run("x", ["show"], {})
    assert not created
    chosen_engine.answers["POST /images/create"] = lambda handler: handler.send_chunks(iter([b'{"status": "done"}']))
    assert isolated.run("x", ["show"], {}) == "printed\n"
