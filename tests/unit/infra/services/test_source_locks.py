"""The locks beside a service.yaml say what is built, and disagree with it only with a clear message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.schema.problems import ConfigurationError
from infra.services.bridge_file import bridge_text
from infra.services.catalog import ServiceSpec, load_catalog

DIGEST = "sha256:" + "0" * 64
INTEGRITY = "sha512-" + "A" * 86 + "=="
NPM = {"npm": "@scope/server@1.2.3", "command": "serve", "arguments": ["--root", "${data}/files/"]}
PYPI = {"pypi": "Some_Server[cli]==1.0", "command": "some-server", "with": ["mcp<2"]}
GO = {"go": "example.com/tools/cmd/server@v1.4.0", "arguments": ["-v"]}
OCI = {"oci": f"mcp/time:1@{DIGEST}"}
PACKAGE = {"version": "1.2.3", "integrity": INTEGRITY, "bin": {"serve": "./dist/index.js"}}
REQUIREMENTS = """\
some-server[cli]==1.0 \\
    --hash=sha256:aa
    # via -r requirements.in
mcp==1.30.0 ; python_version >= '3.13' \\
    --hash=sha256:bb
"""
GO_MOD = """\
module dyber.local/server

go 1.25.0

tool example.com/tools/cmd/server

require (
	example.com/tools v1.4.0 // indirect
	example.com/other v0.1.0 // indirect
)
"""
IMAGE = {
    "reference": OCI["oci"],
    "architectures": ["amd64", "arm64"],
    "entrypoint": ["python", "-m", "server"],
    "cmd": ["--local"],
    "variables": ["LANG", "PATH", "TZ"],
}


def package_lock(**packages: Any) -> dict[str, Any]:
    root = {"dependencies": {"@scope/server": "1.2.3"}}
    return {"lockfileVersion": 3, "packages": {"": root, "node_modules/@scope/server": PACKAGE, **packages}}


def npm_files(**packages: Any) -> dict[str, str]:
    return {
        "package.json": json.dumps({"private": True, "dependencies": {"@scope/server": "1.2.3"}}),
        "package-lock.json": json.dumps(package_lock(**packages)),
    }


LOCKS: dict[str, dict[str, str]] = {
    "npm": npm_files(),
    "pypi": {"requirements.in": "Some_Server[cli]==1.0\nmcp<2\n", "requirements.txt": REQUIREMENTS},
    "go": {"go.mod": GO_MOD, "go.sum": "example.com/tools v1.4.0 h1:x=\n"},
    "oci": {"image.lock.json": json.dumps(IMAGE)},
}


def write(servers: Path, source: dict[str, Any], files: dict[str, str], **others: Any) -> None:
    folder = servers / "amap"
    folder.mkdir(parents=True, exist_ok=True)
    content = {"title": "高德地图", "port": 8010, "data": True, "source": source, **others}
    (folder / "service.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def read(servers: Path, source: dict[str, Any], files: dict[str, str], **others: Any) -> ServiceSpec:
    write(servers, source, files, **others)
    return load_catalog(servers)["amap"]


def bridge(servers: Path, source: dict[str, Any], files: dict[str, str], **others: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(bridge_text(read(servers, source, files, **others)))
    return content


def refusal(servers: Path, source: dict[str, Any], files: dict[str, str]) -> str:
    write(servers, source, files)
    with pytest.raises(ConfigurationError) as refused:
        load_catalog(servers)
    return str(refused.value)


@pytest.mark.parametrize(
    ("source", "command"),
    [
        (
            NPM,
            ["/opt/node/bin/node", "/opt/server/node_modules/@scope/server/dist/index.js", "--root", "/data/files/"],
        ),
        (PYPI, ["/opt/server/bin/some-server"]),
        ({**PYPI, "command": "-m some_server.main"}, ["/opt/server/bin/python", "-m", "some_server.main"]),
        (GO, ["/opt/server/server", "-v"]),
        (OCI, ["python", "-m", "server", "--local"]),
        ({**OCI, "arguments": ["--zone", "UTC"]}, ["python", "-m", "server", "--zone", "UTC"]),
        ({**OCI, "command": "/bin/other"}, ["/bin/other"]),
    ],
)
def test_the_bridge_starts_the_real_file_of_the_locked_program(
    tmp_path: Path, source: dict[str, Any], command: list[str]
) -> None:
    kind = next(iter(source))
    assert bridge(tmp_path, source, LOCKS[kind])["command"] == command


def test_the_bridge_is_told_what_a_review_leaves_out_and_nothing_otherwise(tmp_path: Path) -> None:
    left_out = ["instructions", "prompts", "resources"]
    assert bridge(tmp_path, NPM | {"leave_out": left_out}, LOCKS["npm"])["leave_out"] == left_out
    assert "leave_out" not in bridge(tmp_path, NPM, LOCKS["npm"])
    assert "leave_out" in refusal(tmp_path, NPM | {"leave_out": ["tools"]}, LOCKS["npm"])


def test_a_remote_server_has_an_address_and_no_command(tmp_path: Path) -> None:
    source = {
        "url": "https://mcp.example.com/mcp",
        "transport": "streamable-http",
        "headers": {"Authorization": "Bearer ${TOKEN}"},
    }
    content = bridge(tmp_path, source, {}, internet=True, secrets={"TOKEN": "required"})
    assert (content["command"], content["url"]) == ([], "https://mcp.example.com/mcp")
    assert content["headers"] == {"Authorization": "Bearer ${TOKEN}"} and content["passed"] == []


@pytest.mark.parametrize(
    ("transport", "others", "address"),
    [
        ("streamable-http", {}, "http://127.0.0.1:3001/mcp"),
        ("sse", {}, "http://127.0.0.1:3001/sse"),
        ("sse", {"path": "/events"}, "http://127.0.0.1:3001/events"),
    ],
)
def test_a_program_that_listens_is_reached_on_loopback(
    tmp_path: Path, transport: str, others: dict[str, str], address: str
) -> None:
    source = {**NPM, "transport": transport, "listens": 3001, **others}
    assert bridge(tmp_path, source, LOCKS["npm"])["url"] == address


@pytest.mark.parametrize("variable", ["PORT", "MCP_PORT"])
def test_a_program_is_told_the_port_at_which_it_is_reached(tmp_path: Path, variable: str) -> None:
    source = {**OCI, "transport": "streamable-http", "listens": 3001, "port_variable": variable}
    content = bridge(tmp_path, source, image_lock(variables=["LANG", variable]))
    assert (content["listens"], content["passed"]) == (variable, ["LANG"])
    assert "listens" not in bridge(tmp_path, NPM, LOCKS["npm"])


def test_the_program_gets_the_declared_variables_and_secrets_under_the_names_it_wants(tmp_path: Path) -> None:
    source = {**NPM, "environment": {"api_key": "API_KEY"}}
    content = bridge(
        tmp_path,
        source,
        LOCKS["npm"],
        secrets={"API_KEY": "required", "OTHER": "optional"},
        environment={"LANG_X": "zh"},
    )
    assert content["environment"] == {"api_key": "API_KEY"}
    assert content["passed"] == ["LANG_X", "OTHER"]


def test_variables_that_a_stack_adds_are_for_the_bridge_and_change_no_image(tmp_path: Path) -> None:
    spec = read(tmp_path, NPM, LOCKS["npm"], environment={"LANG_X": "zh"})
    other = spec.model_copy(update={"environment": {**spec.environment, "MAX_ANSWER_CHARS": "9000"}})
    assert bridge_text(other) == bridge_text(spec)


def image_lock(**others: Any) -> dict[str, str]:
    return {"image.lock.json": json.dumps({**IMAGE, **others})}


def test_a_foreign_image_keeps_its_variables(tmp_path: Path) -> None:
    assert bridge(tmp_path, OCI, LOCKS["oci"])["passed"] == ["LANG", "TZ"]


def test_a_foreign_image_gets_neither_the_port_nor_the_host_of_the_bridge(tmp_path: Path) -> None:
    files = image_lock(variables=["HOST", "HOME", "LANG", "PATH", "PORT"])
    assert bridge(tmp_path, OCI, files)["passed"] == ["LANG"]


@pytest.mark.parametrize(("working_dir", "folder"), [("/app", "/app"), ("", "/"), ("srv/app", "/srv/app")])
def test_a_foreign_image_starts_its_program_in_its_working_folder(
    tmp_path: Path, working_dir: str, folder: str
) -> None:
    assert bridge(tmp_path, OCI, image_lock(working_dir=working_dir))["folder"] == folder


def test_packages_have_no_working_folder_so_that_images_of_before_keep_their_names(tmp_path: Path) -> None:
    assert "folder" not in bridge(tmp_path, NPM, LOCKS["npm"])


@pytest.mark.parametrize("source", [NPM, PYPI, GO, OCI])
def test_the_bridge_understands_the_file_that_is_written_for_it(tmp_path: Path, source: dict[str, Any]) -> None:
    from dyber_kit.bridge.settings import BridgeSettings

    text = bridge_text(read(tmp_path, source, LOCKS[next(iter(source))]))
    assert list(BridgeSettings.model_validate_json(text).command) == json.loads(text)["command"]


@pytest.mark.parametrize("source", [NPM, PYPI, GO, OCI])
def test_a_missing_lock_is_named_with_the_command_that_writes_it(tmp_path: Path, source: dict[str, Any]) -> None:
    kind = next(iter(source))
    missing, *kept = LOCKS[kind]
    message = refusal(tmp_path, source, {name: LOCKS[kind][name] for name in kept})
    assert f"mcp-servers/amap/{missing}" in message and "./deploy.sh lock amap" in message


@pytest.mark.parametrize(
    ("source", "locked"),
    [
        ({**NPM, "npm": "@scope/server@1.2.4"}, "locks @scope/server@1.2.3"),
        ({**PYPI, "pypi": "Some_Server[cli]==1.1"}, "locks Some_Server[cli]==1.0, mcp<2"),
        ({**PYPI, "with": []}, "locks Some_Server[cli]==1.0, mcp<2"),
        ({**GO, "go": "example.com/tools/cmd/server@v1.5.0"}, "locks example.com/tools@v1.4.0"),
        ({**GO, "go": "example.com/tools/cmd/other@v1.4.0"}, "locks example.com/tools/cmd/server"),
        ({"oci": f"mcp/time:2@{DIGEST}"}, f"locks mcp/time:1@{DIGEST}"),
    ],
)
def test_a_lock_of_another_version_is_refused(tmp_path: Path, source: dict[str, Any], locked: str) -> None:
    assert locked in refusal(tmp_path, source, LOCKS[next(iter(source))])


def test_a_program_that_the_package_lacks_is_refused_naming_those_it_has(tmp_path: Path) -> None:
    message = refusal(tmp_path, {**NPM, "command": "server"}, LOCKS["npm"])
    assert "no program 'server'" in message and "as command: serve" in message


@pytest.mark.parametrize(
    ("package", "said"),
    [
        ({"version": "1.0.0"}, "node_modules/x has no hash"),
        ({"version": "1.0.0", "resolved": "git+ssh://git@example.com/x.git#abc"}, "node_modules/x has no hash"),
        ({"version": "1.0.0", "integrity": INTEGRITY, "resolved": "https://r.example/x.tgz"}, "has an address"),
    ],
)
def test_an_npm_package_without_a_hash_or_with_an_address_is_refused(
    tmp_path: Path, package: dict[str, str], said: str
) -> None:
    assert said in refusal(tmp_path, NPM, npm_files(**{"node_modules/x": package}))


def test_a_python_package_without_a_hash_is_refused(tmp_path: Path) -> None:
    files = {**LOCKS["pypi"], "requirements.txt": REQUIREMENTS.replace("    --hash=sha256:bb\n", "")}
    assert "mcp==1.30.0 has no hash" in refusal(tmp_path, PYPI, files)


@pytest.mark.parametrize(
    ("source", "files"),
    [
        (NPM, {**LOCKS["npm"], "package-lock.json": "{"}),
        (NPM, {**LOCKS["npm"], "package.json": "[]"}),
        (OCI, {"image.lock.json": "{}"}),
    ],
)
def test_a_damaged_lock_is_refused_with_the_command_that_writes_it(
    tmp_path: Path, source: dict[str, Any], files: dict[str, str]
) -> None:
    message = refusal(tmp_path, source, files)
    assert "cannot be read" in message and "./deploy.sh lock amap" in message


def test_what_a_review_decided_of_tools_counts_before_what_they_say_of_themselves(tmp_path: Path) -> None:
    from infra.services.contract import LOCK_FILE, Contract

    tools: dict[str, dict[str, Any]] = {
        "geo": {"description": "", "inputSchema": {"type": "object"}},
        "erase": {"description": "", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}},
        "look": {"description": "", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}},
        "other": {"description": "", "inputSchema": {"type": "object"}},
    }
    lock = {"service": "amap", "sha256": Contract(tools).sha256, "tools": tools}
    source = {**NPM, "tools": {"geo": "read", "erase": "off"}}
    spec = read(tmp_path, source, {**LOCKS["npm"], LOCK_FILE: json.dumps(lock)})
    assert spec.tools == {"geo": True, "look": True, "other": False}
    assert spec.contract_sha256 == Contract(tools).sha256
