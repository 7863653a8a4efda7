"""The profiles cache and monitoring for real: switched on without a lost call, guarded, watched, and kept over a loss."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.deploy.checkout import BASE, OFFSET, STACK, Checkout, docker, inspect, ours

PROMETHEUS = f"http://127.0.0.1:{9090 + OFFSET}"
#: Twice the interval of Prometheus, and some.
SCRAPED_SECONDS = 45


class Calls:
    """A context in which template is called all the time; `answers` are the statuses."""

    def __init__(self, token: str) -> None:
        self.answers: list[int | str] = []
        self._headers = {"Authorization": f"Bearer {token}"}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Calls:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            try:
                # A connection of its own each time, as a new client would make it.
                answer = httpx2.post(f"{BASE}/api/template/test", json={"message": "x"}, headers=self._headers)
                self.answers.append(answer.status_code)
            except httpx2.HTTPError as error:
                self.answers.append(repr(error))


@pytest.fixture(scope="module")
def full(deployed: Checkout) -> Iterator[Checkout]:
    """The stack with both profiles, and template alone using the cache. Its files are as before after the tests."""
    user, bystander = (deployed.root / "mcp-servers" / name / "service.yaml" for name in ("template", "xiaohongshu"))
    files = {file: file.read_text() for file in (user, bystander, deployed.stack_file)}
    for spec, cache in ((user, "true"), (bystander, "false")):
        lines = (line for line in files[spec].splitlines(True) if not line.startswith("cache:"))
        spec.write_text("".join(lines) + f"cache: {cache}\n")
    deployed.configure("profiles", ["dev", "cache", "monitoring"])
    yield deployed
    for file, text in files.items():
        file.write_text(text)


@pytest.fixture(scope="module")
def switched_on(full: Checkout) -> list[int | str]:
    """What callers of template got while the profiles were switched on."""
    bystander = inspect("xiaohongshu")["Id"]
    with Calls(full.token) as calls:
        full.deploy_sh()
    assert inspect("xiaohongshu")["Id"] == bystander
    return calls.answers


def healthy(part: str) -> bool:
    """Wait a while for a container to be healthy, as an update does not wait for Redis."""
    deadline = time.monotonic() + SCRAPED_SECONDS
    while inspect(part)["State"]["Health"]["Status"] != "healthy":
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def outputs(full: Checkout) -> dict[str, Any]:
    return dict(json.loads(full.shell("pulumi stack output --json --show-secrets").stdout))


def redis(*commands: str) -> list[str]:
    """Return the first line of each answer of Redis to commands on one connection."""
    with socket.create_connection(("127.0.0.1", 6379 + OFFSET), timeout=5) as connection:
        stream = connection.makefile("rwb")
        answers = []
        for command in commands:
            stream.write(command.encode() + b"\r\n")
            stream.flush()
            line = stream.readline().decode().strip()
            answers.append(stream.readline().decode().strip() if line.startswith("$") and line != "$-1" else line)
        return answers


def targets() -> dict[str, str]:
    """Return the health, by instance, of everything that Prometheus reads."""
    found = httpx2.get(f"{PROMETHEUS}/api/v1/targets").json()["data"]["activeTargets"]
    return {target["labels"]["instance"]: target["health"] for target in found}


def samples_of(instance: str) -> int:
    """Return how many times Prometheus has read an instance within an hour."""
    query = f'count_over_time(up{{instance="{instance}"}}[1h])'
    result = httpx2.get(f"{PROMETHEUS}/api/v1/query", params={"query": query}).json()["data"]["result"]
    return int(result[0]["value"][1]) if result else 0


def test_switching_both_on_costs_no_call_and_touches_no_other_service(switched_on: list[int | str]) -> None:
    assert len(switched_on) > 50
    assert set(switched_on) == {200}


def test_a_second_up_changes_nothing(full: Checkout, switched_on: object) -> None:
    assert "没有变化" in full.deploy_sh().stdout


def test_redis_answers_only_with_the_password_which_is_nowhere_to_be_seen(full: Checkout, switched_on: object) -> None:
    password = outputs(full)["cache_password"]
    assert redis("PING", "AUTH wrong", "GET a")[0].startswith("-NOAUTH")
    assert redis("AUTH wrong")[0].startswith("-WRONGPASS")
    accepted, denied = redis(f"AUTH {password}", "CONFIG GET *")
    assert accepted == "+OK" and denied.startswith("-NOPERM")
    assert password not in docker("inspect", *ours("container"))
    for file in filter(lambda path: path.is_file(), full.state.rglob("*")):
        assert password.encode() not in file.read_bytes(), file


#: Run in a service's container: what Redis answers to a question for a key of its own, and for one of another service.
ASK_REDIS = """
import os, redis
password = open(os.environ["DYBER_REDIS_PASSWORD_FILE"]).read()
client = redis.Redis(os.environ["DYBER_REDIS_HOST"], username=os.environ["DYBER_REDIS_USER"], password=password)
for key in ("dyber:template:none", "dyber:xiaohongshu:none"):
    try:
        print(client.get(key))
    except redis.exceptions.NoPermissionError:
        print("NOPERM")
