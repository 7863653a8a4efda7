"""Real programs of others are built, started and called in their images, also in an image that has nothing else."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from cli.deployment.environment import activate
from cli.deployment.events import DeployError
from cli.release import contracts
from cli.services.sources import npm_packages, oci_images
from infra.services.catalog import ServiceSpec, load_spec
from tests.stand_in.bridges import text_of
from tests.support.image_registry import image_registry
from tests.support.registries import add_npm_package
from tests.support.source_images import CONFINED, add, build, docker, remove_images, run, server_folder, serving
from tests.support.wheels import served
from toolchain.home import DyberHome
from toolchain.progress import PlainProgress

LOCKS = Path(__file__).parents[1] / "support" / "foreign" / "memory"
SDK = "github.com/modelcontextprotocol/go-sdk"
MEMORY = {"go": f"{SDK}/examples/server/memory@v1.8.0", "arguments": ["-memory", "${data}/memory.json"]}
NOTE = {"entities": [{"name": "大理", "entityType": "city", "observations": ["sunny"]}]}
LOCK = ["--env", "DYBER_LOCK_FILE=/given/tools.lock.json"]
#: A server that takes the memory that it is asked for, and keeps it.
HUNGRY = """\
import json, os, sys
kept = []
def result(method, params):
    if method == "initialize":
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}},
                "serverInfo": {"name": "hungry", "version": "1"}}
    if method == "tools/list":
        schema = {"type": "object", "properties": {"mib": {"type": "integer"}}}
        return {"tools": [{"name": "eat", "description": "Eat", "inputSchema": schema}]}
    if method == "tools/call":
        kept.append(os.urandom(1 << 20) * params["arguments"]["mib"])
        return {"content": [{"type": "text", "text": f"ate {len(kept)} times"}]}
    return {}
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        answer = {"jsonrpc": "2.0", "id": message["id"], "result": result(message["method"], message.get("params"))}
        print(json.dumps(answer), flush=True)
"""


@pytest.fixture(scope="module", autouse=True)
def environment(home: DyberHome) -> Iterator[None]:
    before = dict(os.environ)
    activate(home)
    os.environ["DYBER_LANG"] = "en"
    yield
    os.environ.clear()
    os.environ.update(before)
    remove_images("program-")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder mcp-servers/ to which tests add services."""
    return server_folder(tmp_path_factory.mktemp("servers"))


@pytest.fixture(scope="module")
def memory(servers: Path) -> ServiceSpec:
    return add(servers, "program-memory", MEMORY, LOCKS / "go.mod", LOCKS / "go.sum", data=True)


@pytest.fixture(scope="module")
def memory_image(servers: Path, memory: ServiceSpec) -> str:
    """The image of a real server that is written in Go; it has no lock of its tools yet."""
    return build(servers, memory)


def listed(image: str, spec: ServiceSpec) -> list[str]:
    """Let the program of an image list its tools; return the options that give a container the lock made of them."""
    contract, text, _ = contracts.bridged_contract(image, spec)
    assert {"create_entities", "read_graph"} <= set(contract.tools)
    lock = spec.folder / "tools.lock.json"
    lock.write_text(text, encoding="utf-8")
    return ["--volume", f"{lock}:/given/tools.lock.json:ro", *LOCK]


async def remembers(base: str) -> None:
    async with Client(f"{base}/mcp") as client:
        assert not (await client.call_tool("create_entities", NOTE)).is_error
        assert "大理" in str((await client.call_tool("read_graph", {})).structured_content)


async def test_a_go_program_is_built_listed_and_called(memory_image: str, memory: ServiceSpec) -> None:
    with serving(memory_image, *listed(memory_image, memory)) as (container, base):
        await remembers(base)
        assert "大理" in docker("exec", container, "cat", "/data/memory.json")


