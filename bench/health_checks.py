"""Measures what health checks cost the engine without calls: every 3 s, or ours, which are rarer once healthy.

    .venv/bin/python bench/health_checks.py [--containers 8]

The result is the CPU time of the engine and of the checks, as a share of a core, without that of an engine without
checks. The variants take turns.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.stack import engine_seconds
from infra.components.docker.defaults import healthcheck

REPOSITORY = Path(__file__).resolve().parents[1]
IMAGE, LABEL = "dyber-base:trixie", "dyber.test=health-checks"
ROUNDS, SETTLE_SECONDS, MEASURE_SECONDS = 3, 10, 60


def options() -> dict[str, list[str]]:
    """Return the arguments of `docker run` by kind of check."""
    our_check = healthcheck("/bin/true")
    interval, check = our_check.interval, our_check.tests[3]
    command = f"set -- /bin/true\n{check}"
    return {
        "none": ["--no-healthcheck"],
        "every 3 s": ["--health-interval", "3s", "--health-cmd", "/bin/true"],
        "ours": ["--health-interval", interval, "--health-timeout", "40s", "--health-cmd", command],
    }


@contextmanager
def containers(count: int, arguments: list[str]) -> Iterator[None]:
    command = ["docker", "run", "--detach", "--network", "none", "--label", LABEL, *arguments, IMAGE, "sleep", "600"]
    started = [subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() for _ in range(count)]
    try:
        yield
    finally:
        subprocess.run(["docker", "rm", "--force", *started], check=True, capture_output=True)


def share() -> float:
    """Measure the share of a core that the engine uses."""
    before, begun = engine_seconds(), time.perf_counter()
    time.sleep(MEASURE_SECONDS)
    return (engine_seconds() - before) / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--containers", type=int, default=8)
    count = parser.parse_args().containers
    shares: dict[str, list[float]] = {kind: [] for kind in options()}
    for _ in range(ROUNDS):
        for kind, arguments in options().items():
            with containers(count, arguments):
                time.sleep(SETTLE_SECONDS)
                shares[kind].append(share())
    idle = statistics.median(shares.pop("none"))
    cost = {kind: statistics.median(values) - idle for kind, values in shares.items()}
    print(f"| check of {count} containers | share of a core | against every 3 s |\n|---|---|---|")
    for kind, value in cost.items():
        print(f"| {kind} | {value:.1%} | {value / cost['every 3 s']:.2f} |")
    checks = count / 3
    print(f"\nOne check: about {cost['every 3 s'] / checks * 1000:.0f} ms of CPU.")


if __name__ == "__main__":
    main()