"""


def test_the_service_that_uses_it_reaches_its_own_part_of_redis_with_its_file(switched_on: object) -> None:
    said = docker("exec", inspect("template")["Id"], "/opt/venv/bin/python", "-c", ASK_REDIS)
    assert said.split() == ["None", "NOPERM"]


def test_prometheus_reads_everything(switched_on: object) -> None:
    deadline = time.monotonic() + SCRAPED_SECONDS
    expected = dict.fromkeys(("gateway", "template-1", "xiaohongshu-1", "hub-1", "cache", "prometheus"), "up")
    while (found := targets()) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
    page = httpx2.get(f"{PROMETHEUS}/", follow_redirects=True)
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


def test_a_rule_that_cannot_be_is_refused_in_promtools_words_and_the_old_ones_stay(
    full: Checkout, switched_on: object
) -> None:
    rules = full.root / "monitoring" / "rules" / "cache.yml"
    before, running = rules.read_text(), inspect("monitoring")
    rules.write_text(before.replace("redis_up == 0", "redis_up =="))
    try:
        failed = full.deploy_sh(check=False)
    finally:
        rules.write_text(before)
    assert failed.returncode == 1
    assert "unexpected end of input" in failed.stderr and "旧配置仍在使用" in failed.stderr
    after = inspect("monitoring")
    assert (after["Id"], after["State"]["StartedAt"]) == (running["Id"], running["State"]["StartedAt"])
    assert "redis_up == 0" in httpx2.get(f"{PROMETHEUS}/api/v1/rules").text


def test_what_is_removed_by_hand_comes_back_with_its_data(full: Checkout, switched_on: object) -> None:
    login = f"AUTH {outputs(full)['cache_password']}"
    # Written to the disk within a second; WAIT would ask for replicas.
    assert redis(login, "SET kept yes")[1] == "+OK"
    time.sleep(1.5)
    before = samples_of("gateway")
    assert before
    for part in ("cache", "monitoring"):
        docker("rm", "--force", inspect(part)["Id"])
    full.deploy_sh()
    assert redis(login, "GET kept")[1] == "yes"
    assert samples_of("gateway") >= before
    for part in ("cache", "cache-exporter", "monitoring"):
        assert healthy(part)


def test_a_damaged_cache_holds_up_no_deployment_and_comes_back_by_itself(full: Checkout, switched_on: object) -> None:
    login = f"AUTH {outputs(full)['cache_password']}"
    manifest = "/data/appendonlydir/appendonly.aof.manifest"
    docker("exec", inspect("cache")["Id"], "sh", "-c", f"echo odd >{manifest}; kill -KILL $(pidof redis-server)")
    assert "没有变化" in full.deploy_sh().stdout
    assert healthy("cache")
    assert redis(login, "SET after yes", "GET after")[1:] == ["+OK", "yes"]


def test_switched_off_their_data_stays_is_listed_and_goes_only_when_asked(full: Checkout, switched_on: object) -> None:
    own = {f"dyber-{STACK}-{profile}-data" for profile in ("cache", "monitoring")}
    others = set(ours("volume")) & {f"dyber-{STACK}-xiaohongshu-data"}
    full.configure("profiles", ["dev"])
    preview = full.deploy_sh("preview").stdout
    assert "数据保留" in preview and "数据会被删除" not in preview
    full.deploy_sh()
    assert own | others <= set(ours("volume"))
    assert "没有变化" in full.deploy_sh().stdout
    status = full.deploy_sh("status")
    assert all(name in status.stdout for name in own) and f"clean --unused-data -s {STACK}" in status.stdout
    assert all(name in full.deploy_sh("doctor", check=False).stdout for name in own)
    asked = full.deploy_sh("clean", "--unused-data", check=False)
    assert asked.returncode != 0 and all(name in asked.stderr for name in own)
    assert own <= set(ours("volume"))
    full.deploy_sh("clean", "--unused-data", "--yes")
    assert not own & set(ours("volume")) and others <= set(ours("volume"))
    assert full.planned_changes() == {}
