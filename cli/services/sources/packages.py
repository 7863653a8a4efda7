"""Describes a package that a source names, and the errors of looking it up."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from cli.system.errors import StackError
from infra.services.source import SourceKind
from messages import tr


class SourceError(StackError):
    """A source cannot be used, or cannot be locked; `next_step` says what the user can do."""


@dataclass(frozen=True)
class Package:
    """An exact version of a package, as its registry describes it.

    - `reference` is what service.yaml gets, such as `@scope/name@1.2.3`.
    - `programs` are what `command` of the source may be: names of bins or console scripts, or `-m module`.
    - `needs` is the runtime that it asks for, such as `>=20`; `deprecated` are its publisher's words if it is.
    """

    kind: SourceKind
    name: str
    version: str
    reference: str
    programs: tuple[str, ...] = ()
    description: str = ""
    license: str = ""
    homepage: str = ""
    needs: str = ""
    deprecated: str = ""


@dataclass(frozen=True)
class LockReport:
    """What a lock holds: how many packages, and those with scripts that would run at installation, but never do here.

    `warnings` are sentences in the user's language.
    """

    packages: int
    install_scripts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def choose_program(package: Package, wanted: str = "") -> str:
    """Return the program of a package that a service starts: the wanted one, else its only one, else that with the
    package's name.

    Raises SourceError naming the programs if it has none, or several, or not the wanted one.
    """
    if not package.programs:
        raise SourceError(
            tr("{package} has no program to start, so it is a library and not a server", package=package.reference),
            tr("look in its documentation for the package with the server"),
        )
    programs = ", ".join(shlex.quote(program) for program in package.programs)
    if wanted:
        if wanted not in package.programs and not wanted.startswith("-m "):
            raise SourceError(
                tr("{package} has no program {wanted}", package=package.reference, wanted=wanted),
                tr("choose one of these with --bin: {programs}", programs=programs),
            )
        return wanted
    last = package.name.rpartition("/")[2]
    for name in package.programs:
        if len(package.programs) == 1 or name == last:
            return name
    raise SourceError(
        tr("{package} has several programs: {programs}", package=package.reference, programs=programs),
        tr("choose one with --bin, such as --bin {program}", program=shlex.quote(package.programs[0])),
    )
