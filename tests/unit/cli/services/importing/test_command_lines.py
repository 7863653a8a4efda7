"""A command line that starts a server is understood, or refused with its reason and a next step."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from cli.services.importing.commands import lines
from cli.services.importing.placeholders import Placeholders
from cli.services.importing.requests import Kind, RefusedError, SourceRequest
from cli.services.importing.values import Values

NPX, PYPI = Kind.NPM, Kind.PYPI


def request(line: str | list[str], **placeholders: Any) -> SourceRequest:
    words = shlex.split(line) if isinstance(line, str) else line
    values = Values(SourceRequest(), Placeholders(**placeholders))
    lines.read(words[0], words[1:], values, lambda path: {"FROM_FILE": "1"} if path == ".env" else None)
    return values.request


def refusal(line: str | list[str]) -> str:
    with pytest.raises(RefusedError) as refused:
        request(line)
    return str(refused.value)


@pytest.mark.parametrize(
    ("line", "package", "version", "command", "arguments"),
    [
        ("npx x", "x", "", "", ()),
        ("npx -y x@1.2.3 a b", "x", "1.2.3", "", ("a", "b")),
        ("npx --yes --quiet @s/x@latest -- a", "@s/x", "latest", "", ("--", "a")),
        ("npx -yq @s/x", "@s/x", "", "", ()),
        ("npx -y -p @s/x@^1.2 bin --flag", "@s/x", "^1.2", "bin", ("--flag",)),
        ("npx --package=@s/x bin -p 3", "@s/x", "", "bin", ("-p", "3")),
        ("npx -y --registry=https://mirror.example x", "x", "", "", ()),
        ("npx.cmd -y x", "x", "", "", ()),
        ("npm exec -y x@2 -- --port 3", "x", "2", "", ("--port", "3")),
        ("npm exec x@2 a --yes -- -- b", "x", "2", "", ("a", "--", "b")),
        ("npm exec --yes -- x@2 -- b", "x", "2", "", ("--", "b")),
        ("npm x --package=@s/x -- bin -- b", "@s/x", "", "bin", ("--", "b")),
        ("npm x x@2", "x", "2", "", ()),
        ("pnpm dlx @s/x", "@s/x", "", "", ()),
        ("yarn dlx x", "x", "", "", ()),
        ("bunx --bun x@1", "x", "1", "", ()),
        ("bun x @s/x@1.0.0-beta.1", "@s/x", "1.0.0-beta.1", "", ()),
        ("npx -y alias@npm:@s/x@1", "@s/x", "1", "", ()),
    ],
)
def test_a_package_of_npm(line: str, package: str, version: str, command: str, arguments: tuple[str, ...]) -> None:
    made = request(line)
    assert (made.kind, made.package, made.version) == (Kind.NPM, package, version)
    assert (made.command, made.arguments, made.transport) == (command, arguments, "stdio")


@pytest.mark.parametrize(
    ("line", "package", "version", "extras", "command", "requirements"),
    [
        ("uvx x", "x", "", (), "", ()),
        ("uvx x@1.2", "x", "1.2", (), "", ()),
        ("uvx x@latest a", "x", "latest", (), "", ()),
        ("uvx 'x>=1,<2'", "x", "<2,>=1", (), "", ()),
        ("uvx --from 'x[a,b]==1.2' bin", "x", "1.2", ("a", "b"), "bin", ()),
        ("uvx --from x@3 bin", "x", "3", (), "bin", ()),
        ("uvx --with 'mcp<2' --with=a,b x", "x", "", (), "", ("mcp<2", "a", "b")),
        ("uvx -p 3.12 --native-tls x", "x", "", (), "", ()),
        ("uvx --index-url https://user:secret@mirror.example x", "x", "", (), "", ()),
        ("uv tool run --from x bin", "x", "", (), "bin", ()),
        ("uv run --with x x-server", "x", "", (), "x-server", ()),
        ("pipx run x", "x", "", (), "", ()),
        ("pipx run --spec x==1 bin", "x", "1", (), "bin", ()),
        ("python -m pipx run x", "x", "", (), "", ()),
    ],
)
def test_a_package_of_pypi(
    line: str, package: str, version: str, extras: tuple[str, ...], command: str, requirements: tuple[str, ...]
) -> None:
    made = request(line)
    assert (made.kind, made.package, made.version, made.extras) == (Kind.PYPI, package, version, extras)
    assert (made.command, made.requirements) == (command, requirements)
    assert "secret" not in str([str(remark) for remark in made.remarks])


@pytest.mark.parametrize(
    ("line", "python"),
    [
        ("uvx --python 3.11 x", "3.11"),
        ("uvx -p cpython@3.12.4 x", "3.12.4"),
        ("uv run --python 3.11 --with x x-server", "3.11"),
        ("pipx run --python /usr/bin/pypy x", "/usr/bin/pypy"),
        ("uvx --python '<3.12' x", "<3.12"),
        ("python3.11 -m mcp_server_time", "3.11"),
        ("uvx --python 3.13.1 x", ""),
        ("uvx --python '>=3.10' x", ""),
        ("uvx --python python3 x", ""),
        ("python3 -m mcp_server_time", ""),
        ("py -m mcp_server_time", ""),
    ],
)
def test_another_python_than_that_of_images_is_told(line: str, python: str) -> None:
    told = [remark.text() for remark in request(line).remarks]
    assert told == ([f"Python {python} of the command is not used: images have Python 3.13"] if python else [])


def test_a_module_of_python_asks_for_its_package() -> None:
    made = request("python3 -u -m mcp_server_time --local-timezone Asia/Shanghai")
    assert (made.kind, made.command) == (Kind.PYPI, "-m mcp_server_time")
    [question] = made.questions
    assert (question.key, question.default) == ("package", "mcp-server-time")
    answered = request("python -m server", answers={"package": "my-server==1.0"})
    assert (answered.package, answered.version, answered.questions) == ("my-server", "1.0", [])


def test_a_module_of_go() -> None:
    made = request("go run example.org/m/cmd/server@v1.2.3 -memory /data/m.json")
    assert (made.kind, made.package, made.version) == (Kind.GO, "example.org/m/cmd/server", "v1.2.3")
    assert (made.arguments, made.data) == (("-memory", "${data}/m.json"), True)


@pytest.mark.parametrize(
    "line",
    [
        ["cmd", "/c", "npx", "-y", "@s/x@1", "a"],
        ["cmd.exe", "/C", "npx -y @s/x@1 a"],
        ["C:\\Windows\\System32\\cmd.exe", "/d", "/s", "/c", "C:\\nodejs\\npx.cmd", "-y", "@s/x@1", "a"],
        ["powershell", "-NoProfile", "-Command", "npx -y @s/x@1 a"],
        ["sh", "-c", "npx -y @s/x@1 a"],
        ["bash", "-lc", "exec npx -y '@s/x@1' a"],
        ["/bin/zsh", "-l", "-c", "npx -y @s/x@1 a"],
        ["env", "npx", "-y", "@s/x@1", "a"],
        ["wsl", "-e", "npx", "-y", "@s/x@1", "a"],
        ["wsl", "bash", "-c", "npx -y @s/x@1 a"],
        ["npx -y @s/x@1 a"],
        ["npx -y", "@s/x@1", "a"],
    ],
)
def test_a_command_within_another_is_unwrapped(line: list[str]) -> None:
    made = request(line)
    assert (made.package, made.version, made.arguments) == ("@s/x", "1", ("a",))


def test_variables_before_a_command_are_taken_over() -> None:
    made = request(["sh", "-c", "API_KEY=abcdefgh12345 LEVEL=1 npx x"])
    assert made.environment == {"LEVEL": "1"}
    secret = made.secrets["API_KEY"].value
    assert secret and secret.get_secret_value() == "abcdefgh12345"


@pytest.mark.parametrize(
    ("line", "package", "version"),
    [
        ("docker run -i --rm mcp/time", "mcp/time", ""),
        ("docker run -i --rm --init --pull=always mcp/time:1.2 --tz x", "mcp/time", "1.2"),
        (
            "podman run -it registry.example:5000/a/b@sha256:" + "a" * 64,
            "registry.example:5000/a/b",
            "sha256:" + "a" * 64,
        ),
        ("docker container run --rm -i --name x --platform linux/amd64 a:b", "a", "b"),
    ],
)
def test_an_image(line: str, package: str, version: str) -> None:
    made = request(line)
    assert (made.kind, made.package, made.version) == (Kind.OCI, package, version)


def test_variables_and_mounts_of_an_image() -> None:
    made = request(
        "docker run -i --rm -e CITY -e UNIT=C --env TOKEN=abcdefgh -v 'C:\\Users\\me:/projects:ro' --env-file .env "
        "--mount type=bind,src=/x,dst=/more --entrypoint /bin/server i:1 --root /projects/a --root=/more /projects",
        environment={"CITY": "Wuhan"},
    )
    assert made.environment == {"CITY": "Wuhan", "UNIT": "C", "FROM_FILE": "1"}
    assert list(made.secrets) == ["TOKEN"]
    assert made.command == "/bin/server"
    assert made.arguments == ("--root", "${data}/a", "--root=${data}", "${data}")
    assert made.data


def test_an_image_without_a_network_gets_none() -> None:
    assert request("docker run --network none i").internet is False


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("--privileged", "--privileged"),
        ("--cap-add SYS_ADMIN", "--cap-add"),
        ("--device=/dev/kvm", "--device"),
        ("--network host", "--network host"),
        ("--net=host", "--network host"),
        ("--pid host", "--pid"),
        ("-u root", "--user root"),
        ("--user 0:0", "--user 0"),
        ("--security-opt seccomp=unconfined", "--security-opt"),
        ("-v /var/run/docker.sock:/var/run/docker.sock", "socket"),
        ("--mount type=bind,src=/run/podman/podman.sock,dst=/s", "socket"),
        ("-v //./pipe/docker_engine://./pipe/docker_engine", "socket"),
        ("--gpus all", "--gpus"),
        ("--volumes-from other", "--volumes-from"),
        ("--frobnicate", "--frobnicate"),
        ("-Z", "-Z"),
    ],
)
def test_an_option_that_gives_an_image_more_rights_is_refused_and_named(options: str, named: str) -> None:
    assert named in refusal(f"docker run -i {options} i:1")


@pytest.mark.parametrize(
    "options",
    ["--security-opt no-new-privileges", "--cap-drop ALL", "--read-only", "-u 1000", "--ipc private", "-m 1g"],
)
def test_an_option_that_takes_rights_away_is_no_reason_to_refuse(options: str) -> None:
    assert request(f"docker run -i {options} i:1").package == "i"


@pytest.mark.parametrize(
    ("line", "address", "transport", "headers"),
    [
        ("npx -y mcp-remote https://m.example.com/mcp", "https://m.example.com/mcp", "", {}),
        ("npx mcp-remote@latest https://m.example.com/sse 3334 --debug", "https://m.example.com/sse", "", {}),
        (
            "npx mcp-remote https://m.example.com/mcp --transport sse-only --header X-Team:a",
            "https://m.example.com/mcp", "sse", {"X-Team": "a"},
        ),
        ("npx -y supergateway --sse https://m.example.com/sse", "https://m.example.com/sse", "sse", {}),
        (
            "npx supergateway --streamableHttp https://m.example.com/mcp --oauth2Bearer abcdefgh",
            "https://m.example.com/mcp", "streamable-http", {"Authorization": "Bearer ${SERVER_TOKEN}"},
        ),
        ("uvx mcp-proxy https://m.example.com/sse", "https://m.example.com/sse", "sse", {}),
        (
            "mcp-proxy -H Authorization 'Bearer abcdefgh' --transport streamablehttp https://m.example.com/mcp",
            "https://m.example.com/mcp", "streamable-http", {"Authorization": "Bearer ${SERVER_TOKEN}"},
        ),
    ],
)  # fmt: skip
def test_a_program_that_only_passes_on_is_unwrapped(
    line: str, address: str, transport: str, headers: dict[str, str]
) -> None:
    made = request(line)
    assert (made.kind, made.package, made.transport, made.headers) == (Kind.URL, address, transport, headers)
    assert (made.arguments, made.command, made.version) == ((), "", "")


def test_a_server_behind_supergateway_is_the_server() -> None:
    assert request(["npx", "-y", "supergateway", "--stdio", "uvx mcp-server-time", "--port", "8000"]).package == (
        "mcp-server-time"
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("npx github:o/r", "--from|npm:NAME"),
        ("npx o/r", "npm:NAME"),
        ("npx git+ssh://git@github.com/o/r.git", "npm:NAME"),
        ("npx https://example.com/x.tgz", "npm:NAME"),
        ("npx ./x", "npm:NAME"),
        ("npx x@github:o/r", "npm:NAME"),
        ("npx", "npx"),
        ("npx -y", "npx"),
        ("npx -c 'a && b'", "-c"),
        ("npx -p a -p b bin", "--bin"),
        ("npx --frobnicate x", "--frobnicate"),
        ("npx -y 'x y'", "npm:"),
        ("uvx git+https://example.com/o/r", "pypi:NAME"),
        ("uvx --from git+https://example.com/o/r bin", "pypi:NAME"),
        ("uvx --from 'x @ https://example.com/x.whl' bin", "pypi:NAME"),
        ("uvx --from . bin", "pypi:NAME"),
        ("uvx --with-requirements r.txt x", "--with"),
        ("uvx --from", "--from"),
        ("uv --directory /x run s.py", "uv"),
        ("uv run s.py", "uv"),
        ("python s.py", "python"),
        ("python -c 'print()'", "python"),
        ("node /x/index.js", "node"),
        ("tsx src/index.ts", "tsx"),
        ("deno run x.ts", "deno"),
        ("go run .", "go"),
        ("/usr/local/bin/my-server --x", "my-server"),
        ("mcp-server-fetch", "--from"),
        ("sh -c 'cd /x && npx y'", "sh"),
        ("bash -c 'npx y | tee z'", "bash"),
        ("bash -c 'npx $(cat y)'", "bash"),
        ("bash script.sh", "bash"),
        ("cmd /c a & b", "cmd"),
        ("docker exec x y", "docker"),
        ("docker run", "docker run"),
        ("docker run -i 'UPPER CASE'", "oci:"),
        ("docker run -v x i", "-v"),
        ("npx mcp-remote", "--from"),
        ("npx mcp-remote https://m.example.com/mcp --static-oauth-client-info x", "OAuth"),
        ("npx mcp-remote https://m.example.com/mcp --header nothing", "Authorization"),
        ("mcp-proxy --port 1 uvx x", "--from"),
        ("npx -y @smithery/cli@latest run @x/y --key abc", "--from"),
        ('sh -c "sh -c \'sh -c \\"sh -c x\\"\'"', "--from"),
        ("sudo npx x", "sudo"),
    ],
)
def test_what_is_no_package_is_refused_with_what_to_do(line: str, words: str) -> None:
    message = refusal(line)
    assert any(word in message for word in words.split("|"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--api-key", "abcdefgh12345"],
        ["--api-key=abcdefgh12345"],
        ["--token", "${env:WEATHER_TOKEN}"],
        ["-a", "cli_1", "--app-secret", "abcdefgh12345"],
        ["postgresql://user:abcdefgh12345@db.example.com/x"],
        ["ghp_abcdefgh12345abcdefgh12345"],
        ["API_KEY=abcdefgh12345"],
        ["--config", "${input:password}"],
    ],
)
def test_a_secret_argument_is_refused_without_its_value(arguments: list[str]) -> None:
    message = refusal(["npx", "-y", "x", *arguments])
    assert "--secret" in message
    assert "abcdefgh12345" not in message


@pytest.mark.parametrize(
    "arguments", [["--max-tokens", "100"], ["--token-limit=5"], ["--keyboard", "us"], ["--verbose", "a"]]
)
def test_an_argument_about_an_amount_is_no_secret(arguments: list[str]) -> None:
    assert request(["npx", "-y", "x", *arguments]).arguments == tuple(arguments)
