"""Tests the language host as a process, with a stand-in for the Pulumi engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import (
    engine_pb2_grpc,
    language_pb2,
    language_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
)

from toolchain.from_source.language_host import plugin_process

REPOSITORY = Path(__file__).parents[3]


@dataclass
class StandInEngine(resource_pb2_grpc.ResourceMonitorServicer, engine_pb2_grpc.EngineServicer):
    """Accepts every resource and records outputs and messages."""

    outputs: dict = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def SupportsFeature(self, request, context):
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id == "secrets")

    def RegisterResource(self, request, context):
        return resource_pb2.RegisterResourceResponse(
            urn=f"urn:pulumi:dev::project::{request.type}::{request.name}", object=struct_pb2.Struct()
        )

    def RegisterResourceOutputs(self, request, context):
        self.outputs = dict(request.outputs)
        return empty_pb2.Empty()

    def Log(self, request, context):
        if request.severity:  # debug is 0
            self.messages.append(request.message)
        return empty_pb2.Empty()


@pytest.fixture(scope="module")
def engine_server() -> Iterator[tuple[StandInEngine, str]]:
    """The stand-in engine that all tests share, and its address."""
    stand_in = StandInEngine()
    server = grpc.server(ThreadPoolExecutor(8))
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(stand_in, server)
    engine_pb2_grpc.add_EngineServicer_to_server(stand_in, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield stand_in, f"127.0.0.1:{port}"
    server.stop(0).wait()


@pytest.fixture
def engine(engine_server: tuple[StandInEngine, str]) -> tuple[StandInEngine, str]:
    """The engine without outputs and messages, and its address."""
    engine_server[0].outputs, engine_server[0].messages = {}, []
    return engine_server


Host = tuple[subprocess.Popen, language_pb2_grpc.LanguageRuntimeStub]


@contextmanager
def started(address: str) -> Iterator[Host]:
    """Start a language host for the engine at this address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "toolchain.from_source.language_host", "-tracing=x", address],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    port = process.stdout.readline().strip()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield process, language_pb2_grpc.LanguageRuntimeStub(channel)
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture(scope="module")
def host(engine_server) -> Iterator[Host]:
    """The host that is shared by all tests that do not end it."""
    with started(engine_server[1]) as running:
        yield running


@pytest.fixture
def separate_host(engine) -> Iterator[Host]:
    with started(engine[1]) as running:
        yield running


@pytest.fixture
def info(tmp_path: Path) -> language_pb2.ProgramInfo:
    """A project whose virtual environment is the one that runs the tests."""
    folder = tmp_path / "program"
    folder.mkdir()
    options = struct_pb2.Struct()
    options.update({"toolchain": "pip", "virtualenv": sys.prefix})
    return language_pb2.ProgramInfo(
        root_directory=str(tmp_path), program_directory=str(folder), entry_point=".", options=options
    )


@pytest.fixture
def run(engine, host, info) -> Callable[..., language_pb2.RunResponse]:
    return runner(engine, host, info)


def runner(engine, host: Host, info) -> Callable[..., language_pb2.RunResponse]:
    """Return a function that runs the text of a program to its end."""

    def run(text: str, **options) -> language_pb2.RunResponse:
        Path(info.program_directory, "__main__.py").write_text(text, encoding="utf-8")
        request = language_pb2.RunRequest(
            project="project",
            stack="dev",
            monitor_address=engine[1],
            parallel=4,
            info=info,
            pwd=info.program_directory,
            **options,
        )
        return host[1].Run(request, timeout=60)

    return run


def test_the_outputs_of_a_program_reach_the_engine(run, engine):
    response = run(
        "import pulumi\n"
        "pulumi.export('number', pulumi.Output.from_input(20).apply(lambda n: n + 1))\n"
        "pulumi.export('where', [pulumi.get_project(), pulumi.get_stack(), pulumi.get_organization(), pulumi.get_root_directory()])\n",
        organization="team",
    )
    assert (response.error, response.bail) == ("", False)
    assert engine[0].outputs["number"] == 21
    root = engine[0].outputs["where"][3]
    assert list(engine[0].outputs["where"]) == ["project", "dev", "team", root]
    assert (Path(root) / "program").is_dir()
    assert engine[0].messages == []


def test_a_program_can_import_modules_in_its_folder(run, engine, info):
    Path(info.program_directory, "beside.py").write_text("VALUE = 'from beside'\n")
    run("import pulumi, beside\npulumi.export('value', beside.VALUE)\n")
    assert engine[0].outputs["value"] == "from beside"


def test_an_async_program_is_awaited(run, engine):
    response = run(
        "import asyncio, pulumi\nasync def main():\n    await asyncio.sleep(0)\n    return {'value': 'awaited'}\npulumi.run(main)\n"
    )
    assert response.bail is False
    assert engine[0].outputs["value"] == "awaited"


