"""Tests how the engine is found, checked and started."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import pytest

from toolchain import debian, versions
from toolchain.engine import installation
from toolchain.engine.installation import Engine
from toolchain.errors import SetupError
from toolchain.home import DyberHome
from toolchain.progress import PlainProgress

PINNED = versions.load()
QUIET = PlainProgress(io.StringIO())


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment with an empty PATH and an empty home folder."""
    return {"PATH": str(tmp_path), "HOME": str(tmp_path / "home")}


@pytest.fixture
def no_engine(monkeypatch, tmp_path, command):
    """A machine without an engine, whose user may not install one."""
    monkeypatch.setattr(installation, "DEFAULT_SOCKET", tmp_path / "docker.sock")
    monkeypatch.setattr(debian, "can_install", lambda: False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)


def test_the_engine_that_docker_host_names_is_used(engine_at, env):
    address = engine_at(version="27.0.1", api_version="1.46")
    engine = installation.find_engine({**env, "DOCKER_HOST": address})
    assert engine == Engine(address, "27.0.1", "1.46", "environment", Path("/"))
    assert engine.environment() == {"DOCKER_HOST": address}


def test_an_engine_of_an_ordinary_user_is_recognised_as_rootless(engine_at, env):
    options = ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"]
    engine = installation.find_engine({**env, "DOCKER_HOST": engine_at(SecurityOptions=options)})
    assert engine is not None and engine.rootless


def test_no_other_engine_is_used_when_the_chosen_one_does_not_answer(engine_at, env, socket_folder, monkeypatch):
    engine_at()
    monkeypatch.setattr(installation, "DEFAULT_SOCKET", socket_folder / "docker.sock")
    chosen = f"unix://{socket_folder}/missing.sock"
    engine, unanswered = installation.look_for_engine({**env, "DOCKER_HOST": chosen})
    assert engine is None
    assert [attempt.host for attempt in unanswered] == [chosen]


def test_the_default_socket_needs_no_docker_host(engine_at, env, socket_folder, monkeypatch):
    engine_at()
    monkeypatch.setattr(installation, "DEFAULT_SOCKET", socket_folder / "docker.sock")
    engine = installation.find_engine(env)
    assert engine is not None and engine.environment() == {}


def test_pulumi_gets_the_engine_of_the_docker_context(engine_at, env, command, monkeypatch, tmp_path):
    address = engine_at()
    monkeypatch.setattr(installation, "DEFAULT_SOCKET", tmp_path / "docker.sock")
    command("docker", f"echo {address}")
    engine = installation.find_engine({**env, "PATH": os.environ["PATH"]})
    assert engine is not None
    assert engine.environment() == {"DOCKER_HOST": address}


def test_a_rootless_engine_is_found_in_the_runtime_folder(engine_at, env, socket_folder, monkeypatch, tmp_path):
    address = engine_at()
    monkeypatch.setattr(installation, "DEFAULT_SOCKET", tmp_path / "docker.sock")
    engine = installation.find_engine({**env, "XDG_RUNTIME_DIR": str(socket_folder)})
    assert engine is not None and engine.host == address


def test_an_address_that_only_the_docker_command_reaches_is_tried_through_it(env, command):
    command("docker", """echo '{"Version": "28.1.0", "ApiVersion": "1.49"}'""")
    engine = installation.find_engine({**env, "PATH": os.environ["PATH"], "DOCKER_HOST": "ssh://somebody@host.example"})
    assert engine == Engine("ssh://somebody@host.example", "28.1.0", "1.49", "environment", None)


def test_an_engine_that_answers_with_an_error_is_not_used(engine_at, env):
    assert installation.find_engine({**env, "DOCKER_HOST": engine_at(status=500)}) is None


@pytest.mark.parametrize(
    ("api_version", "accepted"), [("1.40", False), ("1.9", False), ("1.41", True), ("1.100", True)]
)
def test_an_engine_is_refused_below_the_minimum_api(api_version, accepted):
    engine = Engine("unix:///x", "1.0", api_version, "default")
    if accepted:
        installation.require_new_enough(engine, PINNED)
    else:
        with pytest.raises(SetupError, match=api_version) as refused:
            installation.require_new_enough(engine, PINNED)
        assert refused.value.exit_code == 2


