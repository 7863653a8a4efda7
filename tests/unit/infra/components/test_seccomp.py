"""The seccomp profile allows exactly the system calls that Chromium's containers need."""

from __future__ import annotations

import json

import pytest

from infra.components.docker.defaults import SECCOMP_PROFILES, security_options

PROFILE = json.loads((SECCOMP_PROFILES / "chromium.json").read_text(encoding="utf-8"))
# Flags of clone(2): a new mount, cgroup, UTS, IPC, user, process or network namespace.
MOUNT, CGROUP, UTS, IPC, USER, PROCESS, NETWORK = 0x20000, 0x2000000, 0x4000000, 0x8000000, 1 << 28, 1 << 29, 1 << 30


def allowed(name: str, flags: int = 0) -> bool:
    """Tell whether the profile allows the call `name` with `flags` as its first argument."""
    for rule in PROFILE["syscalls"]:
        if name in rule["names"]:
            masks = [(arg["value"], arg["valueTwo"]) for arg in rule.get("args", [])]
            return rule["action"] == "SCMP_ACT_ALLOW" and all(flags & mask == wanted for mask, wanted in masks)
    return False


@pytest.mark.parametrize("call", ["clone", "unshare"])
def test_a_sandbox_of_user_process_and_network_namespaces_can_be_made(call: str) -> None:
    assert allowed(call, USER | PROCESS | NETWORK)
    assert allowed("chroot")


@pytest.mark.parametrize("call", ["clone", "unshare"])
@pytest.mark.parametrize("flag", [MOUNT, CGROUP, UTS, IPC])
def test_no_other_namespace_can_be_made(call: str, flag: int) -> None:
    assert not allowed(call, USER | flag)


def test_the_flags_cannot_be_hidden_in_memory() -> None:
    assert not allowed("clone3")


@pytest.mark.parametrize(
    "call",
    ["mount", "umount2", "move_mount", "fsopen", "pivot_root", "setns", "bpf", "keyctl", "add_key", "ptrace",
     "perf_event_open", "init_module", "finit_module", "kexec_load", "reboot", "swapon", "open_by_handle_at",
     "process_vm_readv", "userfaultfd", "io_uring_setup", "sethostname", "clock_settime", "personality"],
)  # fmt: skip
def test_what_root_of_a_namespace_could_misuse_stays_denied(call: str) -> None:
    assert PROFILE["defaultAction"] == "SCMP_ACT_ERRNO"
    assert not allowed(call)


def test_a_container_without_a_profile_keeps_the_engines_own() -> None:
    assert security_options(None) == ["no-new-privileges:true"]


def test_the_engine_gets_the_profile_itself_and_not_a_path() -> None:
    options = security_options("chromium")
    assert json.loads(options[1].removeprefix("seccomp=")) == PROFILE
