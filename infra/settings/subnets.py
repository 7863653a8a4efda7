"""Assigns address ranges to a stack's networks. The engine's own ranges are enough for about 30 networks only."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

from infra.schema.problems import UnusableValue
from infra.services.catalog import SERVICE_PORTS

POOL_PREFIX = 15
EXAMPLE = "10.200.0.0/15"
#: In each half of the pool, the first ranges belong to the services, by their ports, and the rest to other parts.
_SERVICE_PREFIX, _EDGE_PREFIX = 26, 22
_PARTS = {
    name: len(SERVICE_PORTS) + number for number, name in enumerate(("cache", "monitoring", "hub", "console", "alerts"))
}


def parse_pool(text: str) -> IPv4Network:
    """Return the network of `text`. Raises UnusableValue unless it is a private network of the required size."""
    try:
        pool = IPv4Network(text)
    except ValueError:
        raise UnusableValue("network_pool", example=EXAMPLE) from None
    if pool.prefixlen != POOL_PREFIX or not pool.is_private:
        raise UnusableValue("network_pool_size", prefix=POOL_PREFIX, example=EXAMPLE)
    return pool


def another_pool(text: str) -> str:
    """Return a usable pool beside the pool `text`: the next one, or the one before where that is not private."""
    pool = parse_pool(text)
    size = pool.num_addresses
    following = IPv4Network((int(pool.network_address) + size, POOL_PREFIX))
    return str(following if following.is_private else IPv4Network((int(pool.network_address) - size, POOL_PREFIX)))


@dataclass(frozen=True)
class Subnets:
    """The address ranges of a stack's networks, taken from `pool`. Without a pool all ranges are None.

    A range belongs to the port of a service, so adding or removing a service changes no other range. A service has one
    range for a network with internet access and another for a network without, because both networks exist for a
    moment when one replaces the other.
    """

    pool: str | None = None

    def service(self, port: int, *, internal: bool) -> str | None:
        """Return the range of the service at `port`: 62 addresses, enough for 2 * 16 replicas and others."""
        return self._range(port - SERVICE_PORTS.start, upper=not internal)

    def part(self, name: str, *, internal: bool = True) -> str | None:
        """Return the range of a part, such as `cache` or `hub`: 62 addresses."""
        return self._range(_PARTS[name], upper=not internal)

    def edge(self) -> str | None:
        """Return the range of the fronts and the gateway: 1,022 addresses, as each service has a front."""
        if self.pool is None:
            return None
        last = 2 ** (_EDGE_PREFIX - POOL_PREFIX) - 1
        return str(_nth(IPv4Network(self.pool), _EDGE_PREFIX, last))

    def _range(self, index: int, *, upper: bool) -> str | None:
        if self.pool is None:
            return None
        half = _nth(IPv4Network(self.pool), POOL_PREFIX + 1, int(upper))
        return str(_nth(half, _SERVICE_PREFIX, index))


def _nth(network: IPv4Network, prefix: int, index: int) -> IPv4Network:
    """Return the same as `list(network.subnets(new_prefix=prefix))[index]`."""
    size = 2 ** (network.max_prefixlen - prefix)
    return IPv4Network((int(network.network_address) + index * size, prefix))
