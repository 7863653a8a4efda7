"""The command appends to the console's history on a real engine, also at the same time, and finds why containers end."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cli.engine import archives, engine, volumes
from cli.engine.errors import NotOnEngine
from cli.records import ends, history, recording
from cli.records.history import MOST_LINES, History
from tests.console.support.running import wait_until


@pytest.fixture
def deployment() -> Iterator[str]:
    """The id of a deployment; its containers and volumes are removed."""
    identity = f"test{secrets.token_hex(4)}"
    yield identity
    with engine.asking() as client:
        for item in engine.listed_containers(engine.deployment_filter(identity)):
            client.remove_container(item["Id"], force=True)
        client.remove_volume(f"{identity}-files", force=True)


def start(deployment: str, service: str, script: str, mounts: tuple[str, ...] = (), memory: str | None = None) -> str:
    labels = {"dyber.project": "dyber", "dyber.service": service, "dyber.deployment": deployment}
    with engine.asking() as client:
        created = client.create_container(
            volumes.base_image_name(),
            ["sh", "-c", script],
            labels=labels,
            host_config=client.create_host_config(
                binds=list(mounts),
                restart_policy={"Name": "always", "MaximumRetryCount": 0},
                mem_limit=memory,
                memswap_limit=memory,
                network_mode="none",
            ),
        )
        client.start(created["Id"])
    return str(created["Id"])


@pytest.fixture
def console(deployment: str) -> History:
    """The history of a console, which may only read its volume."""
    start(deployment, "console", "exec sleep infinity", (f"{deployment}-files:/files:ro",))
    (place,) = history.find(deployment=deployment)
    return place


def test_lines_are_appended_as_they_are_and_read_also_from_a_stopped_console(console: History) -> None:
    assert console.read() == []
    entry = {"kind": "drift", "at": recording.now(), "differences": [{"resource": "知乎 $(id) '\"\\n %s"}]}
    console.append([entry])
    with engine.asking() as client:
        client.stop(console.container, timeout=0)
    console.append([{"kind": "backup", "at": entry["at"], "bytes": 1}])
    assert console.read() == [entry, {"kind": "backup", "at": entry["at"], "bytes": 1}]


def test_commands_that_append_at_the_same_time_lose_nothing_and_the_oldest_lines_go(console: History) -> None:
    def append(first: int) -> None:
        console.append({"kind": "backup", "at": recording.now(), "bytes": first + step} for step in range(150))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(append, (0, 1000, 2000)))
    assert len({entry["bytes"] for entry in console.read()}) == 450
    append(3000)
    kept = console.read()
    assert len(kept) == MOST_LINES
    assert [entry["bytes"] for entry in kept[-150:]] == list(range(3000, 3150))


def test_the_engine_says_why_containers_ended_and_each_end_is_recorded_once(deployment: str, console: History) -> None:
    again = "[ -e /tmp/again ] && exec sleep infinity; touch /tmp/again;"
    hungry = start(deployment, "zhihu", f"{again} exec tail /dev/zero", memory="32m")
    failing = start(deployment, "weibo", f"{again} exit 7")
    stopped = start(deployment, "douyin", "exec sleep infinity")
    with engine.asking() as client:
        client.restart(stopped, timeout=0)

    def run_again() -> bool:
        found = engine.containers(engine.deployment_filter(deployment))
        by_id = {item["Id"]: item for item in found}
        return all(by_id[each]["RestartCount"] and by_id[each]["State"]["Pid"] for each in (hungry, failing))

    wait_until(run_again, "both containers run again")
    recording.record_ends(deployment)
    recording.record_ends(deployment)
    recorded = {entry["service"]: entry for entry in console.read()}
    assert len(console.read()) == 2
    assert (recorded["zhihu"]["reason"], recorded["zhihu"]["memory_mib"]) == ("out_of_memory", 32)
    # Of two hundred events of other containers, the engine keeps none before.
    assert recorded["weibo"]["reason"] == "exit" and recorded["weibo"]["exit_code"] in (7, None)
    assert ends.ended(engine.containers(engine.deployment_filter(deployment))) != []


def stored(place: History, path: str) -> dict[str, str]:
    """Return the text of the files below a path of the console's files, by their names; {} where there is nothing."""
    try:
        with archives.reading(place.container, f"/files/{path}") as tar:
            return {
                member.name: content.read().decode()
                for member in tar
                if (content := tar.extractfile(member)) is not None
            }
    except NotOnEngine:
        return {}


def test_files_of_another_stack_take_the_place_of_those_of_before_and_can_be_removed(console: History) -> None:
    console.store_stack("test", {"deployment.json": "{}", "contracts/zhihu.json": "{}"})
    console.store_stack("test", {"deployment.json": '{"stack": "test"}', "contracts/weibo.json": "1"})
    assert stored(console, "stacks") == {
        "stacks/test/deployment.json": '{"stack": "test"}',
        "stacks/test/contracts/weibo.json": "1",
    }
    console.store_stack("test", {})
    assert stored(console, "stacks") == {}
