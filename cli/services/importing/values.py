"""Puts variables, headers, arguments and the address of a server into a request, and keeps secrets apart."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath, PureWindowsPath

from pydantic import SecretStr

from cli.services.importing import addresses
from cli.services.importing.names import cannot_be_given, secret_name, variable_name
from cli.services.importing.placeholders import DATA, Expanded, Form, Placeholders
from cli.services.importing.requests import Question, RefusedError, SourceRequest, WantedSecret, remark
from cli.services.importing.secret_words import (
    is_secret_name,
    is_secret_value,
    may_be_secret,
    possible_secrets,
    secret_arguments,
    stands_for_a_value,
)
from messages import mark

#: Folders of a user's machine; others, such as /tmp, may be meant in the container.
_ON_THE_MACHINE = re.compile(
    r"(?i)^(/Users/|/home/|/root(/|$)|/Volumes/|/mnt/|/media/|/path/|/srv/|/opt/|/var/|/workspaces?(/|$)|~(/|\\|$)|[a-z]:[\\/])"
)
_SCHEME = re.compile(r"^(?P<scheme>Bearer|Basic|Token|ApiKey|Api-Key)\s+(?P<rest>\S.*)$", re.IGNORECASE)
_DATA_FOLDER = "/data"


@dataclass
class Values:
    """Fills a request with values, whose placeholders it replaces.

    Attributes:
        request: The request to fill.
        placeholders: Knows the values of placeholders.
        private: Whether an address of a private network is accepted.
        files: Reads a file with variables of the user's machine; None if it cannot be read.
    """

    request: SourceRequest
    placeholders: Placeholders = field(default_factory=Placeholders)
    private: bool = False

    def with_environment(self, variables: Mapping[str, str]) -> Values:
        """Return values for the same request, whose placeholders may be these variables too."""
        environment = {**self.placeholders.environment, **variables}
        return replace(self, placeholders=replace(self.placeholders, environment=environment))

    def knowing(self, *forms: Form) -> Values:
        """Return values for the same request, in which these forms of placeholders are replaced too."""
        return replace(self, placeholders=self.placeholders.knowing(*forms))

    def variable(
        self, name: str, value: str | None, *, secret: bool = False, required: bool = True, description: str = ""
    ) -> None:
        """Add a variable; None stands for the value that it has on the user's machine."""
        request = self.request
        if cannot_be_given(name):
            request.note(mark("the variable {name} is not taken over: the image sets it, or it is unsafe"), name=name)
            return
        expanded = self.placeholders.of_variable(name) if value is None else self.placeholders.expand(value)
        self._note_kept(name, expanded)
        text = self._in_the_container(expanded.text, _DATA_FOLDER)
        is_named = secret or expanded.secret or is_secret_name(name) or is_secret_value(text)
        if is_named or may_be_secret(text):
            if not is_named:
                self._note_looks_secret(name)
            usable = not expanded.missing and self._is_a_value(name, text)
            self._add_secret(name, text if usable else None, required, description)
            return
        if not self._is_answered(expanded):
            return
        if text.strip() and stands_for_a_value(text):
            answer = self.placeholders.answers.get(name)
            if answer is None:
                request.ask(Question(name, description, placeholder=text[:60]))
                return
            text = answer
            if may_be_secret(text):
                self._note_looks_secret(name)
                self._add_secret(name, text, required, description)
                return
        request.environment[self._called(name, variable_name(name, request.name))] = text

    def header(
        self, name: str, value: str, *, secret: bool = False, description: str = "", variable: bool = False
    ) -> None:
        """Add a header for a remote server; with `variable`, `${NAME}` in it is a variable of the user's machine."""
        request = self.request
        placeholders = self.placeholders.knowing(Form.NAME) if variable else self.placeholders
        expanded = placeholders.expand(value, may_stay=False)
        self._note_kept(name, expanded)
        if not (secret or expanded.secret or is_secret_name(name) or may_be_secret(expanded.text)):
            if self._is_answered(expanded):
                request.headers[name] = expanded.text
            return
        scheme = _SCHEME.match(expanded.text)
        rest = scheme["rest"] if scheme else expanded.text
        # The placeholder's name is the user's own name for the secret.
        only = expanded.only or placeholders.expand(_SCHEME.sub(r"\g<rest>", value), may_stay=False).only
        subject = "token" if name.lower() in ("authorization", "proxy-authorization") else name
        key = secret_name(only or f"{request.name or 'server'}_{subject}", request.name)
        usable = not expanded.missing and self._is_a_value(name, rest)
        request.secrets[key] = WantedSecret(key, True, description, SecretStr(rest) if usable else None)
        request.headers[name] = f"{scheme['scheme']} ${{{key}}}" if scheme else f"${{{key}}}"

    def arguments(self, arguments: Sequence[str]) -> None:
        """Add the server's arguments. Raises RefusedError if one is secret, as all processes would see it."""
        result: list[str] = []
        positions: list[int] = []
        hidden: list[str] = []
        answered: set[int] = set()
        for position, argument in enumerate(arguments, 1):
            expanded = self.placeholders.expand(argument, may_stay=False)
            if expanded.secret:
                hidden.append(f"{position}")
                continue
            text = self._in_the_container(expanded.text, DATA)
            if expanded.folder:
                self._note_folders()
            if self._is_answered(expanded):
                if stands_for_a_value(text) and text and not secret_arguments((*result[-1:], text)):
                    text = self._answer(f"argument-{position}", text)
                    answered.add(position)
                if not (result and text == DATA == result[-1]):
                    result.append(text)
                    positions.append(position)
        if names := [*secret_arguments(tuple(result)), *hidden]:
            raise RefusedError(
                remark(mark("the server gets a secret as an argument ({names}), where every process can read it"),
                       names=", ".join(names)),
                remark(mark("if the server also takes it from a variable: leave the argument out, and give --secret NAME")),
            )  # fmt: skip
        self._refuse_possible_secrets(result, positions, answered)
        if any(DATA in argument for argument in result):
            self.request.data = True
        self.request.arguments = tuple(result)

    def _refuse_possible_secrets(
        self, arguments: Sequence[str], positions: Sequence[int], answered: Collection[int]
    ) -> None:
        """Raise RefusedError if an argument looks like a secret, unless the user gave the same text as an answer too.

        In the positions `answered`, the answer is the only place where the user gave it.
        """
        for index, option in possible_secrets(arguments).items():
            key = f"argument-{positions[index]}"
            if positions[index] not in answered and self.placeholders.answers.get(key) == arguments[index]:
                continue
            shown = f"{positions[index]}, {option}" if option else f"{positions[index]}"
            raise RefusedError(
                remark(mark("argument {argument} looks like a secret, and arguments stand in clear in service.yaml"),
                       argument=shown),
                remark(mark("if the server also takes it from a variable: leave the argument out, and give --secret NAME; "
                            "if it is public: --set {key}=… with the same value"), key=key),
            )  # fmt: skip

    def address(self, address: str) -> None:
        """Make an address the source; a secret without a value stays in it by its name. Raises RefusedError."""
        expanded = self.placeholders.expand(address, may_stay=False)
        if expanded.secret and expanded.missing:
            names = {question.key: secret_name(question.key, self.request.name) for question in expanded.missing}
            for question in expanded.missing:
                key = names[question.key]
                self.request.secrets[key] = WantedSecret(key, description=question.description)
            by_name = {key: f"${{{name}}}" for key, name in names.items()}
            answers = {**by_name, **self.placeholders.answers}
            expanded = replace(self.placeholders, answers=answers).expand(address, may_stay=False)
        # Where an answer is missing, the address is checked as far as it is known.
        text = expanded.text if self._is_answered(expanded) else re.sub(r"\$\{[^{}]*\}", "x", expanded.text)
        addresses.put_address(self.request, text, private=self.private)

    def _called(self, name: str, known: str) -> str:
        """Return the name in service.yaml for the server's variable `name`, `known` or a similar one that is free."""
        request = self.request
        taken = {*request.environment, *request.secrets} - {request.renamed.get(name, name)}
        number, candidate = 1, known
        while candidate in taken and candidate != name:
            number += 1
            candidate = f"{known}_{number}"
        if candidate != name:
            request.renamed[name] = candidate
        return candidate

    def _is_answered(self, expanded: Expanded) -> bool:
        for question in expanded.missing:
            self.request.ask(question)
        return not expanded.missing

    def _note_looks_secret(self, name: str) -> None:
        self.request.note(mark("{name} is taken as a secret, because its value looks like one"), name=name[:60])

    def _add_secret(self, name: str, text: str | None, required: bool, description: str) -> None:
        """Add a variable that is secret; without a text, its value is still to be given."""
        known = self._called(name, secret_name(name, self.request.name))
        value = None if text is None else SecretStr(text)
        self.request.secrets[known] = WantedSecret(known, required, description, value)

    def _is_a_value(self, name: str, text: str) -> bool:
        """Tell whether the text of a secret is its value; the user is told if it only stands for one."""
        if not text.strip():
            return False
        if is_placeholder := stands_for_a_value(text):
            self.request.note(
                mark("{name}: what is written there is a placeholder such as YOUR_KEY, so no value is stored"),
                name=name[:60],
            )
        return not is_placeholder

    def _answer(self, key: str, text: str) -> str:
        answer = self.placeholders.answers.get(key)
        if answer is None:
            self.request.ask(Question(key, placeholder=text[:60]))
            return text
        return answer

    def _in_the_container(self, text: str, volume: str) -> str:
        """Return `text` with a path of the user's machine moved to the data volume."""
        start, equals, path = text.rpartition("=") if text.startswith("-") else ("", "", text)
        if DATA in path and volume != DATA:
            path = path.replace(DATA, volume)
            self.request.data = True
        if path == _DATA_FOLDER or path.startswith(f"{_DATA_FOLDER}/"):
            self.request.data = True
            return f"{start}{equals}{volume}{path[len(_DATA_FOLDER) :]}"
        if not _ON_THE_MACHINE.match(path):
            return f"{start}{equals}{path}"
        name = PureWindowsPath(path).name if "\\" in path or path[1:2] == ":" else PurePosixPath(path).name
        is_file = "." in name.strip(".")
        self.request.data = True
        self._note_folders()
        return f"{start}{equals}{volume}{f'/{name}' if is_file else ''}"

    def _note_kept(self, name: str, expanded: Expanded) -> None:
        """Tell that a value is a placeholder which its client does not replace; its text may be a password."""
        if expanded.kept:
            self.request.note(
                mark("{name} is taken as written: the client of this file does not replace {form}"),
                name=name[:60],
                form=expanded.kept,
            )

    def _note_folders(self) -> None:
        self.request.data = True
        self.request.note(
            mark("folders of this machine are not visible to the service; its data volume (/data) is in their place")
        )
