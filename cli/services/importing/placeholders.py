"""Replaces the placeholders of client configurations, such as ${env:NAME} and ${input:id}, by their values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from enum import StrEnum

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
    r"|\$(?P<dollar>[A-Za-z_]\w*)"
)
_NAME = re.compile(r"[A-Za-z_]\w*")
#: Folders of the user's machine: those that editors know by a word, and those that variables hold.
_EDITOR_FOLDERS = ("workspaceFolder", "workspaceRoot", "userHome", "cwd")
_HOME_FOLDERS = ("HOME", "USERPROFILE", "APPDATA", "PWD")
#: Signs between folders, as editors know them.
_SEPARATORS = ("pathSeparator", "/")


class Form(StrEnum):
    """A way to write a placeholder; each client knows some."""

    NAME = "${NAME}"
    DEFAULT = "${NAME:-default}"
    ENV = "${env:NAME}"
    INPUT = "${input:id}"
    FOLDER = "${workspaceFolder}"
    OTHER = "${anything else}"
    DOLLAR = "$NAME"
    PERCENT = "%NAME%"
    PLAIN = "{env:NAME}"
    DOUBLED = "${{ secrets.NAME }}"


#: Forms that nobody writes by chance, and so not in a password either.
BRACES = frozenset(Form) - {Form.DOLLAR, Form.PERCENT}


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
        kept: The form of the whole text, if it is a placeholder that stays text, as its client does not replace it.
    """

    text: str = field(repr=False)
    secret: bool = False
    missing: tuple[Question, ...] = ()
    only: str = ""
    folder: bool = False
    kept: Form | None = None


@dataclass(frozen=True)
class Placeholders:
    """Knows the values of placeholders.

    Attributes:
        environment: The environment variables of the user's machine.
        inputs: The inputs that the configuration declares, by their id.
        answers: What the user answered, by the keys of the questions; this comes first.
        forms: The forms that are replaced; others stay text.
    """

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    inputs: Mapping[str, Input] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict, repr=False)
    forms: Set[Form] = BRACES

    def knowing(self, *forms: Form) -> Placeholders:
        """Return placeholders that replace these forms too."""
        return replace(self, forms={*self.forms, *forms})

    def of_variable(self, name: str) -> Expanded:
        """Return the value of a variable of the user's machine."""
        return self.knowing(Form.NAME).expand(f"${{{name}}}")

    def expand(self, text: str, *, may_stay: bool = True) -> Expanded:
        """Return `text` with its placeholders replaced.

        A form in braces that the client does not replace is asked for, and never has the value of the machine, if it
        is the whole text, which is no value then, or if the text is to be without any: not `may_stay`.
        """
        expansion = _Expansion(self, text, may_stay)
        expanded = _PLACEHOLDER.sub(expansion.replaced, text)
        is_one = bool(_PLACEHOLDER.fullmatch(text.strip()))
        return Expanded(
            expanded,
            expansion.secret,
            tuple(expansion.missing),
            expansion.names[0] if is_one and expansion.names else "",
            expansion.folder,
            expansion.kept if is_one else None,
        )

    def asked(self, content: str) -> tuple[Question, bool, str | None]:
        """Return the question for a placeholder, whether the answer is secret, and its default value."""
        if content.startswith("input:"):
            identifier = content.removeprefix("input:")
            known = self.inputs.get(identifier) or Input(identifier, secret=is_secret_name(identifier))
            question = Question(identifier, known.description, "" if known.secret else known.default, known.choices)
            return question, known.secret or is_secret_name(identifier), None
        name, separator, default = content.removeprefix("env:").partition(":-")
        return Question(name), is_secret_name(name), default if separator else None

    def value(self, content: str, key: str, default: str | None, *, of_the_machine: bool) -> str | None:
        """Return the value of a placeholder: the answer, that of the machine, or its default; None if it has none."""
        if key in self.answers:
            return checked_answer(self.inputs.get(key) or Input(key), self.answers[key])
        if not of_the_machine:
            return None
        if not content.startswith("input:") and self.environment.get(key):
            return self.environment[key]
        return default


class _Expansion:
    """Replaces the placeholders of one text, and collects what is to be known of them."""

    def __init__(self, known: Placeholders, text: str, may_stay: bool) -> None:
        self._known, self._text, self._may_stay = known, text, may_stay
        self.missing: list[Question] = []
        self.names: list[str] = []
        self.kept: Form | None = None
        self.secret = self.folder = False

    def replaced(self, match: re.Match[str]) -> str:
        """Return what is in place of a placeholder."""
        if match[0] == DATA:
            return DATA
        group, content = next((group, text) for group, text in match.groupdict().items() if text is not None)
        form = _form(group, content)
        is_known = form in self._known.forms
        if self._is_folder(match, content, is_known):
            self.folder = True
            return DATA
        if is_known and content in _SEPARATORS:
            return "/"
        if not is_known and not self._is_asked(match, form):
            self.kept = form
            return match[0]
        question, is_secret, default = self._known.asked(content)
        self.names.append(question.key)
        self.secret = self.secret or is_secret
        value = self._known.value(content, question.key, default, of_the_machine=is_known)
        if value is None:
            self.missing.append(question)
            return match[0]
        return value

    def _is_folder(self, match: re.Match[str], content: str, is_known: bool) -> bool:
        """Tell whether a placeholder is a folder of the machine; one that is not replaced, if it begins a path."""
        name = content.split(":")[0] if content.startswith(_EDITOR_FOLDERS) else content.removeprefix("env:")
        if name not in _EDITOR_FOLDERS and name not in _HOME_FOLDERS:
            return False
        before, after = self._text[: match.start()], self._text[match.end() :]
        return is_known or bool(re.fullmatch(r"\s*|-[\w-]+=", before) and re.match(r"$|[/\\]", after))

    def _is_asked(self, match: re.Match[str], form: Form) -> bool:
        """Tell whether a placeholder that the client does not replace cannot be a part of a value."""
        return form in BRACES and (not self._may_stay or match[0] == self._text.strip())


def _form(group: str, content: str) -> Form:
    """Return in which form a placeholder is written."""
    if group != "braces":
        return {"doubled": Form.DOUBLED, "plain": Form.PLAIN, "windows": Form.PERCENT, "dollar": Form.DOLLAR}[group]
    for start, form in (("input:", Form.INPUT), ("env:", Form.ENV)):
        if content.startswith(start):
            return form
    if content.split(":")[0] in _EDITOR_FOLDERS or content in _SEPARATORS:
        return Form.FOLDER
    name, separator, _ = content.partition(":-")
    if not _NAME.fullmatch(name):
        return Form.OTHER
    return Form.DEFAULT if separator else Form.NAME


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
