"""The usage of containers of this machine is read from their control groups; the engine is asked about all others."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.engine import usage

ID = "5f" * 32
FIRST_VERSION = {
    "proc/7/cgroup": f"3:cpu,cpuacct:/docker/{ID}\n2:memory:/docker/{ID}\n0::/docker/{ID}\n",
    f"groups/cpu,cpuacct/docker/{ID}/cpuacct.usage": "3000\n",
    f"groups/memory/docker/{ID}/memory.usage_in_bytes": "1000\n",
    f"groups/memory/docker/{ID}/memory.stat": "cache 500\ntotal_inactive_file 400\n",
}
SECOND_VERSION = {
    "proc/7/cgroup": f"0::/system.slice/docker-{ID}.scope\n",
    f"groups/system.slice/docker-{ID}.scope/cpu.stat": "usage_usec 3\nuser_usec 2\n",
    f"groups/system.slice/docker-{ID}.scope/memory.current": "1000\n",
    f"groups/system.slice/docker-{ID}.scope/memory.stat": "anon 600\ninactive_file 400\n",
}


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the processes and control groups of a machine, which has none yet."""
    monkeypatch.setattr(usage, "PROCESSES", tmp_path / "proc")
    monkeypatch.setattr(usage, "CONTROL_GROUPS", tmp_path / "groups")
    return tmp_path


def write(machine: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (machine / name).parent.mkdir(parents=True, exist_ok=True)
        (machine / name).write_text(content)


@pytest.mark.parametrize("files", [FIRST_VERSION, SECOND_VERSION], ids=["first version", "second version"])
def test_time_and_memory_are_read_from_both_versions_of_control_groups(machine: Path, files: dict[str, str]) -> None:
    write(machine, files)
    measured = usage.from_control_groups(ID, 7)
    assert measured is not None
    assert (measured.container_nanoseconds, measured.memory_bytes) == (3000, 600)


def test_a_process_with_the_same_number_on_another_machine_is_not_measured(machine: Path) -> None:
    write(machine, {**SECOND_VERSION, "proc/7/cgroup": "0::/user.slice/user-1000.slice\n"})
    assert usage.from_control_groups(ID, 7) is None


@pytest.mark.parametrize("missing", list(SECOND_VERSION))
def test_without_a_readable_control_group_there_is_no_figure(machine: Path, missing: str) -> None:
    write(machine, {name: content for name, content in SECOND_VERSION.items() if name != missing})
    assert usage.from_control_groups(ID, 7) is None


def test_the_engine_is_asked_only_where_no_container_is_on_this_machine(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = usage.Usage(1, 2, 3, 4)
    monkeypatch.setattr(usage, "_ask", lambda identity: answer)
    assert usage.measure({"elsewhere": 7}) == {"elsewhere": answer}
    write(machine, FIRST_VERSION)
    assert list(usage.measure({ID: 7, "stopped": 8})) == [ID]
