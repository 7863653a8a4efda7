"""How a command line is used: examples, exit codes, and what is wrong with it in the user's language."""

from __future__ import annotations

import re

import typer
from rich.markup import escape

from messages import tr

#: The exit codes of all commands.
OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
#: Under which names the command is completed: in the checkout, and in an environment made by `env`.
PROGRAMS = ("deploy.sh", "dyber")


def examples(*lines: str) -> str:
    """Help text with examples, one per line."""
    return "\n\n".join([tr("Examples:"), *(f"  [cyan]{escape(line)}[/cyan]" for line in lines)])


def completion_variable(program: str) -> str:
    """The environment variable by which a completion script asks."""
    return f"_{program}_COMPLETE".replace(".", "_").replace("-", "_").upper()


def usage_message(error: typer.TyperException) -> str:
    """One line for an error of the command line. A text of our own stays as it is, without a prefix."""
    option = getattr(error, "option_name", None)
    if option is not None and hasattr(error, "possibilities"):
        near = ", ".join(sorted(error.possibilities or ()))
        hint = tr("; did you mean {near}?", near=near) if near else ""
        return tr("no option {option}", option=option) + hint
    if option is not None:
        if "does not take a value" in error.message:
            return tr("{option} takes no value", option=option)
        return tr("{option} needs a value", option=option)
    if isinstance(error, typer.BadParameter):
        name = _parameter(error)
        if hasattr(error, "param_type"):
            return tr("{name} is missing", name=name)
        return tr("{name}: {text}", name=name, text=error.message) if name else error.message
    if found := re.fullmatch(r"Got unexpected extra arguments?(?:\(s\))? \((.+)\)", error.message):
        return tr("unexpected arguments: {found}", found=found[1])
    if found := re.match(r"No such command '([^']*)'\.(?: Did you mean (.+)\?)?", error.message):
        near = (found[2] or "").replace("'", "")
        hint = tr("; did you mean {near}?", near=near) if near else ""
        return tr("unknown command: {found}", found=found[1]) + hint
    # A group of commands without one of them has told its help, and says nothing more.
    return error.format_message() or tr("a command is missing")


def _parameter(error: typer.BadParameter) -> str:
    """The option or argument that the error is about, as it is written; empty where the error names none."""
    hint = error.param_hint or (error.param.get_error_hint() if error.param is not None else "")
    return (hint if isinstance(hint, str) else " / ".join(hint)).replace("'", "")
