"""Understands the commands that fetch and run a package: npx and its like, uvx and its like, and `go run`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from cli.services.importing import package_names
from cli.services.importing.commands.options import Options
from cli.services.importing.package_names import PackageName, shown
from cli.services.importing.requests import Kind, RefusedError, SourceRequest, remark
from infra.services.source_locks import IMAGE_PYTHON
from messages import mark

_NPX_PLAIN = (
    *("y", "yes", "q", "quiet", "s", "silent", "no", "no-install", "prefer-online", "prefer-offline", "offline"),
    *("ignore-existing", "ignore-scripts", "bun", "dlx", "verbose", "no-update-notifier", "no-audit", "no-fund"),
)
_NPX_VALUES = (
    "p",
    "package",
    "registry",
    "c",
    "call",
    "cache",
    "loglevel",
    "node-options",
    "n",
    "node-arg",
    "userconfig",
)
_UVX_PLAIN = (
    *("q", "quiet", "v", "verbose", "n", "no-cache", "refresh", "isolated", "native-tls", "system-certs", "no-config"),
    *("offline", "no-progress", "managed-python", "no-managed-python", "reinstall", "upgrade", "U", "no-build"),
    *("no-python-downloads", "force-reinstall", "no-env-file", "pre"),
)
_UVX_VALUES = (
    *("from", "with", "w", "p", "python", "spec", "index-url", "i", "index", "default-index", "extra-index-url"),
    *(
        "cache-dir",
        "prerelease",
        "refresh-package",
        "exclude-newer",
        "link-mode",
        "directory",
        "project",
        "config-file",
    ),
    *("with-editable", "with-requirements", "constraints", "c", "pip-args", "allow-insecure-host", "env-file"),
)
_INDEXES = ("registry", "index-url", "i", "index", "default-index", "extra-index-url", "find-links", "f", "pip-args")


def npx(program: str, words: Sequence[str], request: SourceRequest) -> None:
    """Read what follows `npx`, `npm exec`, `pnpm dlx`, `yarn dlx` or `bunx`. Raises RefusedError."""
    options = Options(program, words, with_value=_NPX_VALUES, without_value=_NPX_PLAIN)
    packages: list[str] = []
    for option in options:
        if option.name in ("p", "package"):
            packages.append(option.value)
        elif option.name in ("c", "call", "node-options", "n", "node-arg"):
            raise RefusedError(
                remark(
                    mark("{program} runs a script of its own with option {option}"),
                    program=program,
                    option=f"-{option.name}",
                ),
                remark(mark("add the package itself: --from npm:NAME")),
            )
        else:
            _note_option(option.name, request)
    rest = options.rest
    if program in ("npm exec", "npm x") and not options.ended:
        rest = _without_npm_words(rest)
    if len(packages) > 1:
        raise RefusedError(
            remark(mark("{program} installs several packages"), program=program),
            remark(mark("add the package of the server: --from npm:NAME --bin COMMAND")),
        )
    if not packages and not rest:
        raise _without_package(program, "npm:NAME")
    package = package_names.npm(packages[0] if packages else rest.pop(0))
    command = rest.pop(0) if packages and rest else ""
    _put(request, Kind.NPM, package, command, rest)


def uvx(program: str, words: Sequence[str], request: SourceRequest) -> None:
    """Read what follows `uvx`, `uv tool run` or `pipx run`. Raises RefusedError."""
    options = Options(program, words, with_value=_UVX_VALUES, without_value=_UVX_PLAIN)
    spec = ""
    for option in options:
        if option.name in ("from", "spec"):
            spec = option.value
        elif option.name in ("with", "w"):
            request.requirements += tuple(package_names.requirement(part) for part in option.value.split(",") if part)
        elif option.name in ("p", "python"):
            note_python(option.value, request)
        elif option.name in (
            "with-editable",
            "with-requirements",
            "constraints",
            "c",
            "directory",
            "project",
            "env-file",
        ):
            raise RefusedError(
                remark(
                    mark("{program} uses files of this machine with option {option}"),
                    program=program,
                    option=f"--{option.name}",
                ),
                remark(mark("name the packages instead: --from pypi:NAME --with REQUIREMENT")),
            )
        else:
            _note_option(option.name, request)
    rest = options.rest
    if not rest and not spec:
        raise _without_package(program, "pypi:NAME")
    executable = rest.pop(0) if rest else ""
    if spec:
        package, command = package_names.pypi(spec), re.split(r"[@=<>\[]", executable)[0]
    else:
        package = package_names.pypi(executable)
        command = package.name
    _put(request, Kind.PYPI, package, command, rest)
    if not spec:
        # The script that is named like the package is the one uvx runs; where there is none, the package decides.
        request.command = ""


def go_run(words: Sequence[str], request: SourceRequest) -> None:
    """Read what follows `go run`. Raises RefusedError."""
    rest = list(words)
    if not rest or rest[0].startswith("-"):
        raise _without_package("go run", "go:MODULE@v1.2.3")
    _put(request, Kind.GO, package_names.go(rest.pop(0)), "", rest)


def _put(request: SourceRequest, kind: Kind, package: PackageName, command: str, arguments: Sequence[str]) -> None:
    request.kind, request.package, request.version = kind, package.name, package.version
    request.extras, request.command, request.arguments = package.extras, command, tuple(arguments)


def _note_option(option: str, request: SourceRequest) -> None:
    """Tell what is not taken over: addresses of registries, as mirrors are settings; a cache is not needed."""
    if option in _INDEXES:
        request.note(mark("the registry in the command is not used: packages come from the mirrors in the settings"))
    elif option == "prerelease" or option == "pre":
        request.note(mark("pre-releases are only used where an exact version says so"))
    elif option == "exclude-newer":
        request.note(mark("the latest date in the command is not used: the version and its lock decide"))


def _without_npm_words(rest: Sequence[str]) -> list[str]:
    """Return words as npm passes them on: it takes the first `--`, and its own options before that, for itself."""
    if "--" not in rest:
        return list(rest)
    end = rest.index("--")
    own = {f"{'-' * min(len(name), 2)}{name}" for name in _NPX_PLAIN}
    return [*(word for word in rest[:end] if word not in own), *rest[end + 1 :]]


def note_python(wanted: str, request: SourceRequest) -> None:
    """Tell that another Python than that of images is asked for; which one images have is not the package's choice."""
    version = re.sub(r"^(cpython|python|py)[-@]?", "", wanted.strip().lower())
    try:
        fits = IMAGE_PYTHON in SpecifierSet(version if version[:1] in "<>=!~" else f"=={version}.*")
    except InvalidSpecifier:
        fits = False
    if not (fits or version in ("", "3") or version.startswith(f"{IMAGE_PYTHON}.")):
        request.note(
            mark("Python {python} of the command is not used: images have Python {image}"),
            python=shown(version),
            image=IMAGE_PYTHON,
        )


def _without_package(program: str, example: str) -> RefusedError:
    return RefusedError(
        remark(mark("{program} names no package"), program=program),
        remark(mark("complete the command line, or add the server with --from {example}"), example=example),
    )
