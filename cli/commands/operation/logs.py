"""Implements `dyber logs` and `exec` for the containers of one stack."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from cli.commands.reading import StackOption, deployed
from cli.engine.engine import EngineError
from cli.inventory.gone import with_gone
from cli.inventory.members import GONE, Member, chosen
from cli.system import programs
from cli.system.errors import StackError
from cli.terminal.console import fail, out
from cli.terminal.usage import examples
from messages import language, tr

commands = typer.Typer()
_POLLING = '"client":"_hub"'
_FAILED = re.compile(r'"status":[45]')
#: Lines that are read for each that is shown, as most may be about polling, and the least to read.
_POLLING_PER_LINE, _LEAST_READ = 50, 2000
_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_green", "bright_magenta")


@commands.command(
    epilog=examples("./deploy.sh logs", "./deploy.sh logs -f xiaohongshu-mcp", "./deploy.sh logs api-gateway --tail 20")
)
def logs(
    service: Annotated[str | None, typer.Argument(help=tr("A service or a container"), show_default=False)] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help=tr("Keep showing new lines"))] = False,
    tail: Annotated[int, typer.Option(min=0, help=tr("Number of last lines of each container"))] = 100,
    polling: Annotated[
        bool, typer.Option("--polling", help=tr("Show also that the hub asked services for their lists and states"))
    ] = False,
    stack: StackOption = "dev",
) -> None:
    """Show the logs of a service, or of all containers."""
    deployment, outputs = deployed(stack)
    everything, missing = with_gone(deployment, outputs["services"])
    named = chosen(everything, service)
    existing = [member for member in named if member.state != GONE]
    if not existing and missing:
        raise missing.error(stack)
    width = max((len(_label(member)) for member in existing), default=0)
    lock = threading.Lock()
    streams: list[tuple[subprocess.Popen[str], threading.Thread]] = []
    try:
        for number, member in enumerate(existing):
            prefix = "" if len(existing) == 1 else f"{_label(member):<{width}} | "
            colour = _COLOURS[number % len(_COLOURS)]
            streams.append(_stream(member, prefix, colour, follow=follow, tail=tail, polling=polling, lock=lock))
            if not follow:
                streams[-1][1].join()
        for _, reader in streams:
            reader.join()
    finally:
        for process, _ in streams:
            process.terminate()
    if len(existing) < len(named):
        fail(missing.message(), missing.next_step(stack))
    if any(process.wait() > 0 for process, _ in streams):
        raise EngineError(tr("some logs could not be read"))


@commands.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog=examples(
        "./deploy.sh exec api-gateway nginx -t -c /etc/dyber/current/nginx.conf", "./deploy.sh exec xiaohongshu-mcp"
    ),
)
def execute(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help=tr("A service or a container"))],
    stack: StackOption = "dev",
) -> None:
    """Run a command in a service's container, and end with its exit code."""
    deployment, outputs = deployed(stack)
    everything, missing = with_gone(deployment, outputs["services"])
    named = chosen(everything, service)
    running = [member for member in named if member.running]
    if all(member.state == GONE for member in named):
        raise missing.error(stack)
    if not running:
        raise StackError(
            tr("{service} is not running", service=service),
            tr("run ./deploy.sh start {service} first", service=service),
        )
    has_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    raise typer.Exit(programs.call(_docker_exec(running[0].id, context.args, has_terminal=has_terminal)))


def _docker_exec(container: str, arguments: Sequence[str], *, has_terminal: bool) -> list[str]:
    """Return the command line that runs a command, by default a shell, in a container.

    A service's own commands then write in the user's language.
    """
    terminal = ["--interactive", "--tty"] if has_terminal else ["--interactive"]
    command = arguments[1:] if arguments[:1] == ["--"] else arguments
    # The SDK cannot connect a container to this terminal with its size, signals and raw input; the docker command can.
    return ["docker", "exec", *terminal, "--env", f"DYBER_LANGUAGE={language()}", container, *(command or ["sh"])]


def _is_polling(line: str) -> bool:
    """Return whether a line says no more than that the hub asked a service in its own name, and got an answer."""
    return _POLLING in line and '"level":"INFO"' in line and _FAILED.search(line) is None


def _lines_back(member: Member, read: int, tail: int) -> int:
    """Return how many of the last `read` lines hold the last `tail` that are shown."""
    command = ["docker", "logs", "--tail", str(read), member.id]
    result = programs.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
    lines = result.stdout.splitlines()
    shown = [number for number, line in enumerate(lines) if not _is_polling(line)]
    return len(lines) - shown[-min(tail, len(shown))] if shown and tail else 0


def _label(member: Member) -> str:
    return member.service if member.replica == 1 else f"{member.service}-{member.replica}"


def _stream(
    member: Member, prefix: str, colour: str, *, follow: bool, tail: int, polling: bool, lock: threading.Lock
) -> tuple[subprocess.Popen[str], threading.Thread]:
    """Start copying a container's log to stdout line by line; return the process and the thread that do it."""
    # A program can be ended at any moment while it waits for lines; a request of the SDK cannot.
    read = tail if polling else max(tail * _POLLING_PER_LINE, _LEAST_READ) if tail else 0
    if follow and not polling:
        read = _lines_back(member, read, tail)
    command = ["docker", "logs", "--tail", str(read), *(["--follow"] if follow else []), member.id]
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace"
        )
    except OSError as error:
        raise programs.not_started("docker", error) from None

    def copy() -> None:
        assert process.stdout is not None
        shown = (line for line in process.stdout if polling or not _is_polling(line))
        for line in shown if follow else deque(shown, tail):
            with lock:
                out.print(Text.assemble((prefix, colour), line.rstrip("\n")))

    reader = threading.Thread(target=copy, daemon=True)
    reader.start()
    return process, reader
