"""Injects faults into a stack under steady load and reports lost calls and problems afterwards.

    .venv/bin/python bench/chaos.py [--only FAULT] [--seconds 60]

Examples:
    .venv/bin/python bench/chaos.py                                 # every fault, ten minutes and more
    .venv/bin/python bench/chaos.py --only engine --seconds 10
    .venv/bin/python bench/chaos.py --only clock --only redis

Needs root on Linux, with Docker's programs installed and `./deploy.sh setup` done. Everything runs in separate
namespaces: a second Docker engine with its data on a small file system in a temporary folder, the stack `chaos` of a
copy of the working tree, and the clients. The machine's own engine only builds the images; the machine's clock, disk
and networks stay as they are. All of it is removed when this ends, also on Ctrl-C.

A call is ok if its response is right. It is refused if the response gives a reason or nothing listened, so that nothing
was done. It is lost if the connection broke or the response gives no reason. Exit code 1: a call was lost that was not
in flight at a killed container, a write was done twice, or there were problems afterwards.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.faults import clock
from bench.faults.calls import Row, table
from bench.faults.engine import Engine, isolated, missing_programs, remove_cgroups
from bench.faults.injections import FAULTS, RECOVERY_SECONDS, Fault, Scene
from bench.faults.load import Load
from bench.faults.stack import Stack

#: The variable that names the folder to the program inside the namespaces.
FOLDER_VARIABLE = "DYBER_CHAOS_FOLDER"
STREAMS = 10
BASE_IMAGES = ("dyber-base:trixie", "dyber-base:forky")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def options() -> argparse.Namespace:
    about, _, rest = (__doc__ or "").partition("\n\n")
    faults = "\n".join(f"    {fault.name:<14}{fault.about}" for fault in FAULTS.values())
    parser = argparse.ArgumentParser(
        description=about, epilog=f"{rest}\nfaults:\n{faults}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=FAULTS, metavar="FAULT", help="this fault; may be repeated")
    parser.add_argument(
        "--seconds", type=float, default=60, help="how long a fault with a duration lasts (default: 60)"
    )
    chosen = parser.parse_args()
    if not 1 <= chosen.seconds <= 3600:
        parser.error("--seconds must be 1 to 3600")
    return chosen


def main() -> int:
    chosen = options()
    if folder := os.environ.get(FOLDER_VARIABLE):
        return run(Path(folder), [FAULTS[name] for name in chosen.only or FAULTS], chosen.seconds)
    if sys.platform != "linux" or os.geteuid() != 0:
        raise SystemExit("bench/chaos.py needs root on Linux: it makes namespaces and a file system")
    if missing := missing_programs():
        raise SystemExit(f"bench/chaos.py needs these programs, which are not installed: {', '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="dyber-chaos-", ignore_cleanup_errors=True) as name:
        try:
            return run_isolated(name)
        finally:
            remove_cgroups()


def run_isolated(folder: str) -> int:
    """Run this program again in separate namespaces and return its exit code.

    A signal that ends this process ends everything in the namespaces.
    """
    child = subprocess.Popen(
        isolated([sys.executable, str(Path(__file__).resolve()), *sys.argv[1:]]),
        env={**os.environ, FOLDER_VARIABLE: folder},
    )
    signal.signal(signal.SIGTERM, lambda *_: child.kill())
    while True:
        try:
            code = child.wait()
        except KeyboardInterrupt:
            say("stopping …")
            continue
        return code if code >= 0 else 128 - code


def run(folder: Path, faults: list[Fault], seconds: float) -> int:
    """Run the load and the faults, inside the namespaces; return 0 if there were no problems."""
    engine = Engine(folder)
    stack = Stack(folder, engine, say)
    say("copying the working tree, building images on this machine's engine …")
    stack.copy()
    images = stack.build_images()
    variants = {
        name: image if name in clock.REAL_CLOCK else clock.build(name, image, folder_for(folder, name))
        for name, image in images.items()
    }
    try:
        say("starting the second engine, copying images to it …")
        engine.start()
        engine.copy_images([*BASE_IMAGES, *variants.values()])
    finally:
        made = [variant for name, variant in variants.items() if name not in clock.REAL_CLOCK]
        subprocess.run(["docker", "rmi", *made, images["ledger"]], check=False, capture_output=True)
    say("deploying …")
    stack.deploy(variants)
    rows: list[Row] = []
    try:
        with Load(stack.callers(), stack.token, f"{stack.base}/api/template/mcp/sse", STREAMS, stack.all_up) as load:
            if load.seconds_until_recovered(time.monotonic(), RECOVERY_SECONDS)[0] is None:
                raise SystemExit(f"the stack does not answer correctly before any fault: {load.calls[-5:]}")
            for number, fault in enumerate(faults, 1):
                say(f"{number}/{len(faults)} {fault.name}: {fault.about} …")
                rows.append(measure(fault, stack, load, seconds))
                say("  " + " | ".join(rows[-1].cells()))
    except KeyboardInterrupt:
        say("stopped; the results until now:")
    # The writes of all rows are counted at the end, because a write may arrive late.
    runs = stack.runs()
    for row in rows:
        row.runs = runs
        row.problems += [f"{len(row.missing_writes)} writes answered as done are missing"] if row.missing_writes else []
    print(table(rows))
    for row in rows:
        show_details(row)
    return 0 if rows and all(row.good for row in rows) else 1


def folder_for(folder: Path, image: str) -> Path:
    """Return an empty folder to build an image from."""
    made = folder / "builds" / image
    made.mkdir(parents=True)
    return made


def measure(fault: Fault, stack: Stack, load: Load, seconds: float) -> Row:
    """Return the table row of one fault."""
    scene = Scene(stack, stack.engine, load, seconds, say)
    begun = time.monotonic()
    problems: list[str] = []
    try:
        fault.inject(scene)
    except (RuntimeError, OSError, ValueError, subprocess.SubprocessError) as error:
        problems.append(f"{type(error).__name__}: {str(error).splitlines()[0]}")
        say(str(error))
    ended = time.monotonic()
    recovery, last = load.seconds_until_recovered(ended, RECOVERY_SECONDS)
    if scene.slowest:
        recovery, last = scene.slowest if recovery is not None else (None, last)
    problems_afterwards, repairs = stack.find_problems(fault.deploying_mends)
    calls = load.since(begun)
    cuts = sum(begun <= cut for cut in load.cuts)
    return Row(
        fault.name, calls, scene.killed, recovery_seconds=recovery, recovered_last=last, streams_cut=cuts,
        problems=problems + problems_afterwards, notes=scene.notes + repairs,
    )  # fmt: skip


def show_details(row: Row) -> None:
    """Print the details of a row that the table does not show."""
    lines = [*row.notes]
    if row.streams_cut:
        lines.append(f"{row.streams_cut} legacy streams cut")
    if row.refused_but_done:
        lines.append(f"{row.refused_but_done} writes were answered with an error but done")
    lines += [f"lost: {row.description(call)}" for call in row.unexcused[:10]]
    for line in lines:
        print(f"{row.fault}: {line}")


if __name__ == "__main__":
    raise SystemExit(main())
