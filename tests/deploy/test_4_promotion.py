"""Built once, promoted by digest from stack to stack; what breaks its contract is stopped; going back is a revert.

Run with `-s` for the figures of the load on the last stack.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
import yaml

from tests.deploy.checkout import LAST, NEXT, OFFSET, PROCESS, STACK, Checkout, docker, inspect
from tests.deploy.steady_load import SteadyLoad, nothing_lost
from tests.support.leftovers import remove_labelled

#: Their ports too are below those that systems hand out by themselves.
NEXT_BASE, LAST_BASE = (f"http://127.0.0.1:{80 + OFFSET + further}" for further in (1000, 2000))
FILE = """\
# 下一个环境
config:
  dyber:gateway:
    portOffset: {offset} # beside the first
    limits: {{requestsPerSecond: 1000, burst: 1000}}
  dyber:profiles: [dev, cache]
  dyber:contracts: enforced
  dyber:policy: mandatory
  dyber:dataRetention: keep
  # Beside the stacks and containers of all tests that run at once, as an engine has about 30 networks by itself.
  dyber:networkPool: {pool}
  dyber:services:
    xiaohongshu: {{enabled: false}}
    template: {{maxCallSeconds: 5}}
"""
ECHO = "原样返回文字和字数。"
CHANGED = "收到什么文字就返回什么。"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's registry on a port of its own: `127.0.0.1:<port>/dyber`."""
    folder = tmp_path_factory.mktemp("registry")
    if shutil.which("docker-registry") is None:
        fetch = ["apt-get", "download", "docker-registry"]
        if subprocess.run(fetch, cwd=folder, capture_output=True, check=False).returncode:
            subprocess.run(["apt-get", "update"], capture_output=True, check=False)
            if subprocess.run(fetch, cwd=folder, capture_output=True, check=False).returncode:
                pytest.skip("Debian's package docker-registry cannot be fetched here")
        (package,) = folder.glob("*.deb")
        subprocess.run(["dpkg-deb", "--extract", package, folder], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
    )
    program = shutil.which("docker-registry") or str(folder / "usr/bin/docker-registry")
    process = subprocess.Popen(
        [program, "serve", "config.yml"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until_it_answers(f"http://127.0.0.1:{port}/v2/")
        yield f"127.0.0.1:{port}/dyber"
    finally:
        process.terminate()
        process.wait()
        for image in docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split():
            if image.startswith(f"127.0.0.1:{port}/"):
                docker("image", "rm", image, check=False)


@pytest.fixture(scope="module")
def pair(deployed: Checkout, registry: str) -> Iterator[Checkout]:
    """The first stack, which pushes to the registry, and the files of the two others; the next one's was promoted."""
    before = deployed.stack_file.read_text()
    source = tools_source(deployed)
    text = source.read_text()
    for number, stack in enumerate((NEXT, LAST), 1):
        pool = f"10.{200 + 4 * PROCESS + 2 * number}.0.0/15"
        file_of(deployed, stack).write_text(FILE.format(offset=OFFSET + 1000 * number, pool=pool))
    try:
        deployed.configure("registry", registry)
        deployed.configure("profiles", ["dev", "cache"])
        deployed.deploy_sh()
        deployed.deploy_sh("promote", STACK, NEXT, "--yes")
        yield deployed
    finally:
        source.write_text(text)
        deployed.stack_file.write_text(before)
        at_once(lambda stack: deployed.deploy_sh("destroy", "-s", stack, "--yes", check=False), (NEXT, LAST))
        for stack in (NEXT, LAST):
            file_of(deployed, stack).unlink()
            remove_labelled(f"dyber.stack={stack}")


def test_the_promotion_is_a_small_change_by_digest_that_keeps_comments(pair: Checkout, registry: str) -> None:
    text = file_of(pair, NEXT).read_text()
    assert "# 下一个环境" in text and "# beside the first" in text
    config = yaml.safe_load(text)["config"]
    assert config["dyber:images"] == "pinned"
    assert config["dyber:cacheImage"].startswith(f"{registry}/cache@sha256:")
    template = config["dyber:services"]["template"]
    assert template["image"].startswith(f"{registry}/template@sha256:")
    assert template["contract"]["tools"]["template_echo"] == "read"


def test_the_next_stack_runs_what_was_built_once_and_builds_nothing(pair: Checkout) -> None:
    pair.deploy_sh("deploy", "-s", NEXT)
    assert running_image(NEXT) == inspect("template")["Image"]
    state = json.loads(pair.shell(f"pulumi stack export -s {NEXT}").stdout)
    assert not [item for item in state["deployment"]["resources"] if item["type"].endswith("RemoteImage")]
    assert "没有变化" in pair.deploy_sh("deploy", "-s", NEXT).stdout
    assert pair.deploy_sh("tools", "diff", "--against", STACK, "-s", NEXT, "template").returncode == 0


def test_a_changed_tool_reaches_the_last_stack_and_goes_back_with_the_files_without_a_lost_call(
    pair: Checkout, tmp_path: Path
) -> None:
    pair.deploy_sh("promote", NEXT, LAST, "--yes")
    pair.deploy_sh("deploy", "-s", LAST)
    first, before = running_image(LAST), {stack: file_of(pair, stack).read_text() for stack in (NEXT, LAST)}
    token = pair.deploy_sh("token", "show", "-s", LAST).stdout.strip()
    with SteadyLoad(LAST_BASE, "template", token, stack=LAST, folder=tmp_path) as load:
        change_template(pair, (ECHO, CHANGED))
        pair.deploy_sh()
        for source, target in ((STACK, NEXT), (NEXT, LAST)):
            told = pair.deploy_sh("promote", source, target, "--yes")
            assert f"+ {CHANGED}" in told.stdout and "改变智能体读到的内容: 1" in told.stdout
            pair.deploy_sh("deploy", "-s", target)
            assert running_image(target) == inspect("template")["Image"] != first
        for stack, text in before.items():
            file_of(pair, stack).write_text(text)
        at_once(lambda stack: pair.deploy_sh("deploy", "-s", stack), before)
        assert [running_image(stack) for stack in before] == [first, first]
    print(f"\n| promoted and taken back | {load.outcome.row} |")
    nothing_lost(load.outcome)


def test_an_image_whose_tools_are_not_the_promoted_ones_is_not_put_in_service(pair: Checkout) -> None:
    first, before = running_image(NEXT), file_of(pair, NEXT).read_text()
    pair.shell(f"pulumi config set -s {NEXT} --path dyber:services.template.image {inspect('template')['Image']}")
    try:
        failed = pair.deploy_sh("deploy", "-s", NEXT, check=False)
    finally:
        file_of(pair, NEXT).write_text(before)
    assert failed.returncode == 1
    assert "服务 template 的工具与契约不符" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert running_image(NEXT) == first
    assert called(pair).status_code == 200
    pair.deploy_sh("deploy", "-s", NEXT)


def test_a_strict_stack_refuses_what_breaks_a_rule_and_another_is_advised(pair: Checkout) -> None:
    defaults = pair.root / "infra" / "components" / "docker" / "defaults.py"
    before, text = running_image(NEXT), defaults.read_text()
    defaults.write_text(text.replace('drops=["ALL"]', 'drops=["NET_RAW"]'))
    try:
        refused = pair.deploy_sh("deploy", "-s", NEXT, check=False)
        advised = pair.deploy_sh("preview")
    finally:
        defaults.write_text(text)
    assert refused.returncode == 1
    # Which container is named depends on what Pulumi asks about first.
    assert re.search("违反规则：[a-z-]+: 没有去掉全部能力.*[(]no-capability[)]", refused.stderr)
    assert "建议：template-server: 没有去掉全部能力" in advised.stderr
    assert running_image(NEXT) == before
    assert called(pair).status_code == 200
    assert "没有变化" in pair.deploy_sh("deploy", "-s", NEXT).stdout


def test_what_breaks_callers_is_promoted_only_on_purpose(pair: Checkout) -> None:
    before = file_of(pair, NEXT).read_text()
    change_template(pair, ("max_length=2000)]", "max_length=20)]"))
    pair.deploy_sh()
    refused = pair.deploy_sh("promote", STACK, NEXT, "--yes", check=False)
    assert refused.returncode == 1
    assert "maxLength：2000 → 20" in refused.stdout and "--accept-breaking" in refused.stderr
    assert file_of(pair, NEXT).read_text() == before


def at_once(do: Callable[[str], object], stacks: Iterable[str]) -> None:
    """Do something with several independent stacks at the same time. Raises the first error."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(do, stacks))


def file_of(checkout: Checkout, stack: str) -> Path:
    return checkout.root / f"Pulumi.{stack}.yaml"


def tools_source(checkout: Checkout) -> Path:
    return checkout.root / "mcp-servers" / "template" / "template_server" / "tools.py"


def change_template(checkout: Checkout, change: tuple[str, str]) -> None:
    """Change the template's tools in the sources and, as its owner would, in the lock file."""
    source = tools_source(checkout)
    text = source.read_text()
    assert change[0] in text
    source.write_text(text.replace(*change, 1))
    checkout.deploy_sh("tools", "lock", "template")


def running_image(stack: str) -> str:
    """Return the id of the image of template's running container."""
    (container,) = docker(
        "ps", "--quiet", "--filter", f"label=dyber.stack={stack}", "--filter", "label=dyber.service=template"
    ).split()
    return docker("inspect", "--format", "{{.Image}}", container).strip()


def called(checkout: Checkout) -> httpx2.Response:
    token = checkout.deploy_sh("token", "show", "-s", NEXT).stdout.strip()
    return httpx2.post(
        f"{NEXT_BASE}/api/template/test", json={"message": "x"}, headers={"Authorization": f"Bearer {token}"}
    )


def wait_until_it_answers(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            if httpx2.get(url).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        assert time.monotonic() < deadline, f"{url} does not answer"
        time.sleep(0.1)
