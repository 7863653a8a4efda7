"""Measures a deployed stack: seconds of an `up` without changes, memory per container, and CPU without calls.

    .venv/bin/python bench/stack.py [--stack dev] [--rounds 5]

Seconds depend on the machine and its other work; compare them within one run only.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

IDLE_SECONDS = 60


def seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {result.returncode}\n{result.stdout}{result.stderr}")
    return time.perf_counter() - begun


def output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def engine_seconds() -> float:
    """Return the CPU seconds of the engine and of its ended child processes, such as health checks."""
    ticks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "comm").read_text().strip()
            if name in ("dockerd", "containerd") or name.startswith("containerd-shim"):
                ticks += sum(map(int, (folder / "stat").read_text().rsplit(")", 1)[1].split()[11:15]))
        except OSError:
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stack", default="dev")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    common = ["-s", options.stack, "--non-interactive"]
    commands = {
        "pulumi preview": ["pulumi", "preview", *common, "--expect-no-changes"],
        "pulumi up": ["pulumi", "up", "--yes", "--skip-preview", *common, "--expect-no-changes"],
        "pulumi up --refresh": ["pulumi", "up", "--yes", "--skip-preview", "--refresh", *common, "--expect-no-changes"],
        "./deploy.sh": ["./deploy.sh", "--stack", options.stack],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(options.rounds):
        for name, command in commands.items():
            times[name].append(seconds(command))
    before, begun = engine_seconds(), time.perf_counter()
    time.sleep(IDLE_SECONDS)
    idle = (engine_seconds() - before) / (time.perf_counter() - begun)
    first = statistics.median(times["pulumi preview"])
    print("| nothing to change | median s | against preview |\n|---|---|---|")
    for name, values in times.items():
        print(f"| {name} | {statistics.median(values):.1f} | {statistics.median(values) / first:.1f} |")
    print(f"\nEngine with its health checks while nobody calls: {idle:.1%} of a core.")
    print("\n| container | memory |\n|---|---|")
    gateway = json.loads(output(["pulumi", "stack", "output", "gateway", "--json", "-s", options.stack]))
    # This engine may have another deployment of a stack of the same name.
    label = '{{index .Config.Labels "dyber.deployment"}}'
    deployment = output(["docker", "inspect", "--format", label, gateway["container"]]).strip()
    listing = output(["docker", "ps", "--quiet", "--filter", f"label=dyber.deployment={deployment}"]).split()
    stats = output(["docker", "stats", "--no-stream", "--format", "| {{.Name}} | {{.MemUsage}} |", *listing])
    print("\n".join(sorted(stats.split("\n"))).strip())


if __name__ == "__main__":
    main()
