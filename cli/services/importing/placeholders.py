"""Replaces the placeholders of client configurations, such as ${env:NAME} and ${input:id}, by their values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cli.services.importing.requests import Question, RefusedError, remark
from cli.services.importing.secret_words import is_secret_name
from messages import mark

#: The data volume, in arguments of service.yaml.
DATA = "${data}"
_PLACEHOLDER = re.compile(
    r"\$\{\{\s*(?:secrets|inputs)\.(?P<doubled>[\w.-]+)\s*\}\}"
    r"|\$\{(?P<braces>[^{}]*)\}"
    r"|\{env:(?P<plain>\w+)\}"
    r"|%(?P<windows>[A-Za-z_]{3,}\w*)%"
)
_DOLLAR = re.compile(r"\$(?P<dollar>[A-Za-z_]\w*)")
#: Placeholders for folders of the user's machine.
_FOLDERS = ("workspaceFolder", "workspaceRoot", "userHome", "HOME", "USERPROFILE", "APPDATA", "PWD", "cwd")


@dataclass(frozen=True)
class Input:
    """A value for which the user is asked: an entry of `inputs` in VS Code, or an input in the registry.

    `format` is number, boolean or filepath, as the registry has them; "" for any text.
    """

    identifier: str
    description: str = ""
    secret: bool = False
    default: str = ""
    choices: tuple[str, ...] = ()
    format: str = ""


@dataclass(frozen=True)
class Expanded:
    """A text whose placeholders were replaced.

    Attributes:
        text: The text; placeholders without a value are left in it, so it is only usable where `missing` is empty.
        secret: Whether a placeholder was a secret.
        missing: A question for each placeholder without a value.
        only: The name of the placeholder, if the text was one placeholder and nothing else.
        folder: Whether a placeholder was a folder of the user's machine; the data volume is in its place.
    """

    text: str = field(repr=False)
    secret: bool = False
    missing: tuple[Question, ...] = ()
    only: str = ""
    folder: bool = False


@dataclass(frozen=True)
class Placeholders:
    """Knows the values of placeholders.

    Attributes:
        environment: The environment variables of the user's machine.
        inputs: The inputs that the configuration declares, by their id.
        answers: What the user answered, by the keys of the questions; this comes first.
        dollar_names: Whether `$NAME` without braces is a placeholder too.
    """

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    inputs: Mapping[str, Input] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict, repr=False)
    dollar_names: bool = False

    def expand(self, text: str) -> Expanded:
        """Return `text` with its placeholders replaced."""
        missing: list[Question] = []
        names: list[str] = []
        secret = folder = False

        def replaced(match: re.Match[str]) -> str:
            nonlocal secret, folder
            content = next(group for group in match.groupdict().values() if group is not None)
            if match[0] == DATA:
                return DATA
            if content.split(":")[0] in _FOLDERS or content.removeprefix("env:") in _FOLDERS:
                folder = True
                return DATA
            if content in ("pathSeparator", "/"):
                return "/"
            question, is_secret, default = self._asked(content)
            names.append(question.key)
            secret = secret or is_secret
            value = self._value(content, question.key, default)
            if value is None:
                missing.append(question)
                return match[0]
            return value

        expanded = _PLACEHOLDER.sub(replaced, text)
        pattern = _PLACEHOLDER
        if self.dollar_names and not _PLACEHOLDER.search(text):
            expanded, pattern = _DOLLAR.sub(replaced, text), _DOLLAR
        only = names[0] if names and pattern.fullmatch(text.strip()) else ""
        return Expanded(expanded, secret, tuple(missing), only, folder)

    def _asked(self, content: str) -> tuple[Question, bool, str | None]:
        """Return the question for a placeholder, whether the answer is secret, and its default value."""
        if content.startswith("input:"):
            identifier = content.removeprefix("input:")
            known = self.inputs.get(identifier) or Input(identifier, secret=is_secret_name(identifier))
            question = Question(identifier, known.description, "" if known.secret else known.default, known.choices)
            return question, known.secret or is_secret_name(identifier), None
        name, separator, default = content.removeprefix("env:").partition(":-")
        return Question(name), is_secret_name(name), default if separator else None

    def _value(self, content: str, key: str, default: str | None) -> str | None:
        if key in self.answers:
            return checked_answer(self.inputs.get(key) or Input(key), self.answers[key])
        if not content.startswith("input:") and self.environment.get(key):
            return self.environment[key]
        return default


def checked_answer(asked: Input, answer: str) -> str:
    """Return the answer to an input if it is possible. Raises RefusedError, which says what is possible."""
    if asked.secret:
        return answer
    if asked.choices and answer not in asked.choices:
        raise RefusedError(
            remark(mark("{name} cannot be {answer!r}"), name=asked.identifier, answer=answer[:60]),
            remark(mark("choose one of: {choices}"), choices=", ".join(asked.choices)),
        )
    if asked.format == "number" and not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", answer):
        raise RefusedError(
            remark(mark("{name} cannot be {answer!r}"), name=asked.identifier, answer=answer[:60]),
            remark(mark("give a number")),
        )
    if asked.format == "boolean" and answer.lower() not in ("true", "false"):
        raise RefusedError(
            remark(mark("{name} cannot be {answer!r}"), name=asked.identifier, answer=answer[:60]),
            remark(mark("choose one of: {choices}"), choices="true, false"),
        )
    if asked.format == "filepath" and not re.match(r"^(\$\{data\}|/data|/tmp)(/(?!\.\.(/|$)).*)?$", answer):
        raise RefusedError(
            remark(
                mark("{name} cannot be {answer!r}: a service has the folders /data and /tmp"),
                name=asked.identifier,
                answer=answer[:60],
            ),
            remark(mark("give a path below /data")),
        )
    return answer
