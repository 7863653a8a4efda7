"""`add-service` makes a whole folder or nothing, and refuses names and ports that cannot be used."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from cli.app import app
from cli.commands.settings import services
from cli.services import naming, scaffold
from cli.services.kinds import KINDS, Kind
from cli.services.naming import Identifiers
from infra.services import reserved_names
from infra.services.catalog import load_catalog
from messages import tr

REPOSITORY = Path(__file__).resolve().parents[5]
SERVERS = REPOSITORY / "mcp-servers"

Dyber = Callable[..., int]


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the template as its only service."""
    folder = tmp_path / "mcp-servers"
    shutil.copytree(SERVERS / "template", folder / "template", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "kit").mkdir()
    monkeypatch.setattr(services, "SERVERS", folder)
    monkeypatch.setenv("DYBER_LANG", "zh")
    return folder


class Terminal(io.StringIO):
    """Standard input on which a user types these lines; `^C` stands for a Ctrl-C."""

    def readline(self, *_: int) -> str:
        line = super().readline()
        if line == "^C\n":
            raise KeyboardInterrupt
        return line


@pytest.fixture
def dyber(servers: Path, monkeypatch: pytest.MonkeyPatch) -> Dyber:
    """Run a command line with `answers` on standard input and return its exit code."""

    def run(*arguments: str, answers: str = "") -> int:
        monkeypatch.setattr("sys.stdin", Terminal(answers))
        return int(typer.main.get_command(app)(list(arguments), standalone_mode=False) or 0)

    return run


