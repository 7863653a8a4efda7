"""Lists the names that no service may have: one list for the catalogue, the gateway's model and `add-service`."""

from __future__ import annotations

#: What the program itself is made of: images (`dyber-front`), labels, network aliases, names in Pulumi's state.
PARTS = (
    *("gateway", "front", "cache", "monitoring", "hub", "console", "base"),
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
#: What the repository, Git, Docker's build context, pytest or Windows gives another meaning.
ELSEWHERE = (
    *("kit", "test", "tests", "build", "dist", "and", "or", "not", "con", "prn", "aux", "nul"),
    *(f"{device}{number}" for device in ("com", "lpt") for number in range(1, 10)),
)
#: Profiles are switched on together with these words of --profile.
PROFILE_WORDS = ("full", "default")

RESERVED = frozenset((*PARTS, *PATHS, *WORDS, *ELSEWHERE))


def problem(name: str) -> tuple[str, str] | None:
    """Return why no service can be called `name`, in Chinese and English; None if a service can."""
    if name in RESERVED:
        return (
            f"服务名 {name!r} 已有别的用途，请换一个",
            f"service name {name!r} has another meaning; choose another",
        )
    ending = next((ending for ending in ENDINGS if name.endswith(f"-{ending}")), None)
    if ending:
        return (
            f"服务名 {name!r} 不可用：以 -{ending} 结尾的名字属于系统为 {name.removesuffix(f'-{ending}')} 创建的部分，请换一个",
            f"service name {name!r} is unusable: names that end with -{ending} belong to parts that the system makes "
            f"for {name.removesuffix(f'-{ending}')}; choose another",
        )
    return None
