"""Every folder with a service.yaml is found as a service."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.schema.problems import ConfigurationError
from infra.services.catalog import load_catalog

REPOSITORY = Path(__file__).resolve().parents[4]


def add_service(servers: Path, name: str, text: str, package: str = "a_server") -> None:
    folder = servers / name
    (folder / package).mkdir(parents=True)
    (folder / package / "__main__.py").write_text("")
    (folder / "service.yaml").write_text(text, encoding="utf-8")


def refusal(servers: Path) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load_catalog(servers)
    return str(refused.value)


def test_the_services_of_the_repository_are_found_in_order_of_their_ports() -> None:
    catalog = load_catalog(REPOSITORY / "mcp-servers")
    assert list(catalog)[:2] == ["xiaohongshu", "template"]
    ports = [spec.port for spec in catalog.values()]
    assert ports[:2] == [8001, 8002] and ports == sorted(ports)


def test_a_new_folder_is_a_new_service(tmp_path: Path) -> None:
    add_service(tmp_path, "weibo", "title: 微博\nport: 8003\npackage: a_server\n")
    spec = load_catalog(tmp_path)["weibo"]
    assert (spec.alias, spec.uid, spec.internet) == ("weibo-mcp", 28003, False)


def test_limits_of_an_account_need_a_data_volume(tmp_path: Path) -> None:
    add_service(tmp_path, "weibo", "title: 微博\nport: 8003\npackage: a_server\naccount_limits: true\n")
    assert "account_limits: true needs data: true" in refusal(tmp_path)


def test_a_folder_without_service_yaml_is_no_service(tmp_path: Path) -> None:
    (tmp_path / "kit").mkdir()
    assert load_catalog(tmp_path) == {}


def test_an_unknown_key_is_named_with_its_file_and_the_known_ones(tmp_path: Path) -> None:
    add_service(tmp_path, "weibo", "title: 微博\nport: 8003\npackage: a_server\nmemory: 1\n")
    message = refusal(tmp_path)
    assert "mcp-servers/weibo/service.yaml: memory: no such key" in message
    assert "memory_mib" in message


def test_a_port_taken_twice_names_both_services_and_a_free_one(tmp_path: Path) -> None:
    add_service(tmp_path, "weibo", "title: 微博\nport: 8003\npackage: a_server\n")
    add_service(tmp_path, "zhihu", "title: 知乎\nport: 8003\npackage: a_server\n")
    message = refusal(tmp_path)
    assert "zhihu/service.yaml: port = 8003: taken by weibo; 8004 is free" in message


@pytest.mark.parametrize("port", ["8000", "9000", "80", "abc", "8003.5"])
def test_a_port_outside_the_services_range_is_refused(tmp_path: Path, port: str) -> None:
    add_service(tmp_path, "weibo", f"title: 微博\nport: {port}\npackage: a_server\n")
    assert "weibo/service.yaml: port = " in refusal(tmp_path)


@pytest.mark.parametrize("name", ["Weibo", "we_ibo", "-weibo", "微博", "a" * 32])
def test_a_folder_name_that_is_no_service_name_is_refused(tmp_path: Path, name: str) -> None:
    add_service(tmp_path, name, "title: 微博\nport: 8003\npackage: a_server\n")
    assert repr(name) in refusal(tmp_path)


def test_a_missing_package_is_named_as_the_file_to_write(tmp_path: Path) -> None:
    add_service(tmp_path, "weibo", "title: 微博\nport: 8003\npackage: other\n")
    assert "mcp-servers/weibo/other/__main__.py" in refusal(tmp_path)


def test_broken_yaml_names_the_file(tmp_path: Path) -> None:
    add_service(tmp_path, "weibo", "title: [\n")
    assert "mcp-servers/weibo/service.yaml: not valid YAML" in refusal(tmp_path)


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    add_service(tmp_path, "weibo", "title: [\n")
    add_service(tmp_path, "zhihu", "port: 8003\npackage: a_server\n")
    message = refusal(tmp_path)
    assert "weibo/service.yaml" in message
    assert "zhihu/service.yaml: title: this key is missing" in message