def test_a_changed_hash_of_a_go_module_fails_the_build_and_names_it(
    servers: Path, memory_image: str, memory: ServiceSpec
) -> None:
    spec = add(servers, "program-changed", MEMORY, LOCKS / "go.mod", LOCKS / "go.sum", data=True)
    lock = spec.folder / "go.sum"
    text = lock.read_text(encoding="utf-8")
    lock.write_text(re.sub(rf"(?m)^({SDK} \S+ h1:)......", r"\1AAAAAA", text), encoding="utf-8")
    assert lock.read_text(encoding="utf-8") != text
    with pytest.raises(DeployError) as refused:
        build(servers, spec)
    told = "\n".join(refused.value.details)
    assert f"{SDK}@v1.8.0" in told and "checksum mismatch" in told


@pytest.fixture(scope="module")
def bare_image(memory_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image of others that has a static program in its working folder and nothing else, in a registry."""
    folder = tmp_path_factory.mktemp("bare")
    made = docker("create", memory_image)
    docker("cp", f"{made}:/opt/server/server", str(folder / "server"))
    docker("rm", made)
    lines = ["FROM scratch", "COPY server /srv/app/bin/server", "WORKDIR /srv/app", "VOLUME /data"]
    lines.append('ENTRYPOINT ["bin/server"]')
    (folder / "Dockerfile").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tag = "dyber-program-bare:latest"
    docker("build", "--tag", tag, str(folder))
    with image_registry(tag, "others/memory") as reference:
        yield reference


def foreign(servers: Path, name: str, reference: str) -> ServiceSpec:
    source = {"oci": reference, "arguments": MEMORY["arguments"]}
    spec = add(servers, name, source, data=True)
    assert spec.source is not None
    oci_images.lock(spec.source, spec.folder, PlainProgress())
    return load_spec(spec.folder / "service.yaml")


async def test_an_image_with_nothing_but_a_program_runs_behind_the_bridge_with_its_own_loader(
    servers: Path, bare_image: str
) -> None:
    spec = foreign(servers, "program-bare", bare_image)
    image = build(servers, spec)
    with serving(image, *listed(image, spec)) as (container, base):
        await remembers(base)
        assert "working" in docker("exec", container, "/opt/venv/bin/python", "-I", "-c", _LOADED)
        for _ in range(2):
            docker("exec", container, "/opt/dyber/healthcheck", "1")
        for absent in ("/bin/sh", "/usr/bin/python3", "/lib/x86_64-linux-gnu/libc.so.6"):
            assert "no such file" in docker("exec", container, absent, check=False)


#: Loads every extension of Python's and the kit's, so that a library that is missing is noticed, and says where the
#: libraries come from that are loaded.
_LOADED = """
import importlib, pathlib, sys
for folder in map(pathlib.Path, sys.path):
    for file in folder.glob("*.so") if folder.name == "lib-dynload" else ():
        importlib.import_module(file.name.partition(".")[0])
import dyber_kit.bridge.app, ssl, sqlite3, cryptography.hazmat.bindings._rust
loaded = {line.split()[-1] for line in open("/proc/self/maps") if ".so" in line or "loader" in line}
assert all(path.startswith(("/opt/dyber/python/", "/opt/venv/")) for path in loaded), loaded
print("working", len(loaded))
"""


def test_a_changed_digest_of_an_image_is_refused_before_and_while_it_is_built(servers: Path, bare_image: str) -> None:
    spec = foreign(servers, "program-digest", bare_image)
    other = re.sub(r"sha256:......", "sha256:000000", bare_image)
    lock = spec.folder / "image.lock.json"
    whole = {file: file.read_text(encoding="utf-8") for file in (lock, spec.folder / "service.yaml")}
    lock.write_text(whole[lock].replace(bare_image, other), encoding="utf-8")
    with pytest.raises(Exception, match=other):
        build(servers, spec)
    (spec.folder / "service.yaml").write_text(whole[spec.folder / "service.yaml"].replace(bare_image, other))
    with pytest.raises(DeployError) as refused:
        build(servers, load_spec(spec.folder / "service.yaml"))
    assert other in "\n".join([refused.value.message, *refused.value.details])


def address_for_builds() -> str:
    """Return an address of this machine that builds reach, which run in containers: that of the engine's bridge."""
    listed = json.loads(docker("network", "inspect", "bridge"))
    gateway: str = listed[0]["IPAM"]["Config"][0].get("Gateway") or "172.17.0.1"
    return gateway


def test_install_scripts_do_not_run_when_an_image_is_built(
    servers: Path, home: DyberHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    scripts = {name: f"touch {name}.ran /tmp/{name}.ran" for name in ("preinstall", "install", "postinstall")}
    program = (Path(__file__).parents[1] / "stand_in" / "weather_server.js").read_text(encoding="utf-8")
    registry = tmp_path / "registry"
    registry.mkdir()
    with served(registry, address_for_builds()) as address:
        monkeypatch.setenv("DYBER_NPM_REGISTRY", address)
        add_npm_package(registry, address, "clouds", "1.0.0", scripts=scripts)
        needs: dict[str, Any] = {"dependencies": {"clouds": "1.0.0"}, "bin": {"weather": "index.js"}}
        add_npm_package(registry, address, "weather", "1.0.0", program=program, scripts=scripts, **needs)
        spec = add(servers, "program-weather", {"npm": "weather@1.0.0", "command": "weather"})
        assert spec.source is not None
        report = npm_packages.lock(spec.source, spec.folder, home, PlainProgress())
        assert set(report.install_scripts) == {"weather", "clouds"}
        image = build(servers, spec)
    assert run(image, "find", "/opt/server/node_modules", "-name", "package.json").count("\n") == 2
    assert run(image, "/bin/sh", "-c", "find / -xdev -name '*.ran' 2>/dev/null; true") == ""
    contract, *_ = contracts.bridged_contract(image, spec)
    assert "forecast" in contract.tools


async def test_a_child_that_takes_more_memory_than_there_is_ends_and_the_bridge_tells(
    memory_image: str, tmp_path: Path
) -> None:
    (tmp_path / "hungry.py").write_text(HUNGRY, encoding="utf-8")
    bridge = {"service": "hungry", "title": "Hungry", "tools": {"eat": "read"}}
    settings = {**bridge, "command": ["/usr/bin/python3", "-I", "/given/hungry.py"]}
    (tmp_path / "bridge.json").write_text(json.dumps(settings), encoding="utf-8")
    tmp_path.chmod(0o755)
    given = ["--volume", f"{tmp_path}:/given:ro", "--env", "DYBER_BRIDGE_FILE=/given/bridge.json"]
    listing = ["--entrypoint", "/opt/venv/bin/python", memory_image, "-I", "-m", "dyber_kit.bridge.contract"]
    lock = docker("run", "--rm", *CONFINED, *given, *listing)
    (tmp_path / "tools.lock.json").write_text(lock, encoding="utf-8")
    limits = [*given, *LOCK, "--memory", "200m", "--memory-swap", "200m"]
    with serving(memory_image, *limits) as (container, base):
        async with Client(f"{base}/mcp") as client:
            assert text_of(await client.call_tool("eat", {"mib": 1})) == "ate 1 times"
            answer = await client.call_tool("eat", {"mib": 400})
            assert answer.is_error and "SIGKILL" in text_of(answer)
            assert text_of(await client.call_tool("eat", {"mib": 1})) == "ate 1 times"
        state = json.loads(docker("inspect", container))[0]
        assert state["State"]["Running"] and state["RestartCount"] == 0
        metrics = docker("exec", container, "/opt/venv/bin/python", "-I", "-c", _METRICS)
        assert re.search(r'mcp_child_restarts_total\{.*reason="exit".*\} 1(\.0)?$', metrics, re.MULTILINE)


_METRICS = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8900/metrics').read().decode())"
