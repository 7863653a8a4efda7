"""Turns the inputs of a `server.json` into texts, in which `${input:KEY}` stands for what the user has to give."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from cli.services.importing import placeholders
from cli.services.importing.placeholders import checked_answer
from cli.services.importing.registry.models import Argument, Input
from cli.services.importing.requests import RefusedError, remark
from messages import mark

_VARIABLE = re.compile(r"\{([^{}]+)\}")


class Inputs:
    """Makes texts of inputs, and collects in `known` what the user is asked for, by key.

    `answers` are the answers so far.
    """

    def __init__(self, answers: Mapping[str, str]) -> None:
        self._answers = answers
        self.known: dict[str, placeholders.Input] = {}

    def text(self, given: Input, key: str) -> str | None:
        """Return the text of an input; None if the user need not give it and has not.

        A fixed value has its variables replaced. A default is the answer that is offered; for an input that is not
        required, it is the value.
        """
        if given.value is not None:
            return self.template(given.value, given.variables)
        asked = placeholders.Input(
            key, given.description, given.is_secret, given.default or "", given.choices, given.format
        )
        if key not in self._answers and not given.is_required and not given.is_secret:
            return given.default
        if given.is_secret and not given.is_required and key not in self._answers:
            return None
        self.known[key] = asked
        return f"${{input:{key}}}"

    def template(self, text: str, variables: Mapping[str, Input]) -> str:
        """Return `text` with each `{x}` replaced by the variable of this name; an unknown one stays."""

        def replaced(match: re.Match[str]) -> str:
            variable = variables.get(match[1])
            if variable is None:
                return match[0]
            return self.text(variable, match[1]) or ""

        return _VARIABLE.sub(replaced, text)

    def literal(self, given: Input, key: str) -> str:
        """Return what is known of an input without asking: its value, the answer, or the default."""
        return given.value or self._answers.get(key) or given.default or ""

    def argument(self, argument: Argument, *, may_be_secret: bool = False) -> list[str]:
        """Return the words of an argument.

        Raises RefusedError if it is secret, as all processes would see it, unless it `may_be_secret`: the options of
        `docker run` are read here, and not given to a process.
        """
        key = argument.name.lstrip("-") if argument.type == "named" else argument.value_hint or "argument"
        is_secret = argument.is_secret or any(variable.is_secret for variable in argument.variables.values())
        if is_secret and not may_be_secret:
            raise RefusedError(
                remark(mark("the server gets a secret as an argument ({names}), where every process can read it"),
                       names=argument.name or key),
                remark(mark("if the server also takes it from a variable: leave the argument out, and give --secret NAME")),
            )  # fmt: skip
        if argument.type == "named" and re.search(r"[\s<$]|^[^-]", argument.name):
            raise RefusedError(
                remark(mark("the argument {name} has no usable name"), name=argument.name[:40] or "…"),
                remark(mark("ask the server's publisher, or add its package with --from npm:NAME")),
            )
        if argument.format == "boolean" and argument.type == "named":
            return self._switch(argument, key)
        if argument.is_repeated and argument.value is None and key in self._answers:
            words = shlex.split(self._answers[key])
            asked = placeholders.Input(key, choices=argument.choices, format=argument.format)
            return [word for value in words for word in self._words(argument, checked_answer(asked, value))]
        text = self.text(argument, key)
        if text is None:
            return []
        return self._words(argument, text)

    def _words(self, argument: Argument, text: str) -> list[str]:
        if argument.type == "positional":
            return [text]
        if not text:
            return [argument.name]
        is_joined = argument.value is not None and argument.value.startswith("=")
        return [f"{argument.name}{text}"] if is_joined else [argument.name, text]

    def _switch(self, argument: Argument, key: str) -> list[str]:
        """Return the words of an option that is there or not; `--flag=true` only if the publisher writes it so."""
        known = self.literal(argument, key).lstrip("=").lower()
        if known not in ("true", "false", ""):
            checked_answer(placeholders.Input(key, format="boolean"), known)
        if argument.value is not None and argument.value.startswith("="):
            return [f"{argument.name}{argument.value}"]
        return [argument.name] if known == "true" else []
