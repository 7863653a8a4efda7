"""What is read from control groups is what the engine tells about a container."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from cli.engine import usage
from cli.engine.engine import asking
from tests.toolchain.state_services import BASE_IMAGE, docker

BUSY = "while :; do :; done"


@pytest.fixture
def container() -> Iterator[str]:
    """Return the id of a container that uses a processor all the time."""
    identity = docker("run", "--detach", "--rm", "--network", "none", "--cpus", "0.2", BASE_IMAGE, "sh", "-c", BUSY)
    yield identity.strip()
    docker("rm", "--force", identity.strip())


def test_control_groups_and_engine_agree_about_a_busy_container(container: str) -> None:
    with asking() as client:
        process = client.inspect_container(container)["State"]["Pid"]
    first = usage.from_control_groups(container, process)
    asked = usage._ask(container)
    last = usage.from_control_groups(container, process)
    assert first and asked and last
    assert first.container_nanoseconds <= asked.container_nanoseconds <= last.container_nanoseconds
    assert abs(asked.memory_bytes - last.memory_bytes) < 2**20
    # With a fifth of a processor, the container stands still for 80 ms of each 100 ms.
    time.sleep(0.2)
    later = usage.from_control_groups(container, process)
    assert later and 0 < later.percent_since(first) < 100
