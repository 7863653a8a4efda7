"""Understands the command of a server in a client's configuration: which package, image or address is meant."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import PureWindowsPath

from cli.services.importing import package_names
from cli.services.importing.commands import remotes
from cli.services.importing.commands.containers import docker_run
from cli.services.importing.commands.options import Options
from cli.services.importing.commands.packages import go_run, note_python, npx, uvx
from cli.services.importing.placeholders import Form
from cli.services.importing.requests import Kind, Question, RefusedError, SourceRequest, remark
from cli.services.importing.values import Values
from messages import mark

#: Commands that hold others, such as `cmd /c npx …`, may hold so many.
_MOST_NESTED = 4
_ENDINGS = (".exe", ".cmd", ".bat", ".ps1")
_SHELLS = ("sh", "bash", "zsh", "dash", "ash", "fish")
_CONTAINERS = ("docker", "podman", "nerdctl", "finch")
#: Words before which `run` stands, as in `docker container run`.
_BEFORE_RUN = ("container",)
_SCRIPTS = (
    "node",
    "tsx",
    "ts-node",
    "deno",
    "java",
    "dotnet",
    "ruby",
    "php",
    "perl",
    "cargo",
    "poetry",
    "pdm",
    "hatch",
)
_PYTHON = re.compile(r"^(python|py|pypy)(\d+(\.\d+)*)?w?$")
#: What makes a line of a shell more than one plain command.
_SHELL_SYNTAX = re.compile(r"[;&|<>`\n]|\$\(|\$(?!\{)")
#: Programs that pass messages on to a remote server, by the names of their packages.
_REMOTE = {
    "mcp-remote": "mcp-remote",
    "mcp-remote-client": "mcp-remote",
    "supergateway": "supergateway",
    "mcp-proxy": "mcp-proxy",
}


def read(
    command: str, arguments: Sequence[str], values: Values, read_variables: Callable[[str], Mapping[str, str] | None]
) -> None:
    """Fill the request of `values` with the source and the arguments that a command means.

    `read_variables` reads a file with variables, as `docker run --env-file` names it. Raises RefusedError.
    """
    words = _words(command, arguments, values.request)
    reader = _Reader(values, read_variables)
    reader.line(words)
    request, values = values.request, reader.values
    if request.kind is Kind.URL:
        request.arguments = ()
    else:
        values.arguments(request.arguments)


#: Reads what follows a program that fetches and runs a package.
ReadPackage = Callable[[str, Sequence[str], SourceRequest], None]


class _Reader:
    """Reads command lines, also within others; `values` knows what the shells around them replace."""

    def __init__(self, values: Values, read_variables: Callable[[str], Mapping[str, str] | None]) -> None:
        self.values, self._request, self._read_variables = values, values.request, read_variables
        self._nested = 0

    def line(self, words: Sequence[str]) -> None:
        """Read a whole command line. Raises RefusedError."""
        self._nested += 1
        if not words or self._nested > _MOST_NESTED:
            raise _unknown("…" if words else "")
        words = self._without_assignments(words)
        program, rest = _program(words[0]), list(words[1:])
        package_runner = _package_runner(program, rest)
        if package_runner:
            self._package(*package_runner)
        elif program in _CONTAINERS:
            self._container(program, rest)
        elif program == "go" and rest[:1] == ["run"] and "@" in " ".join(rest[1:2]):
            go_run(rest[1:], self._request)
        elif program in ("cmd", "powershell", "pwsh"):
            self._windows(program, rest)
        elif program in _SHELLS:
            self._shell(program, rest)
        elif program in ("wsl", "env"):
            self.line([word for word in rest if word not in ("--", "-e", "--exec")])
        elif _PYTHON.match(program):
            self._python(program, rest)
        elif program in _REMOTE:
            self._remote(program, rest)
        else:
            raise _unknown(program)

    def _package(self, read: ReadPackage, program: str, rest: Sequence[str]) -> None:
        read(program, rest, self._request)
        request = self._request
        if request.package in _REMOTE:
            self._remote(_REMOTE[request.package], list(request.arguments))
        elif request.package == "@smithery/cli":
            raise RefusedError(
                remark(
                    mark("{program} runs a server in the cloud of Smithery, or fetches it from there"),
                    program="@smithery/cli",
                ),
                remark(mark("add the server's own package with --from")),
            )

    def _remote(self, program: str, rest: list[str]) -> None:
        request, values = self._request, self.values
        request.arguments, request.command, request.version, request.extras = (), "", "", ()
        request.package = ""
        if program == "supergateway":
            remotes.supergateway(rest, request, values.header, values.address, self._text)
        elif program == "mcp-proxy":
            remotes.mcp_proxy(rest, request, values.header, values.address)
        else:
            # It replaces the variables in its headers itself.
            remotes.mcp_remote(rest, request, partial(values.header, variable=True), values.address)

    def _container(self, program: str, rest: list[str]) -> None:
        while rest[:1] and rest[0] in _BEFORE_RUN:
            rest = rest[1:]
        if rest[:1] != ["run"]:
            raise RefusedError(
                remark(mark("{program} is only understood with run"), program=program),
                remark(mark("add the image: --from {example}"), example="oci:IMAGE"),
            )
        docker_run(f"{program} run", rest[1:], self._request, self.values.variable, self._read_variables)

    def _windows(self, program: str, rest: list[str]) -> None:
        """Read what follows `cmd /c` or `powershell -Command`."""
        if program == "cmd":
            self.values = self.values.knowing(Form.PERCENT)
        while rest and rest[0].lower() in ("/c", "/d", "/s", "/q", "-command", "-c", "-noprofile", "-noninteractive"):
            rest = rest[1:]
        if len(rest) == 1:
            self._text(rest[0])
        elif rest and not any(_SHELL_SYNTAX.search(word) for word in rest):
            self.line(rest)
        else:
            raise _script(program)

    def _shell(self, program: str, rest: list[str]) -> None:
        options = Options(program, rest, with_value=("c", "o"), without_value=("l", "i", "e", "u", "x", "login"))
        text = ""
        for option in options:
            text = option.value if option.name == "c" else text
        if not text:
            raise _script(program)
        self.values = self.values.knowing(Form.NAME, Form.DEFAULT)
        self._text(text.strip().removeprefix("exec "), shell=program)

    def _text(self, text: str, shell: str = "") -> None:
        """Read a command line that is one text, as a shell would if it is one plain command."""
        try:
            words = _split(text, windows=not shell)
        except ValueError:
            raise _script(shell or "sh") from None
        if _SHELL_SYNTAX.search(text) or not words:
            raise _script(shell or "sh")
        self.line(words)

    def _python(self, program: str, rest: list[str]) -> None:
        """Read `python -m module`, whose package has to be asked for, as a module need not be named like it."""
        while rest and rest[0] in ("-u", "-I", "-B", "-E", "-s", "-O"):
            rest = rest[1:]
        if len(rest) < 2 or rest[0] != "-m":
            raise _script(program)
        module = rest[1]
        if not re.fullmatch(r"[A-Za-z_][\w.]*", module):
            raise _script(program)
        if module in ("uv", "pipx"):
            self.line([module, *rest[2:]])
            return
        request = self._request
        request.kind, request.command, request.arguments = Kind.PYPI, f"-m {module}", tuple(rest[2:])
        note_python(program.removesuffix("w"), request)
        request.package = module.split(".")[0].replace("_", "-")
        answer = self.values.placeholders.answers.get("package")
        if answer:
            name = package_names.pypi(answer)
            request.package, request.version, request.extras = name.name, name.version, name.extras
        else:
            request.ask(Question("package", f"python -m {module}", request.package))

    def _without_assignments(self, words: Sequence[str]) -> Sequence[str]:
        """Take variables from the front, as in `API_KEY=… npx x`."""
        words = list(words)
        while len(words) > 1 and (match := re.match(r"^([A-Za-z_]\w*)=(.*)$", words[0], re.DOTALL)):
            self.values.variable(match[1], match[2])
            words.pop(0)
        return words


def _package_runner(program: str, rest: list[str]) -> tuple[ReadPackage, str, list[str]] | None:
    """Return how to read a command that fetches and runs a package, what it is called, and what follows it."""
    if program in ("npx", "bunx", "pnpx"):
        return npx, program, rest
    if program in ("npm", "pnpm", "yarn", "bun") and rest[:1] and rest[0] in ("exec", "x", "dlx"):
        return npx, f"{program} {rest[0]}", rest[1:]
    if program == "uvx":
        return uvx, program, rest
    if program == "uv" and rest[:2] == ["tool", "run"]:
        return uvx, "uv tool run", rest[2:]
    if program == "pipx" and rest[:1] == ["run"]:
        return uvx, "pipx run", rest[1:]
    if program == "uv" and (inner := _uv_run(rest)):
        return uvx, "uv run", inner
    return None


def _words(command: str, arguments: Sequence[str], request: SourceRequest) -> list[str]:
    """Return command and arguments as words; a whole line in place of the command is split."""
    command = command.strip()
    if not command:
        raise RefusedError(
            remark(mark("it has neither a command nor an address")),
            remark(mark("complete it, or add the server with --from")),
        )
    is_a_path = re.match(r"^([A-Za-z]:)?[\\/]", command) and not re.search(r"\.(exe|cmd|bat)?\s+-", command)
    if re.search(r"\s", command) and not is_a_path:
        request.note(mark("the command was a whole line, and was split at its spaces"))
        try:
            return [*_split(command, windows="\\" in command), *arguments]
        except ValueError:
            raise _script("sh") from None
    return [command, *arguments]


def _split(text: str, *, windows: bool) -> list[str]:
    """Split a line into words; in lines of Windows, backslashes belong to paths. Raises ValueError."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    if windows:
        lexer.escape = ""
    return list(lexer)


