"""Lists the names that no service may have, and the names that a new service should not have."""

from __future__ import annotations

from collections.abc import Collection

from infra.schema.problems import Problem

#: Names that the program itself uses: in images (`dyber-front`), labels, network aliases and Pulumi's state.
PARTS = (
    *("gateway", "front", "hub", "console", "cache", "monitoring", "base", "kit"),
    *("engine", "random", "deployment", "prometheus"),
    *("gateway-front", "gateway-loader", "gateway-certificate", "gateway-acme"),
    *("console-secrets", "console-loader"),
    *("hub-secrets", *(f"hub-{replica}" for replica in range(1, 9))),
    *("cache-metrics", "cache-password", "cache-exporter", "monitoring-loader", "monitoring-direct"),
    *("alerts", "alertmanager", "alerts-secrets"),
)
#: The first segments of the gateway's own paths.
PATHS = ("api", "mcp", "groups", "search", "health", "metrics", "console")
#: Words with a meaning on the command line: `logs api-gateway`, `--services all`.
WORDS = ("api-gateway", "redis-cache", "all", "full", "default")
#: The parts of a service besides its servers are labelled with these endings, such as `template-direct`.
ENDINGS = ("contract", "direct", "secrets")
#: Names with another meaning in the repository, Git, Docker's build context, pytest or Windows.
ELSEWHERE = (
    *("catalog", "test", "tests", "build", "dist", "and", "or", "not", "con", "prn", "aux", "nul"),
    *(f"{device}{number}" for device in ("com", "lpt") for number in range(1, 10)),
)
#: Words of --profile that stand for several profiles or for none.
PROFILE_WORDS = ("full", "default")

RESERVED = frozenset((*PARTS, *PATHS, *WORDS))


def problem(name: str) -> Problem | None:
    """Return why no service can be called `name`; None if a service can."""
    if name not in RESERVED:
        return None
    return Problem("service_name_reserved", parameters={"name": name})


def problem_beside(name: str, services: Collection[str]) -> Problem | None:
    """Return why a service cannot be called `name` beside the `services` of these names; None if it can."""
    service, _, ending = name.rpartition("-")
    if ending not in ENDINGS or service not in services:
        return None
    return Problem("service_name_of_a_part", parameters={"name": name, "service": service})


def problem_of_a_new_service(name: str) -> Problem | None:
    """Return why a new service should not be called `name`, although an existing service may be; None if it can."""
    if reason := problem(name):
        return reason
    service, _, ending = name.rpartition("-")
    if service and ending in ENDINGS:
        return Problem("service_name_ending", parameters={"name": name, "ending": ending, "service": service})
    if name in ELSEWHERE:
        return Problem("service_name_elsewhere", parameters={"name": name})
    return None
