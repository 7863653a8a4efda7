"""What `source:` of a service.yaml accepts, and how it refuses what it cannot use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from infra.schema.problems import ConfigurationError
from infra.services.catalog import ServiceSpec, load_catalog
from infra.services.source import Source

NPM: dict[str, Any] = {"npm": "@scope/server@1.2.3", "command": "server"}
LISTENING: dict[str, Any] = {**NPM, "transport": "sse", "listens": 3001}
REMOTE: dict[str, Any] = {"url": "https://mcp.example.com/mcp", "transport": "streamable-http"}
DIGEST = "sha256:" + "0" * 64


def write(servers: Path, source: dict[str, Any], **others: Any) -> None:
    folder = servers / "amap"
    folder.mkdir(parents=True, exist_ok=True)
    content = {"title": "高德地图", "port": 8010, "source": source, **others}
    (folder / "service.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")


def read(servers: Path, source: dict[str, Any], **others: Any) -> ServiceSpec:
    write(servers, source, **others)
    return load_catalog(servers, locks=False)["amap"]


def refusal(servers: Path, source: dict[str, Any], **others: Any) -> str:
    write(servers, source, **others)
    with pytest.raises(ConfigurationError) as refused:
        load_catalog(servers, locks=False)
    return str(refused.value)


@pytest.mark.parametrize(
    ("source", "kind", "package", "version"),
    [
        (NPM, "npm", "@scope/server", "1.2.3"),
        ({"npm": "server@2026.8.31-beta.1", "command": "s"}, "npm", "server", "2026.8.31-beta.1"),
        ({"pypi": "12306-mcp==0.1.7", "command": "12306-mcp"}, "pypi", "12306-mcp", "0.1.7"),
        ({"pypi": "some_server[cli,x]==1.0a8", "command": "-m some_server"}, "pypi", "some_server", "1.0a8"),
        ({"go": "github.com/a/b/cmd/server@v1.8.0"}, "go", "github.com/a/b/cmd/server", "v1.8.0"),
        ({"go": "gopkg.in/yaml.v3@v3.0.1"}, "go", "gopkg.in/yaml.v3", "v3.0.1"),
        ({"oci": f"registry.example:5000/a/b:1.2@{DIGEST}"}, "oci", "registry.example:5000/a/b", DIGEST),
        ({"oci": f"mcp/time@{DIGEST}"}, "oci", "mcp/time", DIGEST),
    ],
)
def test_an_exact_reference_of_each_kind_is_understood(
    tmp_path: Path, source: dict[str, Any], kind: str, package: str, version: str
) -> None:
    read_source = read(tmp_path, source).source
    assert read_source is not None
    assert (read_source.kind, read_source.package, read_source.version) == (kind, package, version)


@pytest.mark.parametrize(
    "source",
    [
        {"npm": "@scope/server", "command": "s"},
        {"npm": "server@latest", "command": "s"},
        {"npm": "server@^1.0.0", "command": "s"},
        {"npm": "github:owner/repository", "command": "s"},
        {"npm": "https://example.com/a.tgz", "command": "s"},
        {"npm": "Server@1.0.0", "command": "s"},
        {"pypi": "server", "command": "s"},
        {"pypi": "server>=1", "command": "s"},
        {"pypi": "server==1.*", "command": "s"},
        {"pypi": "server==1; python_version<'3'", "command": "s"},
        {"pypi": "server @ https://example.com/a.whl", "command": "s"},
        {"go": "github.com/a/b@latest"},
        {"go": "./local@v1.0.0"},
        {"oci": "mcp/time:latest"},
        {"oci": "mcp/time@sha256:12"},
    ],
)
def test_a_reference_without_an_exact_version_is_refused_with_an_example(
    tmp_path: Path, source: dict[str, Any]
) -> None:
    message = refusal(tmp_path, source)
    assert "mcp-servers/amap/service.yaml: source" in message and "names no exact version" in message


@pytest.mark.parametrize(
    ("source", "others", "said"),
    [
        ({}, {}, "exactly one of npm, pypi, go, oci, url; given: -"),
        ({**NPM, "go": "example.com/a@v1.0.0"}, {}, "given: npm, go"),
        (NPM, {"package": "a_server"}, "exclude each other"),
        ({"npm": "server@1.0.0"}, {}, "command is missing"),
        ({**NPM, "commands": "x"}, {}, "source.commands: no such key"),
        ({**NPM, "with": ["a"]}, {}, "with is only for pypi, not for npm"),
        ({**NPM, "headers": {"A": "b"}}, {}, "headers is only for url"),
        ({**NPM, "arguments": ["${HOME}/x"]}, {}, "${HOME} is not known; an argument can have ${data}, ${tmp}"),
        ({**NPM, "arguments": ["${data}/x"]}, {}, "${data} in an argument needs data: true"),
        ({**NPM, "arguments": ["a\nb"]}, {}, "must be a single line"),
        ({**NPM, "environment": {"api_key": "API_KEY"}}, {}, "API_KEY: used in source, but neither in environment"),
        ({**NPM, "environment": {"a b": "A"}}, {}, "'a b' cannot be the name of a variable"),
        ({**NPM, "environment": {"PATH": "A"}}, {"environment": {"A": "/x"}}, "the image sets the variable PATH"),
        ({**NPM, "environment": {"LD_PRELOAD": "A"}}, {"environment": {"A": "x"}}, "variable LD_PRELOAD"),
        ({**NPM, "transport": "sse"}, {}, "transport: sse needs listens"),
        ({**NPM, "listens": 3001}, {}, "only for transport: streamable-http or sse"),
        ({**NPM, "transport": "sse", "listens": 3001, "child": "pool"}, {}, "write child: shared"),
        ({**NPM, "port_variable": "PORT"}, {}, "only for transport: streamable-http or sse"),
        ({**NPM, "transport": "sse", "port_variable": "PORT"}, {}, "transport: sse needs listens"),
        ({**LISTENING, "port_variable": "PATH"}, {}, "the image sets the variable PATH"),
        ({**LISTENING, "port_variable": "a b"}, {}, "'a b' cannot be the name of a variable"),
        ({**REMOTE, "port_variable": "PORT"}, {"internet": True}, "port_variable is only for npm"),
        (
            {**LISTENING, "port_variable": "P", "environment": {"P": "A"}},
            {"environment": {"A": "1"}},
            "leave it out of environment",
        ),
        ({**NPM, "environment": {"PORT": "A"}}, {"environment": {"A": "3001"}}, "and port_variable: PORT"),
        (LISTENING, {"environment": {"PORT": "3001"}}, "source.listens and source.port_variable"),
        ({**LISTENING, "listens": 8010}, {}, "the service itself listens at 8010"),
        ({**NPM, "children": 3}, {}, "children is only for child: session or pool"),
        ({**NPM, "child": "pool"}, {"data": True}, "child: pool would all write the same folder /data"),
        ({**NPM, "child": "session"}, {"max_replicas": 4}, "child: session needs max_replicas: 1"),
        ({**NPM, "tools": {"a": "maybe"}}, {}, "must be one of 'read', 'write', 'off'"),
        (NPM, {"accounts": True}, "only for services that are built on the kit"),
        ({"pypi": "a==1", "command": "a", "with": ["b @ https://example.com/b.whl"]}, {}, "is not a requirement"),
        ({"oci": f"a@{DIGEST}"}, {"debian_packages": ["git"]}, "for a source of the kind oci"),
        ({"url": "https://mcp.example.com"}, {"internet": True}, "needs transport: streamable-http or sse"),
        (REMOTE, {}, "a url source needs internet: true"),
        ({**REMOTE, "command": "x"}, {"internet": True}, "command is only for npm, pypi, oci"),
        ({**REMOTE, "headers": {"A": "Bearer ${KEY}"}}, {"internet": True}, "KEY: used in source"),
        ({**REMOTE, "headers": {"A": "a\r\nB: c"}}, {"internet": True}, "must be visible ASCII characters"),
        ({**REMOTE, "headers": {"A:": "a"}}, {"internet": True}, "cannot be the name of an HTTP header"),
    ],
)
def test_a_source_that_does_not_fit_is_refused_with_its_reason(
    tmp_path: Path, source: dict[str, Any], others: dict[str, Any], said: str
) -> None:
    assert said in refusal(tmp_path, source, **others)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://mcp.example.com/mcp", "must begin with https://"),
        ("https://user:pass@mcp.example.com/mcp", "must not hold a user or password"),
        ("https://10.0.0.5/mcp", "10.0.0.5 is in a private network"),
        ("https://[::1]/mcp", "::1 is in a private network"),
        ("https://[::ffff:10.0.0.5]/mcp", "is in a private network"),
        ("https://[::127.0.0.1]/mcp", "is in a private network"),
        ("https://[64:ff9b::7f00:1]/mcp", "is in a private network"),
        ("https://[64:ff9b:1::7f00:1]/mcp", "is in a private network"),
        ("https://[2002:7f00:1::]/mcp", "is in a private network"),
        ("https://[fec0::1]/mcp", "is in a private network"),
        ("https://169.254.169.254/mcp", "is in a private network"),
        ("https://localhost/mcp", "localhost is in a private network"),
        ("https://intranet/mcp", "intranet is in a private network"),
        ("https://${HOST}/mcp", "must be an address such as https://mcp.example.com/mcp"),
        ("https://mcp.example.com:port/mcp", "must be an address"),
        ("file:///etc/passwd", "must be an address"),
    ],
)
def test_an_address_that_is_not_plainly_public_is_refused(tmp_path: Path, address: str, said: str) -> None:
    assert said in refusal(tmp_path, {**REMOTE, "url": address}, internet=True)


def test_a_password_in_an_address_is_not_repeated(tmp_path: Path) -> None:
    assert "hunter2" not in refusal(tmp_path, {**REMOTE, "url": "https://a:hunter2@mcp.example.com/"}, internet=True)


@pytest.mark.parametrize("address", ["http://10.0.0.5:3001/mcp", "http://intranet/mcp"])
def test_a_private_network_is_possible_when_the_source_says_so(tmp_path: Path, address: str) -> None:
    spec = read(tmp_path, {**REMOTE, "url": address, "private_network": True}, internet=True)
    assert spec.source is not None and spec.source.reference == address


def test_a_bare_off_of_yaml_switches_a_tool_off(tmp_path: Path) -> None:
    write(tmp_path, {**NPM, "tools": {"geo": "read", "erase": "REPLACED"}})
    file = tmp_path / "amap" / "service.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("REPLACED", "off"), encoding="utf-8")
    source = load_catalog(tmp_path, locks=False)["amap"].source
    assert source is not None and source.tools == {"geo": "read", "erase": "off"}


def test_places_in_arguments_become_folders_of_the_container(tmp_path: Path) -> None:
    source = read(tmp_path, {**NPM, "arguments": ["--root=${data}/files", "${tmp}"]}, data=True).source
    assert source is not None and source.resolved_arguments == ("--root=/data/files", "/tmp")


def test_a_service_with_a_source_keeps_to_scopes(tmp_path: Path) -> None:
    assert read(tmp_path, NPM).enforces_scopes


@pytest.mark.parametrize(
    ("source", "others"), [(NPM, {"data": True}), ({**NPM, "child": "session"}, {})], ids=["data", "session"]
)
def test_a_source_that_keeps_state_has_one_replica(
    tmp_path: Path, source: dict[str, Any], others: dict[str, Any]
) -> None:
    assert read(tmp_path, source, **others).max_replicas == 1


@pytest.mark.parametrize(
    "part", ["mcp?lang=zh&key=${MAP_KEY}", "${MAP_KEY}/mcp", "api/${MAP_KEY}", "a?key=${MAP_KEY}&b=1"]
)
def test_a_parameter_or_a_segment_of_an_address_can_be_a_secret(part: str) -> None:
    source = Source.model_validate({**REMOTE, "url": f"https://mcp.example.com/{part}"})
    assert source.wanted_names == {"MAP_KEY"}


@pytest.mark.parametrize(
    "url", ["https://${KEY}.example.com/mcp", "https://${KEY}/mcp", "https://a.example/?x=a${KEY}"]
)
def test_no_other_part_of_an_address_can_be_a_secret(url: str) -> None:
    with pytest.raises(ValidationError):
        Source.model_validate({**REMOTE, "url": url})
