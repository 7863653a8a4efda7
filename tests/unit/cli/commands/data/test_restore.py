"""A restore that would harm something, or cannot succeed, is refused before anything changes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.commands.data import restore
from cli.commands.data.restore import Restorable
<<<<<<< HEAD
=======
from cli.deployment import deployment
from cli.deployment.deployment import Deployment
from cli.deployment.state_import import TrialImport
from cli.engine import engine
>>>>>>> w-cli
from cli.engine.stored_data import StoredData
from cli.recovery.backup_file import Manifest
from cli.system.errors import StackError
from infra.parts.data_volumes import LabelledVolume
from infra.schema.problems import ConfigurationError
from tests.support.fake_engine import FakeEngine

REPOSITORY = Path(__file__).resolve().parents[5]
VOLUME = "dyber-test-a-data"
#: Gives the engine the data volume of this stack, with the containers that use it.
GiveVolume = Callable[[str, tuple[str, ...]], None]


def restorable(size: int = 0) -> Restorable:
    manifest = Manifest("test", "2026-01-02 03:04 UTC", {VOLUME: {}}, size)
    return Restorable(manifest, {}, b"", {}, SimpleNamespace(), None)  # type: ignore[arg-type]


@pytest.fixture
def volumes(monkeypatch: pytest.MonkeyPatch, fake_engine: FakeEngine) -> GiveVolume:
    """Gives the engine the volume: whose it is, and who uses it."""

    def give(owner: str, users: tuple[str, ...]) -> None:
        monkeypatch.setattr(restore.stored_data, "labelled", lambda: [LabelledVolume(VOLUME, owner, "a")])
        stored = StoredData(VOLUME, owner, "a", size=5e9, users=users)
        monkeypatch.setattr(restore.stored_data, "find", lambda *_: [stored])
        monkeypatch.setattr(restore.stored_data, "users", lambda: {VOLUME: users})
        fake_engine.add("own")

    return give


def test_data_of_another_stack_is_never_replaced(volumes: GiveVolume) -> None:
    volumes("other", ())
    with pytest.raises(StackError, match="other"):
        restore._refuse_foreign_volumes(restorable(), None)


def test_data_that_other_containers_use_is_never_replaced(volumes: GiveVolume) -> None:
    volumes("test", ("own", "foreign"))
    with pytest.raises(StackError, match="foreign"):
        restore._refuse_foreign_volumes(restorable(), "mine")
    volumes("test", ("own",))
    restore._refuse_foreign_volumes(restorable(), "mine")


def test_data_under_another_name_of_the_same_service_is_not_left_in_use(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore.stored_data, "labelled", lambda: [LabelledVolume("dyber-t-e-a-data", "t-e", "a")])
    labels = {"dyber.stack": "t-e", "dyber.service": "a"}
    manifest = Manifest("t-e", "", {"dyber-t--e-a-data": labels})
    with pytest.raises(StackError, match="dyber-t-e-a-data"):
        restore._refuse_foreign_volumes(Restorable(manifest, {}, b"", {}, SimpleNamespace(), None), None)  # type: ignore[arg-type]


def test_a_disk_without_room_for_a_second_copy_is_noticed_first(
    volumes: GiveVolume, fake_engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volumes("test", ())
    fake_engine.data_folder = str(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=6e9))
    restore._refuse_small_disk(restorable(size=900_000_000))
    with pytest.raises(StackError, match=r"6\.0 GB"):
        restore._refuse_small_disk(restorable(size=2_000_000_000))
    fake_engine.data_folder = "/on/another/machine"
    restore._refuse_small_disk(restorable(size=2_000_000_000))


def test_settings_that_cannot_be_used_here_are_noticed_first(root: Path) -> None:
    shutil.copytree(REPOSITORY / "mcp-servers", root / "mcp-servers")
    with pytest.raises(ConfigurationError, match="nowhere"):
        restore.settings_of("test", {"dyber:services": '{"nowhere": {"cpus": 1}}'}, None)
    values = {"dyber:cache": '{"password": "correct-horse-battery"}'}
    assert restore.settings_of("dev", values, b"LOG_LEVEL=debug\n").log_level == "debug"
    with pytest.raises(ConfigurationError, match=r"\.env\.test: LOG_LEVEL"):
        restore.settings_of("test", values, b"LOG_LEVEL=debug\n")


def test_the_restored_state_makes_containers_and_networks_of_its_own_and_keeps_the_rest() -> None:
    kept = {"urn": "u::deployment", "type": "random:index/randomId:RandomId", "outputs": {"hex": "abc"}}
    volume = {"urn": "u::v", "type": "docker:index/volume:Volume", "dependencies": ["u::n"]}
    gone = [{"urn": "u::c", "type": restore.CONTAINER}, {"urn": "u::n", "type": restore.NETWORK}]
    state = {"deployment": {"resources": [kept, volume, *gone], "pending_operations": [{"resource": gone[0]}]}}
    assert restore.deployment_id(state) == "abc"
    left = restore.without_containers(state)["deployment"]
    assert left["resources"] == [kept, {**volume, "dependencies": []}] and left["pending_operations"] == []


def test_a_backup_of_a_stack_that_was_never_deployed_is_refused() -> None:
    with pytest.raises(StackError):
        restore.deployment_id({"deployment": {}})
<<<<<<< HEAD
=======


@pytest.mark.parametrize("damage", [b"", b"\0" * 64, b"\xff", b"[]", b'{"stack": "test"}'])
def test_a_damaged_way_back_is_set_aside_with_what_it_kept(
    prepared: WayBack, root: Path, capsys: pytest.CaptureFixture[str], damage: bytes
) -> None:
    (prepared.folder / "journal.json").write_bytes(damage)
    assert way_back.unfinished() == []
    aside = prepared.folder.with_name("test.damaged")
    assert (aside / "stack.yaml").read_text() == "config: {now: 1}\n"
    assert (aside / "journal.json.damaged").read_bytes() == damage
    told = capsys.readouterr().err
    assert str(prepared.folder) in told and "./deploy.sh restore" in told and "dyber.helper=restore" in told
    assert way_back.unfinished() == []


# -- the check as a whole ----------------------------------------------------------------------------------------------


class Present:
    """The stack as its state knows it now; `identity` is of its deployment."""

    def __init__(self, identity: str) -> None:
        self.identity = identity

    def deployment_id(self) -> str:
        return self.identity

    def require_idle(self) -> None:
        pass


@pytest.fixture
def check(root: Path, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Restorable]:
    """Checks a backup of the stack prod with these files, as far as neither Pulumi nor an engine is needed."""
    shutil.copytree(REPOSITORY / "mcp-servers", root / "mcp-servers")
    monkeypatch.setattr(restore.data_volumes, "labelled", list)
    monkeypatch.setattr(restore.stored_data, "find", lambda *_: [])
    monkeypatch.setattr(restore.stored_data, "users", dict)
    monkeypatch.setattr(restore, "file_for_here", lambda content, _: content)

    def trial_import(name: str, content: bytes, state: object) -> TrialImport:
        values = yaml.safe_load(content)["config"]
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
        return TrialImport(content, texts)

    monkeypatch.setattr(restore, "trial_import", trial_import)
    monkeypatch.setattr(restore.Deployment, "known_to_the_state", lambda name: Present("mine"))

    def run(stack_yaml: str, **files: bytes) -> Restorable:
        content = {"stack.yaml": stack_yaml.encode(), "state.json": b"{}", **files}
        return restore.checked(Manifest("prod", "2026-01-02 03:04 UTC", {}), content)

    return run


STACK_YAML = "config:\n  # why\n  dyber:logLevel: warning\n  dyber:gateway: {portOffset: 20000}\n"


def test_every_port_that_the_backup_publishes_is_checked_for_the_present_deployment(
    check: Callable[..., Restorable], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(restore, "refuse_taken_ports", lambda *arguments: asked.append(arguments))
    found = check(STACK_YAML)
    ((name, ports, deployments),) = asked
    assert (name, deployments) == ("prod", {"mine"})
    assert {("127.0.0.1", 28080), ("::1", 28080)} <= set(ports)
    assert all(isinstance(address, str) and isinstance(port, int) for address, port in ports)
    assert found.present and not found.local_env


def test_a_backup_of_before_whose_env_wins_without_being_asked_is_given_the_key_that_says_so(
    check: Callable[..., Restorable], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "refuse_taken_ports", lambda *_: None)
    found = check(STACK_YAML, env=b"LOG_LEVEL=debug\n")
    assert found.settings.log_level == "debug" and found.local_env
    assert found.stack_yaml.decode().startswith(STACK_YAML) and b"dyber:localEnv: true" in found.stack_yaml
    restore._tell(found)
    assert "dyber:localEnv: true" in capsys.readouterr().err
    for unchanged in (b"# nothing\n", b"MCP_AUTH_TOKEN=" + b"x" * 40):
        assert not check(STACK_YAML, env=unchanged).local_env
    with pytest.raises(ConfigurationError, match="LOG_LEVEL"):
        check(STACK_YAML + "  dyber:localEnv: false\n", env=b"LOG_LEVEL=debug\n")


@pytest.mark.parametrize("content", [None, "config: [", "config:\n  dyber:logLevel: nonsense\n"])
def test_a_present_file_that_cannot_be_used_blocks_no_restore(
    root: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    if content is not None:
        (root / "Pulumi.prod.yaml").write_text(content)
    resources = [{"urn": "u::deployment", "type": "random:index/randomId:RandomId", "outputs": {"hex": "abc"}}]
    exported = SimpleNamespace(deployment={"resources": resources})
    monkeypatch.setattr(deployment.moments, "put_back_forgotten", lambda: None)
    monkeypatch.setattr(
        auto, "select_stack", lambda stack_name, work_dir: SimpleNamespace(export_stack=lambda: exported)
    )
    found = Deployment.known_to_the_state("prod")
    assert found and found.deployment_id() == "abc"

    def unknown(stack_name: str, work_dir: str) -> None:
        raise auto.errors.StackNotFoundError(SimpleNamespace(stdout="", stderr="", code=1))  # type: ignore[arg-type]

    monkeypatch.setattr(auto, "select_stack", unknown)
    assert Deployment.known_to_the_state("prod") is None


def test_what_was_deployed_while_the_question_waited_is_what_is_replaced(
    root: Path, check: Callable[..., Restorable], fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    recovered: list[str] = []
    monkeypatch.setattr(Present, "recover", lambda self, display: recovered.append(self.identity), raising=False)
    monkeypatch.setattr(restore, "refuse_taken_ports", lambda *_: None)
    found = check(STACK_YAML)
    monkeypatch.setattr(restore.DyberHome, "from_environment", lambda: SimpleNamespace(logs=root))
    monkeypatch.setattr(restore, "known_password", lambda _: "password")
    monkeypatch.setattr(restore, "opened", lambda *_: (found.manifest, {}))
    monkeypatch.setattr(restore, "_install_passphrase", lambda *_: None)
    monkeypatch.setattr(restore, "set_up", lambda *_: None)
    monkeypatch.setattr(restore, "checked", lambda *_: found)

    def confirm(*_: object, **__: object) -> bool:
        monkeypatch.setattr(restore.Deployment, "known_to_the_state", lambda name: Present("made meanwhile"))
        return True

    monkeypatch.setattr(restore.typer, "confirm", confirm)
    monkeypatch.setattr(restore, "deployment_id", lambda _: "of then")
    prepared: list[str] = []

    def prepare(name: str, present: Present, *_: object) -> SimpleNamespace:
        prepared.append(present.identity)
        return SimpleNamespace(succeed=lambda: None)

    monkeypatch.setattr(way_back, "prepare", prepare)
    monkeypatch.setattr(restore, "_replace", lambda *_: None)
    restore.restore(root / "file", None, False, False)
    assert (recovered, prepared) == (["made meanwhile"], ["made meanwhile"])


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ProgramError("no docker", "")], ids=repr)
def test_a_way_back_that_fails_in_whatever_way_tells_how_to_take_it_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def take(*_: object) -> None:
        raise error

    monkeypatch.setattr(restore, "_take", take)
    with Activities() as display:
        restore._put_back(SimpleNamespace(), display)  # type: ignore[arg-type]
    told = capsys.readouterr().err
    assert "./deploy.sh restore --undo" in told and str(error) in told
>>>>>>> w-cli
