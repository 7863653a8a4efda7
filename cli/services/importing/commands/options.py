"""Reads the options of a command line, as far as it is known which options there are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from cli.services.importing.requests import RefusedError, remark
from messages import mark


@dataclass(frozen=True)
class Given:
    """An option of a command line, without its dashes, and its value; "" for an option that has none."""

    name: str
    value: str = ""


class Options:
    """Takes options from the front of a command line, until its first other word.

    `with_value` and `without_value` are the options that the program `program` has. After reading, `rest` is what
    follows, and `ended` tells whether a `--` stood before that. Raises RefusedError for an unknown option, or where a value is missing.
    """

    def __init__(
        self, program: str, words: Sequence[str], *, with_value: Collection[str], without_value: Collection[str]
    ) -> None:
        self._program = program
        self._with_value, self._without_value = frozenset(with_value), frozenset(without_value)
        self.rest, self.ended = list(words), False

    def __iter__(self) -> Iterator[Given]:
        while self.rest and self.rest[0].startswith("-") and self.rest[0] != "-":
            word = self.rest.pop(0)
            if word == "--":
                self.ended = True
                return
            yield from self._options(word)

    def _options(self, word: str) -> Iterator[Given]:
        name, equals, value = word.partition("=")
        if name.startswith("--"):
            key = name[2:]
            if key in self._without_value:
                yield Given(key, value)
            elif key in self._with_value:
                yield Given(key, value if equals else self._next(name))
            else:
                raise refused_option(self._program, name)
            return
        letters = word[1:]
        for position, letter in enumerate(letters):
            if letter in self._without_value:
                yield Given(letter)
            elif letter in self._with_value:
                attached = letters[position + 1 :].removeprefix("=")
                yield Given(letter, attached or self._next(f"-{letter}"))
                return
            else:
                raise refused_option(self._program, f"-{letter}")

    def _next(self, option: str) -> str:
        if not self.rest:
            raise RefusedError(
                remark(mark("{program} {option} has no value"), program=self._program, option=option),
                remark(mark("complete the command line")),
            )
        return self.rest.pop(0)


def refused_option(program: str, option: str) -> RefusedError:
    """Return the refusal of an option whose meaning is not known here."""
    return RefusedError(
        remark(mark("option {option} of {program} is not understood"), option=option, program=program),
        remark(mark("remove it if the server runs without it, or add the server with --from")),
    )
