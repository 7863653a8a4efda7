"""Defines exit codes and examples of commands, and explains errors of the command line in the user's language."""

from __future__ import annotations

import re

import typer
from rich.markup import escape

from messages import tr

#: The exit codes of all commands.
OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
#: Names of the program for which shells complete commands: in the checkout, and in an environment from `env`.
PROGRAMS = ("deploy.sh", "dyber")


def examples(*lines: str) -> str:
    """Return help text with one example per line."""
    return "\n\n".join([tr("Examples:"), *(f"  [cyan]{escape(line)}[/cyan]" for line in lines)])


def completion_variable(program: str) -> str:
    """Return the environment variable in which a completion script passes its request."""
    return f"_{program}_COMPLETE".replace(".", "_").replace("-", "_").upper()


def usage_message(error: typer.TyperException) -> str:
    """Return one line in the user's language that explains an error of the command line."""
    option = getattr(error, "option_name", None)
    if option is not None and hasattr(error, "possibilities"):
        near = ", ".join(sorted(error.possibilities or ()))
        hint = tr("; did you mean {near}?", near=near) if near else ""
        return tr("there is no option {option}", option=option) + hint
    if option is not None:
        if "does not take a value" in error.message:
            return tr("{option} takes no value", option=option)
        return tr("{option} needs a value", option=option)
    if isinstance(error, typer.BadParameter):
        name = _parameter(error)
        if hasattr(error, "param_type"):
            return tr("{name} is missing", name=name)
        return tr("{name}: {text}", name=name, text=error.message) if name else error.message
    if match := re.fullmatch(r"Got unexpected extra arguments?(?:\(s\))? \((.+)\)", error.message):
        return tr("unexpected arguments: {arguments}", arguments=match[1])
    if match := re.match(r"No such command '([^']*)'\.(?: Did you mean (.+)\?)?", error.message):
        near = (match[2] or "").replace("'", "")
        hint = tr("; did you mean {near}?", near=near) if near else ""
        return tr("unknown command: {word}", word=match[1]) + hint
    # A group that is called without a command has printed its help, and its error has no message.
    return error.format_message() or tr("a command is missing")


def _parameter(error: typer.BadParameter) -> str:
    """Return the option or argument that the error names, as the user writes it; '' if it names none."""
    hint = error.param_hint or (error.param.get_error_hint() if error.param is not None else "")
    return (hint if isinstance(hint, str) else " / ".join(hint)).replace("'", "")
