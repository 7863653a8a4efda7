"""Translates the words that Typer itself writes on help pages, and lets no line end in the middle of a sentence.

All other words are translated where they are written.
"""

from __future__ import annotations

from typing import Any

import typer
from typer._click.formatting import HelpFormatter  # Typer exports it nowhere else
from typer.core import TyperGroup

from messages import mark, tr

#: The words of `typer.rich_utils` by their names there.
_WORDS = {
    "ARGUMENTS_PANEL_TITLE": mark("Arguments"),
    "OPTIONS_PANEL_TITLE": mark("Options"),
    "COMMANDS_PANEL_TITLE": mark("Commands"),
    "DEFAULT_STRING": mark("[default: {}]"),
    "ENVVAR_STRING": mark("[env var: {}]"),
    "REQUIRED_LONG_STRING": mark("[required]"),
}


class Formatter(HelpFormatter):
    """Writes the line of usage in the user's language."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the line of usage of the program `prog`."""
        super().write_usage(prog, args, prefix or tr("Usage: "))


class HelpContext(typer.Context):
    """The context of a command, whose help page is in the user's language."""

    formatter_class = Formatter

    def get_help(self) -> str:
        """Return the help page."""
        # Imported here, as only help pages need it.
        from typer import rich_utils

        for name, words in _WORDS.items():
            setattr(rich_utils, name, tr(words))
        _wrap_all_words(rich_utils)
        help_option = self.command.get_help_option(self)
        if help_option is not None:
            help_option.help = tr("Show this message and exit.")
        return super().get_help()


def translate(command: Any) -> None:
    """Make the help pages of a command, and of the commands that it has, appear in the user's language."""
    command.context_class = HelpContext
    command.options_metavar = tr("[OPTIONS]")
    if isinstance(command, TyperGroup):
        command.subcommand_metavar = tr("COMMAND [ARGS]...")
        for inner in command.commands.values():
            translate(inner)


def _wrap_all_words(rich_utils: Any) -> None:
    """Let help texts go on in the next line wherever a line is full: Chinese has no spaces, and would be cut off."""
    from rich.text import Text

    make = rich_utils._make_rich_text

    def made(**options: Any) -> Any:
        text = make(**options)
        if isinstance(text, Text):
            text.overflow = "fold"
        return text

    if make.__name__ != made.__name__:
        rich_utils._make_rich_text = made
