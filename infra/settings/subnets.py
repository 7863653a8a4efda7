"""Address ranges of a stack's networks, where the engine is not to choose them: it has about 30 of its own."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

from infra.schema.problems import UnusableValue
from infra.services.catalog import SERVICE_PORTS

POOL_PREFIX = 15
EXAMPLE = "10.200.0.0/15"
#: Services behind the ports 8001 to 8998 have the first ones of each half; the rest is for what is no service.
_SERVICE_PREFIX, _EDGE_PREFIX = 26, 22
_PARTS = {"cache": len(SERVICE_PORTS), "monitoring": len(SERVICE_PORTS) + 1}


def parse_pool(text: str) -> IPv4Network:
    """The network that `text` says. Raises UnusableValue for anything but a private one of the size that is needed."""
    try:
        pool = IPv4Network(text)
    except ValueError:
        raise UnusableValue("network_pool", example=EXAMPLE) from None
    if pool.prefixlen != POOL_PREFIX or not pool.is_private:
        raise UnusableValue("network_pool_size", prefix=POOL_PREFIX, example=EXAMPLE)
    return pool


@dataclass(frozen=True)
class Subnets:
    """A range for each network of a stack, out of `pool`; None for all where there is no pool.

    A range belongs to a service's port, so that adding and removing services moves no other; and a network that is
    replaced by one with a way out, or without, has another range, as both exist for a moment.
    """

    pool: str | None = None

    def service(self, port: int, *, internal: bool) -> str | None:
        """The range of the service at `port`: 62 addresses, twice 16 replicas and what else is in its network."""
        return self._range(port - SERVICE_PORTS.start, upper=not internal)

    def part(self, name: str) -> str | None:
        """The range of `cache` or `monitoring`: 62 addresses."""
        return self._range(_PARTS[name], upper=False)

    def edge(self) -> str | None:
        """The range between the fronts and the gateway, with one front for each service: 1,022 addresses."""
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
    """As `list(network.subnets(new_prefix=prefix))[index]`."""
    size = 2 ** (network.max_prefixlen - prefix)
    return IPv4Network((int(network.network_address) + index * size, prefix))
