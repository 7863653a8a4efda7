"""Understands commands that only pass messages on to a remote server, such as `mcp-remote`: the server is meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from cli.services.importing.commands.options import Given, Options
from cli.services.importing.requests import RefusedError, SourceRequest, remark
from messages import mark

#: Adds a header for the remote server.
AddHeader = Callable[[str, str], None]
#: Makes an address the source of the request.
PutAddress = Callable[[str], None]

_REMOTE_PLAIN = ("allow-http", "debug", "silent", "enable-proxy")
_REMOTE_VALUES = (
    *("header", "transport", "host", "auth-timeout", "resource", "static-oauth-client-metadata"),
    *("static-oauth-client-info", "ignore-tool"),
)
_TRANSPORTS = {
    "http-only": "streamable-http",
    "sse-only": "sse",
    "http-first": "",
    "sse-first": "",
    "streamablehttp": "streamable-http",
    "streamable-http": "streamable-http",
    "sse": "sse",
}


def mcp_remote(words: Sequence[str], request: SourceRequest, add_header: AddHeader, put_address: PutAddress) -> None:
    """Read what follows `mcp-remote`: an address and options after it. Raises RefusedError."""
    address, rest = _address("mcp-remote", words)
    options = Options("mcp-remote", rest, with_value=_REMOTE_VALUES, without_value=_REMOTE_PLAIN)
    request.transport = ""
    put_address(address)
    for option in _all(options):
        if option.name == "header":
            _header(option.value, add_header)
        elif option.name == "transport":
            request.transport = _TRANSPORTS.get(option.value, "")
        elif option.name == "ignore-tool":
            request.hidden_tools += (option.value,)
        elif option.name.startswith("static-oauth"):
            raise oauth()


def _all(options: Options) -> Iterator[Given]:
    """Yield the options before, between and after other words, such as the port at which it waits for a login."""
    yield from options
    while options.rest:
        options.rest.pop(0)
        yield from options


def supergateway(
    words: Sequence[str],
    request: SourceRequest,
    add_header: AddHeader,
    put_address: PutAddress,
    run_line: Callable[[str], None],
) -> None:
    """Read what follows `supergateway`; a command after --stdio is given to `run_line`. Raises RefusedError."""
    options = Options(
        "supergateway",
        words,
        with_value=("sse", "streamableHttp", "stdio", "header", "oauth2Bearer", "port", "logLevel", "outputTransport",
                    "baseUrl", "ssePath", "messagePath", "streamableHttpPath", "sessionTimeout", "protocolVersion"),
        without_value=("cors", "stateful", "healthEndpoint"),
    )  # fmt: skip
    has_source = False
    for option in options:
        if option.name in ("sse", "streamableHttp"):
            request.transport = "sse" if option.name == "sse" else "streamable-http"
            put_address(option.value)
            has_source = True
        elif option.name == "stdio":
            run_line(option.value)
            has_source = True
        elif option.name == "header":
            _header(option.value, add_header)
        elif option.name == "oauth2Bearer":
            add_header("Authorization", f"Bearer {option.value}")
    if not has_source:
        raise _without_address("supergateway")


def mcp_proxy(words: Sequence[str], request: SourceRequest, add_header: AddHeader, put_address: PutAddress) -> None:
    """Read what follows `mcp-proxy`: options, an address, and more options. Raises RefusedError."""
    rest = list(words)
    address = ""
    request.transport = "sse"
    while rest:
        word = rest.pop(0)
        if word in ("-H", "--headers") and len(rest) >= 2:
            add_header(rest.pop(0), rest.pop(0))
        elif word == "--transport" and rest:
            request.transport = _TRANSPORTS.get(rest.pop(0), "")
        elif word.startswith(("http://", "https://")) and not address:
            address = word
        elif word in ("--debug", "--no-verify-ssl"):
            continue
        else:
            raise _without_address("mcp-proxy")
    if not address:
        raise _without_address("mcp-proxy")
    put_address(address)


def oauth() -> RefusedError:
    """Return the refusal of a remote server that wants a person to log in with a browser."""
    return RefusedError(
        remark(mark("this server wants OAuth, for which a person has to log in with a browser")),
        remark(mark("use a token in a header, if the server takes one")),
    )


def _address(program: str, words: Sequence[str]) -> tuple[str, list[str]]:
    rest = list(words)
    position = next((index for index, word in enumerate(rest) if "://" in word), None)
    if position is None:
        raise _without_address(program)
    return rest[position], rest[:position] + rest[position + 1 :]


def _header(text: str, add_header: AddHeader) -> None:
    name, separator, value = text.partition(":")
    if not separator or not name.strip():
        raise RefusedError(
            remark(mark("a header has no name")),
            remark(mark("write it like {example}"), example="Authorization: Bearer …"),
        )
    add_header(name.strip(), value.strip())


def _without_address(program: str) -> RefusedError:
    return RefusedError(
        remark(mark("{program} is not given the address of a remote server"), program=program),
        remark(mark("add the server itself with --from")),
    )
