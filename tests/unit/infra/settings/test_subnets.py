"""The address ranges of networks do not overlap, are large enough, and do not change."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import pairwise

import pytest

from infra.services.catalog import MAX_REPLICAS, SERVICE_PORTS
from infra.settings.subnets import EXAMPLE, Subnets, another_pool, parse_pool

SUBNETS = Subnets(EXAMPLE)


def every_range() -> list[IPv4Network]:
    services = [SUBNETS.service(port, internal=internal) for port in SERVICE_PORTS for internal in (True, False)]
    return [
        IPv4Network(text or "")
        for text in (*services, SUBNETS.part("cache"), SUBNETS.part("monitoring"), SUBNETS.edge())
    ]


def test_no_two_overlap_and_all_are_in_the_pool() -> None:
    ranges = sorted(every_range())
    assert all(before.broadcast_address < after.network_address for before, after in pairwise(ranges))
    assert all(each.subnet_of(IPv4Network(EXAMPLE)) for each in ranges)


def test_each_range_is_large_enough_while_all_containers_are_replaced() -> None:
    assert min(each.num_addresses for each in every_range()) - 3 > 2 * MAX_REPLICAS + 3
    assert IPv4Network(SUBNETS.edge() or "").num_addresses - 3 > len(SERVICE_PORTS)


def test_a_service_keeps_its_range_unless_its_internet_access_changes() -> None:
    assert SUBNETS.service(8003, internal=True) == "10.200.0.128/26"
    assert SUBNETS.service(8003, internal=False) == "10.201.0.128/26"
    assert SUBNETS.edge() == "10.201.252.0/22"


def test_without_a_pool_the_engine_chooses() -> None:
    assert {Subnets().service(8001, internal=True), Subnets().part("cache"), Subnets().edge()} == {None}


@pytest.mark.parametrize("text", ["10.200.0.0/16", "10.201.0.0/15", "8.0.0.0/15", "fd00::/15", "somewhere"])
def test_a_pool_that_cannot_be_used_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="10.200.0.0/15"):
        parse_pool(text)


@pytest.mark.parametrize(
    ("pool", "other"),
    [("10.200.0.0/15", "10.202.0.0/15"), ("10.254.0.0/15", "10.252.0.0/15"), ("172.16.0.0/15", "172.18.0.0/15")],
)
def test_another_pool_is_private_too_and_has_none_of_the_same_addresses(pool: str, other: str) -> None:
    assert another_pool(pool) == other
    assert not parse_pool(other).overlaps(parse_pool(pool))
