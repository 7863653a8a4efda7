"""Lists the names that no service may have, and those that only a new service may not have."""

from __future__ import annotations

from collections.abc import Collection

#: What the program itself is made of: images (`dyber-front`), labels, network aliases, names in Pulumi's state.
PARTS = (
    *("gateway", "front", "cache", "monitoring", "base", "kit"),
    *("engine", "random", "deployment", "prometheus"),
    *("gateway-front", "gateway-loader", "gateway-certificate", "gateway-acme"),
    *("cache-metrics", "cache-password", "cache-exporter", "monitoring-loader", "monitoring-direct"),
)
#: First segments of the gateway's own paths.
PATHS = ("api", "health", "metrics")
#: What these words mean on the command line: `logs api-gateway`, `--services all`.
WORDS = ("api-gateway", "redis-cache", "all", "full", "default")
#: What each service has besides its servers is labelled `template-direct` and so on.
ENDINGS = ("contract", "direct", "secrets")
#: What the repository, Git, Docker's build context, pytest or Windows may give another meaning.
ELSEWHERE = (
    *("hub", "console", "test", "tests", "build", "dist", "and", "or", "not", "con", "prn", "aux", "nul"),
    *(f"{device}{number}" for device in ("com", "lpt") for number in range(1, 10)),
)
#: Profiles are switched on together with these words of --profile.
PROFILE_WORDS = ("full", "default")

RESERVED = frozenset((*PARTS, *PATHS, *WORDS))

#: Chinese and English.
Reason = tuple[str, str]


def problem(name: str) -> Reason | None:
    """Return why no service can be called `name`, in Chinese and English; None if a service can."""
    if name not in RESERVED:
        return None
    return (
        f"服务名 {name!r} 已有别的用途，请换一个",
        f"service name {name!r} has another meaning; choose another",
    )


def problem_beside(name: str, services: Collection[str]) -> Reason | None:
    """Return why a service cannot be called `name` beside the `services` of these names; None if it can."""
    base, _, ending = name.rpartition("-")
    if ending not in ENDINGS or base not in services:
        return None
    return (
        f"服务名 {name!r} 不可用：系统为服务 {base} 创建的部分叫这个名字，请换一个",
        f"service name {name!r} is unusable: a part that the system makes for the service {base} has this name; "
        "choose another",
    )


def problem_of_a_new_one(name: str) -> Reason | None:
    """Return why a new service should not be called `name`, even if an existing service is; None if it can."""
    if reason := problem(name):
        return reason
    base, _, ending = name.rpartition("-")
    if base and ending in ENDINGS:
        return (
            f"服务名 {name!r} 不可用：以 -{ending} 结尾的名字属于系统为 {base} 创建的部分，请换一个",
            f"service name {name!r} is unusable: names that end with -{ending} belong to parts that the system makes "
            f"for {base}; choose another",
        )
    if name in ELSEWHERE:
        return (
            f"服务名 {name!r} 已有别的用途（工具、测试或 Windows），请换一个",
            f"service name {name!r} has another meaning for tools, tests or Windows; choose another",
        )
    return None
