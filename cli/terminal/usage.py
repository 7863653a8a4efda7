"""Defines exit codes and examples of commands, and explains errors of the command line in the user's language."""

from __future__ import annotations

import re

import typer
from rich.markup import escape

from messages import mark, tr

#: The exit codes of all commands.
OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
#: Names of the program for which shells complete commands: in the checkout, and in an environment from `env`.
PROGRAMS = ("deploy.sh", "dyber")
#: Typer's reasons why a file or folder cannot be used, each with the message for it.
_PATH_REASONS = {
    "does not exist": mark("{path} does not exist"),
    "is a file": mark("{path} is a file, not a folder"),
    "is a directory": mark("{path} is a folder, not a file"),
    "is not readable": mark("{path} cannot be read"),
    "is not writable": mark("{path} cannot be written"),
}


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
        text = _reason(error)
        return tr("{name}: {text}", name=name, text=text) if name else text
    if match := re.fullmatch(r"Got unexpected extra arguments?(?:\(s\))? \((.+)\)", error.message):
        return tr("unexpected arguments: {arguments}", arguments=match[1])
    if match := re.match(r"No such command '([^']*)'\.(?: Did you mean (.+)\?)?", error.message):
        near = (match[2] or "").replace("'", "")
        hint = tr("; did you mean {near}?", near=near) if near else ""
        return tr("unknown command: {word}", word=match[1]) + hint
    # A group that is called without a command has printed its help, and its error has no message.
    return error.format_message() or tr("a command is missing")


def _reason(error: typer.BadParameter) -> str:
    """Return why a value cannot be used; Typer's own reasons are English; all others are already in the user's language."""
    if (errors := getattr(error.__cause__, "errors", None)) is not None:
        # Typer has had Pydantic read the value. Imported here, as a right command line does not need it.
        from infra.schema.messages import filled_in

        first = errors()[0]
        return filled_in(first["type"], {**first.get("ctx", {}), "words": first["msg"]})
    if match := re.fullmatch(r"(?:file|directory|path) '(.*)' (.+)\.", error.message):
        path, words = match.groups()
        return tr(_PATH_REASONS[words], path=path) if words in _PATH_REASONS else error.message
    return error.message


def _parameter(error: typer.BadParameter) -> str:
    """Return the option or argument that the error names, as the user writes it; '' if it names none."""
    hint = error.param_hint or (error.param.get_error_hint() if error.param is not None else "")
    return (hint if isinstance(hint, str) else " / ".join(hint)).replace("'", "")