def test_set_up_refuses_an_engine_that_is_too_old(engine_at, monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", engine_at(version="19.03", api_version="1.40"))
    with pytest.raises(SetupError, match="19.03"):
        installation.ensure_engine(DyberHome(tmp_path), PINNED, QUIET)


def test_without_an_engine_and_rights_the_message_says_what_to_install(no_engine, tmp_path):
    with pytest.raises(SetupError) as refused:
        installation.ensure_engine(DyberHome(tmp_path), PINNED, QUIET)
    assert refused.value.exit_code == 2
    assert refused.value.next_step == installation.installation_advice()


@pytest.mark.parametrize(
    ("platform", "product"),
    [("win32", "winget install Docker.DockerDesktop"), ("darwin", "brew install --cask docker")],
)
def test_the_advice_fits_the_kind_of_machine(monkeypatch, platform, product):
    monkeypatch.setattr(installation.sys, "platform", platform)
    assert product in installation.installation_advice()


def test_a_user_without_rights_to_the_socket_is_told_about_the_group(no_engine, tmp_path, monkeypatch):
    denied = installation.Unanswered("unix:///var/run/docker.sock", "[Errno 13] Permission denied", denied=True)
    monkeypatch.setattr(installation, "look_for_engine", lambda _env: (None, [denied]))
    with pytest.raises(SetupError, match="usermod -aG docker"):
        installation.ensure_engine(DyberHome(tmp_path), PINNED, QUIET)


def test_a_chosen_engine_that_does_not_answer_is_named(no_engine, tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/gone.sock")
    with pytest.raises(SetupError, match="gone.sock"):
        installation.ensure_engine(DyberHome(tmp_path), PINNED, QUIET)


def test_stale_pid_files_are_removed_and_those_of_a_running_daemon_stay(tmp_path):
    if installation.program_of(os.getpid()) is None:
        pytest.skip("needs /proc")
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    name_of_this_program = installation.program_of(os.getpid())
    files = {
        "gone": (str(gone.pid), "dockerd"),
        "reused": (str(os.getpid()), "dockerd"),
        "broken": ("not a number", "dockerd"),
        "running": (f"{os.getpid()}\n", name_of_this_program),
    }
    for name, (content, _) in files.items():
        (tmp_path / name).write_text(content)
    programs = {tmp_path / name: program for name, (_, program) in files.items()} | {tmp_path / "absent": "dockerd"}
    removed = installation.remove_stale_pid_files(programs)
    assert sorted(path.name for path in removed) == ["broken", "gone", "reused"]
    assert [path.name for path in tmp_path.iterdir()] == ["running"]


def test_starting_waits_until_the_engine_answers_and_names_the_log_if_it_does_not(engine_at, socket_folder):
    address = engine_at()
    assert isinstance(installation.wait_until_it_answers(5, "log", address), Engine)
    with pytest.raises(SetupError, match="dockerd.log"):
        installation.wait_until_it_answers(0.2, "/logs/dockerd.log", f"unix://{socket_folder}/never.sock")


@pytest.mark.parametrize("kept", [None, "{}", '{"log-level": "warn"}', "not json"])
def test_an_engine_that_is_started_has_addresses_for_hundreds_of_networks(tmp_path, kept):
    file = tmp_path / "daemon.json"
    if kept is not None:
        file.write_text(kept)
    option, first, *_ = installation.network_options(file)
    assert (option, first) == ("--default-address-pool", "base=172.17.0.0/16,size=24")


def test_addresses_that_the_engines_configuration_names_stay(tmp_path):
    file = tmp_path / "daemon.json"
    file.write_text('{"default-address-pools": [{"base": "10.10.0.0/16", "size": 24}]}')
    assert installation.network_options(file) == []


def test_too_little_disk_space_for_the_engine_is_reported(tmp_path, monkeypatch):
    engine = Engine("unix:///x", "27.0", "1.46", "default", tmp_path)
    monkeypatch.setattr(installation, "NEEDED_DISK_BYTES", 1 << 60)
    with pytest.raises(SetupError, match=str(tmp_path)):
        installation.require_disk(engine)
    monkeypatch.setattr(installation, "NEEDED_DISK_BYTES", 1)
    installation.require_disk(engine)