def _program(word: str) -> str:
    name = PureWindowsPath(word).name.lower()
    return next((name.removesuffix(ending) for ending in _ENDINGS if name.endswith(ending)), name)


def _uv_run(rest: list[str]) -> list[str]:
    """Return the words after `uv run --with package command`, as `uvx --from` takes them; [] for anything else."""
    if rest[:1] != ["run"] or "--with" not in rest or "--directory" in rest or "--project" in rest:
        return []
    options = Options(
        "uv run", rest[1:], with_value=("with", "p", "python"), without_value=("no-project", "isolated", "q")
    )
    given = list(options)
    packages = [option.value for option in given if option.name == "with"]
    python = [word for option in given if option.name in ("p", "python") for word in ("--python", option.value)]
    command = options.rest
    if len(packages) != 1 or not command or command[0] in ("python", "mcp", "fastmcp") or command[0].endswith(".py"):
        return []
    return [*python, "--from", packages[0], *command]


def _unknown(program: str) -> RefusedError:
    if program in _SCRIPTS or program in ("uv", "npm", "pnpm", "yarn", "bun", "go", "pipx"):
        return _script(program)
    return RefusedError(
        remark(mark("the command {program} is a program of this machine; which package it comes from is not known"),
               program=package_names.shown(program)),
        remark(mark("add its package with --from, such as --from npm:NAME or --from pypi:NAME")),
    )  # fmt: skip


def _script(program: str) -> RefusedError:
    return RefusedError(
        remark(mark("{program} runs a script or a folder of this machine, which is not a package"), program=program),
        remark(
            mark(
                "add the package it comes from with --from, or make it a service of its own: ./deploy.sh add-service NAME"
            )
        ),
    )
