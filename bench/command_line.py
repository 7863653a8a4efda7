"""Measures how long commands take, relative to a `pulumi up` without changes in the same run.

    .venv/bin/python -m bench.command_line [--stack dev] [--rounds 5]

Needs a deployed stack, and the variables of `./deploy.sh env`. The commands take turns, so that other work on the
machine slows all of them alike.
"""

from __future__ import annotations

import argparse
import statistics

from bench.stack import seconds

BASE = "pulumi up"


def commands(stack: str) -> dict[str, list[str]]:
    """Return the commands to measure, by their name in the table."""
    chosen = ["--stack", stack]
    return {
        BASE: ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--expect-no-changes", *chosen],
        "./deploy.sh --help": ["./deploy.sh", "--help"],
        "./deploy.sh token show": ["./deploy.sh", "token", "show", *chosen],
        "./deploy.sh clients": ["./deploy.sh", "clients", *chosen],
        "./deploy.sh status": ["./deploy.sh", "status", *chosen],
        "./deploy.sh": ["./deploy.sh", *chosen],
    }


def table(times: dict[str, list[float]]) -> str:
    """Return the medians, and their ratios to the first command's, as Markdown."""
    base = statistics.median(times[BASE])
    lines = ["| nothing to change | median s | against pulumi up |", "|---|---|---|"]
    for name, values in times.items():
        median = statistics.median(values)
        lines.append(f"| {name} | {median:.2f} | {median / base:.2f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stack", default="dev")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    measured = commands(options.stack)
    times: dict[str, list[float]] = {name: [] for name in measured}
    for _ in range(options.rounds):
        for name, command in measured.items():
            times[name].append(seconds(command))
    print(table(times))


if __name__ == "__main__":
    main()
