"""Runs the command line, and turns every expected failure into one clear message and an exit code."""

from __future__ import annotations

import difflib
import os
import shlex
import sys
from collections.abc import Callable
from typing import Any

import typer

from cli.app import app
from cli.system import programs
from cli.system.checkout import ROOT
from cli.system.errors import StackError
from cli.system.programs import ProgramError
from cli.terminal import crashes
from cli.terminal.console import err, fail, use_utf8
from cli.terminal.usage import FAILED, INTERRUPTED, OK, PROGRAMS, USAGE, completion_variable, usage_message
from messages import tr
from toolchain.errors import SetupError


def main() -> None:
    """Run the command line; every expected failure becomes one clear message and an exit code."""
    use_utf8()
    command = typer.main.get_command(app)
    for program in PROGRAMS:
        if (variable := completion_variable(program)) in os.environ:
            from typer.completion import completion_init  # type: ignore[attr-defined] # imported there, not exported

            completion_init()
            command(prog_name=program, complete_var=variable)  # answers the shell and ends the process
    arguments = with_command_word(sys.argv[1:])
    try:
        code = _guarded(lambda: command(arguments, prog_name="deploy.sh", standalone_mode=False), command)
    finally:
        # Only Pulumi writes salts, so a command that did not start it leaves these files alone.
        if programs.was_started("pulumi"):
            from cli.stack_files import salts

            salts.remove_from_tracked_files(ROOT)
    sys.exit(code)


def with_command_word(arguments: list[str]) -> list[str]:
    """Return the arguments with the command `deploy` in front if they name no command."""
    if arguments[:1] == ["--version"]:
        return ["version", *arguments[1:]]
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        return ["deploy", *arguments]
    return arguments


def _guarded(run: Callable[[], Any], command: Any) -> int:
    try:
        result = run()
        return result if isinstance(result, int) else OK
    except typer.Exit as stop:
        return stop.exit_code
    except typer.TyperException as error:
        _usage(error, command)
        return USAGE
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except BrokenPipeError:
        crashes.give_up_output()
        return FAILED
    except Exception as error:
        return _failed(error)


def _interrupted() -> int:
    err.print(tr("Stopped; the next run goes on from here."))
    return INTERRUPTED


def _failed(error: Exception) -> int:
    """Report a failure, and return the exit code for it."""
    # Imported here, as a command that succeeds does not need them.
    from cli.configuration.selection import SelectionError
    from cli.deployment.events import Cancelled, DeployError, explain
    from cli.engine.errors import EngineError
    from infra.schema.problems import ConfigurationError

    pulumi = sys.modules.get("pulumi.automation.errors")
    if pulumi and isinstance(error, pulumi.CommandError):
        error = explain(str(error), [])
    if (module := sys.modules.get("yaml")) and isinstance(error, module.YAMLError):
        from cli.stack_files import not_yaml
        from cli.system.checkout import ROOT

        error = not_yaml.error_in(ROOT) or error
    match error:
        case Cancelled():
            return _interrupted()
        case SelectionError():
            fail(str(error), "./deploy.sh list")
            return USAGE
        case ConfigurationError():
            fail(str(error), tr("correct it and run again"))
            return USAGE
        case SetupError():
            fail(error.message, error.next_step)
            return error.exit_code
        case DeployError():
            for text in error.details:
                err.print(text, markup=False)
            fail(error.message, error.next_step)
        case StackError() | ProgramError():
            fail(error.message, error.next_step)
        case EngineError():
            fail(str(error), error.next_step)
        case _:
            crashes.report(error)
    return FAILED


def _usage(error: typer.TyperException, command: Any) -> None:
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    names = list(getattr(command, "commands", {}))
    if word and not word.startswith("-") and word not in names:
        near = difflib.get_close_matches(word, names, n=1)
        suggestion = tr("did you mean {near}? ", near=near[0]) if near else ""
        fail(tr("unknown command: {word}", word=word), suggestion + "./deploy.sh --help")
        return
    fail(usage_message(error), f"{shlex.join(['./deploy.sh', *with_command_word(sys.argv[1:])[:1]])} --help")