def test_the_program_gets_its_configuration_but_not_in_arguments_variables_or_files(run, engine):
    response = run(
        "import os, pathlib, pulumi\n"
        "secret = pulumi.Config().require('token')\n"
        "places = [pathlib.Path('/proc/self/cmdline'), pathlib.Path('/proc/self/environ')]\n"
        "places += [path for path in pathlib.Path(pulumi.get_root_directory()).rglob('*') if path.is_file()]\n"
        "pulumi.export('length', len(secret))\n"
        "pulumi.export('found', [str(p) for p in places if p.exists() and secret.encode() in p.read_bytes()])\n"
        "pulumi.export('secret', pulumi.Config().get_secret('token').apply(len))\n",
        config={"project:token": "t0ken-in-the-clear"},
        configSecretKeys=["project:token"],
    )
    assert response.bail is False, engine[0].messages
    assert engine[0].outputs["length"] == len("t0ken-in-the-clear")
    assert list(engine[0].outputs["found"]) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def helper():\n    raise ValueError('wrong')\nhelper()\n", "ValueError: wrong"),
        (
            "import pulumi\n"
            "def helper(urn):\n    raise ValueError('wrong')\n"
            "output = pulumi.CustomResource('test:index:Thing', 'thing', {}).urn.apply(helper)\n"
            "pulumi.export('x', output)\npulumi.export('y', [output])\noutput.apply(str)\n",
            "ValueError: wrong",
        ),
        (
            "import pulumi\ndef helper():\n    raise KeyError('inner')\ntry:\n    helper()\nexcept KeyError as error:\n    raise RuntimeError('outer') from error\n",
            "RuntimeError: outer",
        ),
    ],
    ids=["plain", "apply", "cause"],
)
def test_an_error_is_shown_once_with_only_the_users_frames(run, engine, text, message):
    response = run(text)
    assert (response.bail, response.error) == (True, "")
    (shown,) = engine[0].messages
    assert message in shown
    frames = [line.strip() for line in shown.splitlines() if line.strip().startswith("File ")]
    assert frames and all("/program/__main__.py" in frame for frame in frames)
    assert any("in helper" in frame for frame in frames)


def test_a_syntax_error_shows_the_line_and_no_frame_of_the_language_host(run, engine):
    assert run("import pulumi\ndef (\n").bail is True
    (shown,) = engine[0].messages
    assert '__main__.py", line 2' in shown and "SyntaxError" in shown
    assert "run_program" not in shown and "runpy" not in shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import pulumi\nraise pulumi.RunError('写明白的错误')\n", "写明白的错误"),
        ("raise SystemExit('stopped on purpose')\n", "stopped on purpose"),
        ("raise SystemExit(3)\n", "the program exited with code 3"),
    ],
)
def test_an_error_message_for_the_user_is_shown_without_a_traceback(run, engine, text, message):
    assert run(text).bail is True
    assert engine[0].messages == [message]


def test_a_program_that_ends_too_early_is_an_error(run, engine):
    response = run("import os\nos._exit(7)\n")
    assert "exit code 7" in response.error


def test_a_thread_that_the_program_leaves_behind_does_not_delay_its_end(run, engine):
    response = run(
        "import threading, time, pulumi\nthreading.Thread(target=time.sleep, args=(600,)).start()\npulumi.export('x', 1)\n"
    )
    assert response.bail is False
    assert engine[0].outputs["x"] == 1


def test_the_error_about_a_missing_virtual_environment_names_the_remedy(run, info):
    info.options.update({"virtualenv": "nowhere"})
    assert "pulumi install" in run("").error


def test_another_toolchain_than_pip_is_refused_and_named(run, info):
    info.options.update({"toolchain": "poetry"})
    assert "poetry" in run("").error


def test_the_plugins_that_the_installed_sdks_need_are_reported(host, info):
    response = host[1].GetRequiredPackages(language_pb2.GetRequiredPackagesRequest(info=info), timeout=30)
    packages = {package.name: package.version for package in response.packages}
    assert packages == {"docker": "v5.2.0", "random": "v4.21.4"}


def test_a_plugin_written_in_python_runs_with_its_arguments_and_exit_code(host, info):
    Path(info.program_directory, "__main__.py").write_text(
        "import os, sys\nprint('port', sys.argv[1], os.environ['FROM_ENGINE'])\nprint('trouble', file=sys.stderr)\nsys.exit(5)\n"
    )
    request = language_pb2.RunPluginRequest(
        info=info, kind="resource", args=["argument"], env=["FROM_ENGINE=yes"], pwd=info.root_directory
    )
    responses = list(host[1].RunPlugin(request, timeout=30))
    assert b"".join(response.stdout for response in responses) == b"port argument yes\n"
    assert b"".join(response.stderr for response in responses) == b"trouble\n"
    assert responses[-1].exitcode == 5


def test_a_policy_pack_runs_through_the_module_of_the_sdk(info):
    request = language_pb2.RunPluginRequest(info=info, kind="analyzer", args=["127.0.0.1:1234"])
    interpreter, *arguments = plugin_process.command(request)
    assert Path(interpreter).is_relative_to(sys.prefix)
    assert arguments == ["-u", "-m", "pulumi.policy", "127.0.0.1:1234", info.program_directory]


def test_install_makes_the_virtual_environment_and_installs_the_requirements_of_the_program(host, info):
    info.options.update({"virtualenv": "venv"})
    Path(info.program_directory, "requirements.txt").write_text("# nothing\n")
    request = language_pb2.InstallDependenciesRequest(directory=info.program_directory, info=info)
    output = b"".join(response.stdout for response in host[1].InstallDependencies(request, timeout=120)).decode()
    assert "-m venv" in output and "requirements.txt" in output
    assert (Path(info.root_directory) / "venv" / "bin" / "python").exists()


def test_an_interrupted_program_reports_nothing_as_the_engine_does(run, engine):
    """Pulumi's own entry point leaves a KeyboardInterrupt traceback on the screen after every failed update."""
    response = run("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n")
    assert response.bail is True
    assert engine[0].messages == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ending_the_host_ends_the_program_quietly(separate_host, engine, info, number):
    run = runner(engine, separate_host, info)
    marker = Path(info.root_directory, "running")
    with ThreadPoolExecutor(1) as pool:
        response = pool.submit(run, f"import pathlib, time\npathlib.Path({str(marker)!r}).touch()\ntime.sleep(600)\n")
        while not marker.exists():
            assert not response.done(), response.result()
        separate_host[0].send_signal(number)
        assert separate_host[0].wait(timeout=30) == 0
        assert response.exception(timeout=30) is not None or response.result().error
    assert engine[0].messages == []
