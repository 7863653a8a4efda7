"""A deployed stack: seconds of an `up` that changes nothing, and memory per container.

    .venv/bin/python bench/stack.py [--stack dev] [--rounds 5]

Seconds are of this machine and this moment; compare them within one run.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time


def seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {result.returncode}\n{result.stdout}{result.stderr}")
    return time.perf_counter() - begun


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
    first = statistics.median(times["pulumi preview"])
    print("| nothing to change | median s | against preview |\n|---|---|---|")
    for name, values in times.items():
        print(f"| {name} | {statistics.median(values):.1f} | {statistics.median(values) / first:.1f} |")
    print("\n| container | memory |\n|---|---|")
    listing = subprocess.run(
        ["docker", "ps", "--quiet", "--filter", f"label=dyber.stack={options.stack}"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    stats = subprocess.run(
        ["docker", "stats", "--no-stream", "--format", "| {{.Name}} | {{.MemUsage}} |", *listing],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    print("\n".join(sorted(stats.split("\n"))).strip())


if __name__ == "__main__":
    main()
