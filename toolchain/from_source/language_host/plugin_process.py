"""Runs plugins that are written in Python: policy packs and component providers."""

from __future__ import annotations

import io
import os
import queue
import subprocess
import threading
from collections.abc import Iterator

import grpc
from pulumi.runtime.proto import language_pb2

from . import projects
from .children import Children

CHUNK_BYTES = 64 * 1024


def run(
    request: language_pb2.RunPluginRequest, children: Children, context: grpc.ServicerContext
) -> Iterator[language_pb2.RunPluginResponse]:
    """Yield what the plugin prints and finally its exit code. Raises projects.ProjectError."""
    folder = projects.virtual_environment(request.info)
    env = dict(entry.split("=", 1) for entry in request.env if "=" in entry) or dict(os.environ)
    if folder is not None:
        env["VIRTUAL_ENV"] = str(folder)
        env["PATH"] = os.pathsep.join([str(folder / projects.BIN), env.get("PATH", "")])
    child = subprocess.Popen(
        command(request),
        cwd=request.pwd or None,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    context.add_callback(child.terminate)  # does nothing after the child's end
    outputs: queue.Queue[tuple[str, bytes]] = queue.Queue()
    readers = [
        threading.Thread(target=_read, args=(name, getattr(child, name), outputs), daemon=True)
        for name in ("stdout", "stderr")
    ]
    with children.watch(child):
        for reader in readers:
            reader.start()
        still_open = len(readers)
        while still_open:
            name, data = outputs.get()
            if data:
                yield (
                    language_pb2.RunPluginResponse(stdout=data)
                    if name == "stdout"
                    else language_pb2.RunPluginResponse(stderr=data)
                )
            else:
                still_open -= 1
    yield language_pb2.RunPluginResponse(exitcode=child.returncode)


def command(request: language_pb2.RunPluginRequest) -> list[str]:
    """Return the command: a policy pack runs through the SDK's `pulumi.policy`, another plugin as a program."""
    python = [projects.interpreter(request.info), "-u"]
    program = request.info.program_directory or request.program
    if request.kind == "analyzer":
        engine_address, *more = request.args
        return [*python, "-m", "pulumi.policy", engine_address, program, *more]
    return [*python, program, *request.args]


def _read(name: str, pipe: io.BufferedReader, outputs: queue.Queue[tuple[str, bytes]]) -> None:
    while data := pipe.read1(CHUNK_BYTES):
        outputs.put((name, data))
    outputs.put((name, b""))
