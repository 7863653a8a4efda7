"""What users write after --from is understood, and names of services are derived from it."""

from __future__ import annotations

import pytest

from cli.services.importing import names, source_words
from cli.services.importing.requests import Kind, RefusedError, SourceRequest
from cli.services.importing.values import Values


def request(text: str, *arguments: str, private: bool = False) -> SourceRequest:
    values = Values(SourceRequest(), private=private)
    source_words.read(text, values, arguments)
    return values.request


def refusal(text: str, *arguments: str) -> str:
    with pytest.raises(RefusedError) as refused:
        request(text, *arguments)
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "kind", "package", "version", "name"),
    [
        ("npm:@modelcontextprotocol/server-filesystem", Kind.NPM, "@modelcontextprotocol/server-filesystem", "", "filesystem"),
        ("npm:@scope/x@latest", Kind.NPM, "@scope/x", "latest", "x"),
        ("npm:x@^1", Kind.NPM, "x", "^1", "x"),
        ("npm:@playwright/mcp@0.0.83", Kind.NPM, "@playwright/mcp", "0.0.83", "playwright"),
        ("npm:@notionhq/notion-mcp-server", Kind.NPM, "@notionhq/notion-mcp-server", "", "notion"),
        ("pypi:mcp-server-time", Kind.PYPI, "mcp-server-time", "", "time"),
        ("pypi:12306-mcp==0.1.7", Kind.PYPI, "12306-mcp", "0.1.7", "mcp-12306"),
        ("pypi:x[a]@1.0", Kind.PYPI, "x", "1.0", "x"),
        ("pypi: x >= 1", Kind.PYPI, "x", ">=1", "x"),
        ("go:example.org/sdk/examples/server/memory@v1.8.0", Kind.GO, "example.org/sdk/examples/server/memory", "v1.8.0", "memory"),
        ("oci:mcp/time:1.2", Kind.OCI, "mcp/time", "1.2", "time"),
        ("docker://registry.example:5000/a/sky-mcp", Kind.OCI, "registry.example:5000/a/sky-mcp", "", "sky"),
        ("url:https://mcp.amap.example.com/mcp", Kind.URL, "https://mcp.amap.example.com/mcp", "", "example"),
        ("https://mcp.weather.cn/sse", Kind.URL, "https://mcp.weather.cn/sse", "", "weather"),
        ("npx -y @scope/sky-mcp", Kind.NPM, "@scope/sky-mcp", "", "sky"),
        ("uvx mcp-server-git", Kind.PYPI, "mcp-server-git", "", "git"),
    ],
)  # fmt: skip
def test_a_source(text: str, kind: Kind, package: str, version: str, name: str) -> None:
    made = request(text)
    assert (made.kind, made.package, made.version, made.name) == (kind, package, version, name)


def test_arguments_are_checked_like_those_of_a_command_line() -> None:
    made = request("npm:x", "/data/files", "--flag")
    assert (made.arguments, made.data) == (("${data}/files", "--flag"), True)
    assert "--secret" in refusal("npm:x", "--api-key", "abcdefgh12345")
    assert "--argument" in refusal("url:https://mcp.example.com/mcp", "x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("npm:github:o/r", "npm:NAME"),
        ("npm:git+ssh://git@example.com/o/r.git", "npm:NAME"),
        ("npm:https://example.com/x.tgz", "npm:NAME"),
        ("npm:o/r", "npm:NAME"),
        ("npm:", "@scope/name"),
        ("npm:x@$(id)", "@scope/name"),
        ("pypi:x @ https://example.com/x.whl", "pypi:NAME"),
        ("pypi:-x", "name=="),
        ("go:x", "go:"),
        ("go:./x", "go:MODULE"),
        ("oci:A B", "oci:"),
        ("url:", "https://"),
        ("url:http://mcp.example.com/mcp", "https"),
        ("url:https://10.0.0.5/mcp", "private-address"),
        ("url:https://[::1]/mcp", "private-address"),
        ("url:https://a:b@mcp.example.com/mcp", "Authorization"),
        ("weather", "npm:NAME"),
        ("", "npm:NAME"),
        ("mcpb:x", "npm:NAME"),
    ],
)
def test_what_is_no_source_is_refused_with_what_is_accepted(text: str, words: str) -> None:
    assert words in refusal(text)


def test_a_private_address_can_be_accepted() -> None:
    assert request("url:http://127.0.0.1:3001/mcp", private=True).package == "http://127.0.0.1:3001/mcp"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("高德地图", ""),
        ("Amap Maps", "amap-maps"),
        ("my server!", "my"),
        ("io.github.user/weather-mcp", "weather"),
        ("mcp-server", "server"),
        ("x" * 60, "x" * 31),
        ("--", ""),
        ("GitHub", "github"),
    ],
)
def test_the_nearest_name_of_a_service(text: str, name: str) -> None:
    assert names.service_name(text) == name


@pytest.mark.parametrize(
    "address",
    ["https://x.example.com/a.tgz", "https://x.example.com/a-1.0.tar.gz?x=1", "url:https://x.example.com/o/r.git",
     "https://github.com/owner/server", "https://gitee.com/owner/server/tree/main/src"],
)  # fmt: skip
def test_an_archive_and_a_repository_are_no_remote_servers(address: str) -> None:
    with pytest.raises(RefusedError, match="not a package of a registry"):
        source_words.read(address, Values(SourceRequest()))


@pytest.mark.parametrize("address", ["https://gitlab.com/api/v4/mcp", "https://x.example.com/zip/mcp"])
def test_an_address_of_a_server_is_taken(address: str) -> None:
    request = SourceRequest()
    source_words.read(address, Values(request))
    assert request.package == address
