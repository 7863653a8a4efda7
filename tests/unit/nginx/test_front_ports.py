"""Tests the ports on which the front listens."""

from __future__ import annotations

import re
from pathlib import Path

from infra.parts.gateway import SECOND_ADDRESS

CONFIGURATION = Path(__file__).resolve().parents[3] / "nginx" / "front" / "nginx.conf"
#: The first port that Linux gives to programs that ask for any.
FIRST_RANDOM_PORT = 32768


def listened() -> set[int]:
    """Return the ports of the server that passes connections on to the gateway."""
    ranges = re.findall(r"^\s+listen (\d+)(?:-(\d+))?;", CONFIGURATION.read_text(encoding="utf-8"), re.MULTILINE)
    return {port for first, last in ranges for port in range(int(first), int(last or first) + 1)}


def test_each_port_is_there_for_the_second_address_too() -> None:
    first = {80, 443, 9090, *range(8001, 9000)}
    assert listened() == first | {port + SECOND_ADDRESS for port in first}


def test_no_port_of_the_front_can_be_taken_by_the_name_server_of_the_engine() -> None:
    assert max(listened()) < FIRST_RANDOM_PORT
