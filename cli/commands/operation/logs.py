"""`dyber logs` and `exec`: into the containers of one stack."""

from __future__ import annotations

import subprocess
import sys
import threading
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
from messages import tr

commands = typer.Typer()
_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_green", "bright_magenta")


@commands.command(
    epilog=examples("./deploy.sh logs", "./deploy.sh logs -f xiaohongshu-mcp", "./deploy.sh logs api-gateway --tail 20")
)
def logs(
    service: Annotated[str | None, typer.Argument(help=tr("A service or a container"), show_default=False)] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help=tr("Go on with new lines"))] = False,
    tail: Annotated[int, typer.Option(min=0, help=tr("Last lines of each container"))] = 100,
    stack: StackOption = "dev",
) -> None:
    """Show logs; without a service, of everything."""
    deployment, outputs = deployed(stack)
    everything, missing = with_gone(deployment, outputs["services"])
    named = chosen(everything, service)
    wanted = [one for one in named if one.state != GONE]
    if not wanted and missing:
        raise missing.error(stack)
    width = max((len(_label(one)) for one in wanted), default=0)
    lock = threading.Lock()
    streams: list[tuple[subprocess.Popen[str], threading.Thread]] = []
    try:
        for number, one in enumerate(wanted):
            prefix = "" if len(wanted) == 1 else f"{_label(one):<{width}} | "
            streams.append(_stream(one, prefix, _COLOURS[number % len(_COLOURS)], follow=follow, tail=tail, lock=lock))
            if not follow:
                streams[-1][1].join()
        for _, reader in streams:
            reader.join()
    finally:
        for process, _ in streams:
            process.terminate()
    if len(wanted) < len(named):
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
    """Run a command in a service's container; its exit code is this one's."""
    deployment, outputs = deployed(stack)
    everything, missing = with_gone(deployment, outputs["services"])
    named = chosen(everything, service)
    running = [one for one in named if one.running]
    if all(one.state == GONE for one in named):
        raise missing.error(stack)
    if not running:
        raise StackError(
            tr("{service} is not running", service=service),
            tr("run ./deploy.sh start {service} first", service=service),
        )
    terminal = ["--interactive", "--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else ["--interactive"]
    command = context.args[1:] if context.args[:1] == ["--"] else context.args
    # The docker command, as the SDK cannot lend a container this terminal, with its size, its signals and raw input.
    command = ["docker", "exec", *terminal, running[0].id, *(command or ["sh"])]
    raise typer.Exit(programs.call(command))


def _label(one: Member) -> str:
    return one.service if one.replica == 1 else f"{one.service}-{one.replica}"


def _stream(
    one: Member, prefix: str, colour: str, *, follow: bool, tail: int, lock: threading.Lock
) -> tuple[subprocess.Popen[str], threading.Thread]:
    """Copies a container's log to stdout in a thread of its own, line by line."""
    # The docker command, as a program can be ended at any moment while it waits for lines; a request of the SDK cannot.
    command = ["docker", "logs", "--tail", str(tail), *(["--follow"] if follow else []), one.id]
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace"
        )
    except OSError as error:
        raise programs.not_started("docker", error) from None

    def copy() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            with lock:
                out.print(Text.assemble((prefix, colour), line.rstrip("\n")))

    reader = threading.Thread(target=copy, daemon=True)
    reader.start()
    return process, reader