def everything(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def refusal(dyber: Dyber, *arguments: str, answers: str = "") -> str:
    with pytest.raises(typer.TyperException) as refused:
        dyber("add-service", *arguments, answers=answers)
    return refused.value.format_message()


def test_it_asks_with_the_original_words_and_for_the_kind(
    dyber: Dyber, servers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dyber("add-service", answers="weibo\n8010\n\n") == 0
    asked = capsys.readouterr().err
    assert asked.startswith("请输入服务名称 (如: weibo, douyin): 请输入服务端口 (推荐8003+): ")
    assert asked.endswith("请输入服务类型 (留空为 plain): ")
    assert load_catalog(servers)["weibo"].port == 8010


def test_each_kind_is_explained_in_a_line_before_the_question(dyber: Dyber, capsys: pytest.CaptureFixture[str]) -> None:
    dyber("add-service", answers="weibo\n8010\n\n")
    asked = capsys.readouterr().err
    for kind in KINDS.values():
        assert f"  {kind.name:<8} {tr(kind.summary)}\n" in asked


def test_answers_that_end_after_the_port_make_a_plain_service(dyber: Dyber, servers: Path) -> None:
    assert dyber("add-service", answers="weibo\n8010\n") == 0
    assert (servers / "weibo" / "weibo_server" / "feed.py").is_file()


def test_the_answered_kind_is_made(dyber: Dyber, servers: Path) -> None:
    assert dyber("add-service", answers="weibo\n\napi\n") == 0
    assert load_catalog(servers)["weibo"].secrets == {"WEIBO_TOKEN": "optional"}


def test_a_kind_that_was_given_is_not_asked_for(
    dyber: Dyber, servers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dyber("add-service", "--kind", "browser", answers="weibo\n\n") == 0
    assert "服务类型" not in capsys.readouterr().err
    assert load_catalog(servers)["weibo"].seccomp == "chromium"


def test_an_unknown_kind_is_refused_before_anything_is_asked_or_made(
    dyber: Dyber, servers: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(servers.parent)
    assert refusal(dyber, "--kind", "API") == "没有服务类型 'API'，可用：plain, api, browser"
    monkeypatch.setenv("DYBER_LANG", "en")
    assert "there is no kind of services 'API'; known: plain, api, browser" in refusal(dyber, "weibo", "--kind", "API")
    assert capsys.readouterr().err == ""
    assert everything(servers.parent) == before


def test_an_unknown_kind_that_was_answered_is_refused_and_nothing_is_made(dyber: Dyber, servers: Path) -> None:
    before = everything(servers.parent)
    assert "没有服务类型 'rpc'" in refusal(dyber, answers="weibo\n\nrpc\n")
    assert everything(servers.parent) == before


def test_an_existing_name_is_refused_for_every_kind(dyber: Dyber, servers: Path) -> None:
    dyber("add-service", "weibo", "--kind", "api")
    before = everything(servers.parent)
    for kind in KINDS:
        assert "已有目录 mcp-servers/weibo" in refusal(dyber, "weibo", "--kind", kind)
    assert everything(servers.parent) == before


def test_an_empty_answer_for_the_port_takes_the_lowest_free_one(dyber: Dyber, servers: Path) -> None:
    dyber("add-service", "first", "--port", "8003")
    assert dyber("add-service", answers="weibo\n\n") == 0
    assert load_catalog(servers)["weibo"].port == 8004


def test_with_a_name_it_asks_nothing(dyber: Dyber, servers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dyber("add-service", "weibo", "--title", '微博 "热搜"') == 0
    assert capsys.readouterr().err == ""
    spec = load_catalog(servers)["weibo"]
    assert (spec.port, spec.title, spec.package, spec.profile) == (8003, '微博 "热搜"', "weibo_server", None)


def test_it_says_how_to_test_and_to_deploy(dyber: Dyber, capsys: pytest.CaptureFixture[str]) -> None:
    dyber("add-service", "weibo", "--stack", "test")
    shown = capsys.readouterr().out
    assert "./deploy.sh test -k weibo\n" in shown
    assert "./deploy.sh deploy -s test\n" in shown


def test_with_deploy_the_stack_is_deployed(dyber: Dyber, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed: list[str] = []
    group = typer.main.get_command(app)
    monkeypatch.setattr(group.commands["deploy"], "callback", lambda stack, **_: deployed.append(stack))
    monkeypatch.setattr(typer.main, "get_command", lambda _: group)
    assert dyber("add-service", "weibo", "--deploy", "--stack", "test") == 0
    assert deployed == ["test"]


def test_nothing_but_the_new_folder_changes(dyber: Dyber, servers: Path) -> None:
    before = {path: path.read_bytes() for path in servers.parent.rglob("*") if path.is_file()}
    dyber("add-service", "weibo")
    after = {path: path.read_bytes() for path in servers.parent.rglob("*") if path.is_file()}
    assert {path: text for path, text in after.items() if servers / "weibo" not in path.parents} == before
    assert [path.name for path in servers.parent.iterdir()] == ["mcp-servers"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "服务名称不能为空"),
        ("Weibo", "例如 weibo"),
        ("we_ibo", "例如 we-ibo"),
        ("-weibo", "例如 weibo"),
        ("weibo-", "例如 weibo"),
        ("we--ibo", "例如 we-ibo"),
        ("../evil", "例如 evil"),
        ("a/b", "例如 a-b"),
        ("x y", "例如 x-y"),
        ("8weibo", "例如 weibo"),
        ("微博", "最多 31 个字符"),
        ("a" * 32, "最多 31 个字符"),
        ("api", "已有别的用途"),
        ("health", "已有别的用途"),
        ("front", "已有别的用途"),
        ("template-direct", "以 -direct 结尾"),
        ("dyber-notes", "变量会以 DYBER_ 开头"),
        ("dyber", "变量会以 DYBER_ 开头"),
        ("tests", "已有别的用途"),
        ("con", "已有别的用途"),
        ("template", "已有目录 mcp-servers/template"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_and_nothing_is_made(
    dyber: Dyber, servers: Path, name: str, reason: str
) -> None:
    before = everything(servers.parent)
    assert reason in refusal(dyber, answers=f"{name}\n8003\n")
    assert everything(servers.parent) == before


@pytest.mark.parametrize(
    ("port", "reason"),
    [
        ("abc", "8001 到 8999 的整数，例如 8003"),
        ("80", "8001 到 8999"),
        ("9000", "8001 到 8999"),
        ("8003.5", "8001 到 8999"),
        ("²", "8001 到 8999"),
        ("8080", "网关自己的，可用 8003"),
        ("8002", "已被 template 使用，可用 8003"),
    ],
)
def test_a_port_that_cannot_be_used_is_refused_and_nothing_is_made(
    dyber: Dyber, servers: Path, port: str, reason: str
) -> None:
    before = everything(servers.parent)
    assert reason in refusal(dyber, "weibo", "--port", port)
    assert everything(servers.parent) == before


@pytest.mark.parametrize("title", ["", "x" * 61, "a\nb"])
def test_a_title_that_cannot_be_shown_is_refused(dyber: Dyber, servers: Path, title: str) -> None:
    assert "标题" in refusal(dyber, "weibo", "--title", title)
    assert not (servers / "weibo").exists()


@pytest.mark.parametrize("answers", ["", "weibo\n"])
def test_an_end_of_input_makes_nothing(dyber: Dyber, servers: Path, answers: str) -> None:
    before = everything(servers.parent)
    assert dyber("add-service", answers=answers) == 1
    assert everything(servers.parent) == before


@pytest.mark.parametrize("answers", ["^C\n", "weibo\n^C\n", "weibo\n\n^C\n"])
def test_an_interrupt_at_a_question_makes_nothing(dyber: Dyber, servers: Path, answers: str) -> None:
    before = everything(servers.parent)
    assert dyber("add-service", answers=answers) == 130
    assert everything(servers.parent) == before


def test_a_failure_while_it_is_made_leaves_nothing(
    dyber: Dyber, servers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: object, **__: object) -> None:
        raise OSError("no space left on device")

    before = everything(servers.parent)
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="no space"):
        dyber("add-service", "weibo")
    assert everything(servers.parent) == before


def test_hyphens_in_a_name_are_replaced_where_they_are_not_allowed(servers: Path) -> None:
    folder = scaffold.create(servers, Identifiers("my-shop"), 8003, "商店")
    assert (folder / "my_shop_server" / "__main__.py").is_file()
    tools = (folder / "my_shop_server" / "tools.py").read_text(encoding="utf-8")
    assert "async def my_shop_echo(" in tools and "from my_shop_server.feed import" in tools
    assert "MY_SHOP_UPSTREAM_URL" in (folder / "my_shop_server" / "config.py").read_text(encoding="utf-8")
    service = (folder / "my_shop_server" / "service.py").read_text(encoding="utf-8")
    assert 'NAME = "my-shop"\nTITLE = "商店"' in service and "DEFAULT_PORT = 8003" in service
    assert "MyShop response:" in (folder / "my_shop_server" / "rest.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_nothing_of_the_example_is_left_in_a_new_service(servers: Path, kind: Kind) -> None:
    folder = scaffold.create(servers, Identifiers("weibo"), 8003, '微博 "热搜"', kind)
    example = kind.example
    left = [example.name, example.snake, example.upper, example.camel, kind.title, str(kind.port)]
    for path in folder.rglob("*"):
        assert not any(word in path.name for word in left)
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert [word for word in left if word in text] == [], path
    names = {path.name for path in kind.folder(servers).iterdir()} - scaffold._CACHES
    assert {path.name for path in folder.iterdir()} == names - {example.package} | {"weibo_server"}


def is_named(package: Path, name: str, title: str) -> bool:
    """Tell whether the code in a package has this name and this title as the service's."""
    code = "".join(file.read_text(encoding="utf-8") for file in sorted(package.rglob("*.py")))
    return all(
        re.search(rf'^\s*{key}(?: = |=)"{re.escape(value)}"', code, re.MULTILINE | re.IGNORECASE)
        for key, value in (("name", name), ("title", title))
    )


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_name_that_contains_the_examples_name_is_written_as_it_is(servers: Path, kind: Kind) -> None:
    name = f"my-{kind.example.name}"
    folder = scaffold.create(servers, Identifiers(name), 8003, "新", kind)
    service = (folder / Identifiers(name).package / "service.py").read_text(encoding="utf-8")
    assert is_named(folder / Identifiers(name).package, name, "新")
    assert f"from {Identifiers(name).package}.tools import" in service


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_name_and_a_title_with_the_digits_of_the_examples_port_are_written_as_they_are(
    dyber: Dyber, servers: Path, kind: Kind
) -> None:
    name, title = f"feed{kind.port}", f"第 {kind.port} 号"
    assert dyber("add-service", name, "--kind", kind.name, "--port", "8123", "--title", title) == 0
    spec = load_catalog(servers)[name]
    assert (spec.title, spec.port) == (title, 8123)
    service = (spec.folder / spec.package / "service.py").read_text(encoding="utf-8")
    assert is_named(spec.folder / spec.package, name, title) and "DEFAULT_PORT = 8123" in service


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_every_kind_has_the_title_and_the_port_in_its_service_file(dyber: Dyber, servers: Path, kind: Kind) -> None:
    dyber("add-service", "weibo", "--kind", kind.name, "--port", "8123", "--title", '微博 "热搜"')
    spec = load_catalog(servers)["weibo"]
    assert (spec.title, spec.port, spec.package, spec.internet) == ('微博 "热搜"', 8123, "weibo_server", True)
    assert spec.enforces_scopes


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_service_with_accounts_says_so_and_can_share_their_limits(dyber: Dyber, servers: Path, kind: Kind) -> None:
    dyber("add-service", "weibo", "--kind", kind.name)
    spec = load_catalog(servers)["weibo"]
    lock = json.loads((spec.folder / "tools.lock.json").read_text(encoding="utf-8"))
    named = any("account" in tool["inputSchema"]["properties"] for tool in lock["tools"].values())
    assert (spec.accounts, spec.account_limits) == (named, named)
    assert spec.cache


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_the_lock_file_of_the_example_itself_comes_out_unchanged(kind: Kind) -> None:
    text = (kind.folder(SERVERS) / "tools.lock.json").read_text(encoding="utf-8")
    assert scaffold.renamed_lock(json.loads(text), kind.example, kind.example) == text


def test_the_examples_that_are_not_deployed_are_no_services() -> None:
    known = {path.parent.name for path in SERVERS.glob("*/service.yaml")}
    assert {kind.example.name for kind in KINDS.values() if not kind.deployed} & known == set()


def test_no_new_service_is_called_by_a_reserved_name() -> None:
    for name in (*reserved_names.RESERVED, *reserved_names.ELSEWHERE, "weibo-direct"):
        with pytest.raises(typer.TyperException):
            naming.checked_name(name, set())
