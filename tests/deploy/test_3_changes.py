"""A second up changes nothing; a change touches what it is about; a bad one costs nothing."""

from __future__ import annotations

import shutil

import httpx2
import pytest

from tests.deploy.checkout import BASE, STACK, Checkout, docker, inspect, mcp_client


def identities() -> dict[str, str]:
    return {service: inspect(service)["Id"] for service in ("template", "xiaohongshu", "gateway")}


def test_containers_removed_by_hand_come_back(as_is: Checkout) -> None:
    for service in ("template", "gateway"):
        docker("rm", "--force", inspect(service)["Id"])
    as_is.deploy_sh()
    for service in ("template", "gateway"):
        assert inspect(service)["State"]["Health"]["Status"] == "healthy"
    answer = httpx2.post(
        f"{BASE}/api/template/test", json={"message": "x"}, headers={"Authorization": f"Bearer {as_is.token}"}
    )
    assert answer.status_code == 200


def test_a_second_up_changes_nothing(deployed: Checkout) -> None:
    before = identities()
    assert "没有变化" in deployed.deploy_sh().stdout
    assert identities() == before


def test_plain_pulumi_up_expects_no_changes_either(deployed: Checkout) -> None:
    deployed.shell(f"pulumi up --yes --skip-preview --refresh --expect-no-changes -s {STACK} --non-interactive")


def test_a_changed_source_file_changes_only_that_services_image_and_container(deployed: Checkout) -> None:
    source = deployed.root / "mcp-servers" / "template" / "template_server" / "__init__.py"
    before = source.read_text() if source.exists() else ""
    source.write_text(before + "\n# changed\n")
    try:
        assert set(deployed.planned_changes()) == {"template-image", "template-server"}
    finally:
        source.write_text(before)


async def test_a_configuration_that_nginx_refuses_fails_in_its_own_words_and_the_old_one_serves(
    deployed: Checkout,
) -> None:
    template = deployed.root / "nginx" / "templates" / "nginx.conf.j2"
    before = template.read_text()
    template.write_text(before + "\nno_such_directive on;\n")
    try:
        failed = deployed.deploy_sh(check=False)
        again = deployed.deploy_sh(check=False)
    finally:
        template.write_text(before)
    for result in (failed, again):
        assert result.returncode == 1
        assert 'unknown directive "no_such_directive"' in result.stderr
        assert "旧配置仍在服务" in result.stderr
        assert "Traceback" not in result.stderr
    async with mcp_client("template", "http", deployed.token) as client:
        assert (await client.list_tools()).tools
    deployed.deploy_sh()
    assert "没有变化" in deployed.deploy_sh().stdout


#: A change of each kind in the stack's file, and all that it touches.
BLAST_RADIUS = {
    "a limit": ({"services": {"template": {"memoryMib": 128}}}, {"template-server": "update"}),
    "the way out": (
        {"services": {"template": {"egress": "none"}}},
        dict.fromkeys(("template-network", "template-server", "gateway-nginx", "gateway-loader"), "replace"),
    ),
    "a gateway setting": ({"gateway": {"maxBodyMib": 1}}, {"gateway-loader": "replace"}),
    "a client": (
        {"clients": {"desktop-pet": {}, "phone": {"services": {"template": "read"}}}},
        {"phone": "create", "phone-token": "create", "gateway-loader": "replace"},
    ),
    "a group": (
        {"groups": {"pet": {"title": "宠物", "services": ["template"]}}},
        dict.fromkeys(("hub-secrets-revision", "hub-secrets", "hub-server", "gateway-loader"), "replace"),
    ),
    "a token": (
        {"tokens": {"desktop-pet": {"generation": 2, "previous": True}}},
        {"desktop-pet-token-2": "create", "gateway-loader": "replace"},
    ),
}


@pytest.mark.parametrize("change", BLAST_RADIUS)
def test_a_change_touches_what_it_is_about_and_nothing_else(restored_file: Checkout, change: str) -> None:
    settings, touched = BLAST_RADIUS[change]
    for key, value in settings.items():
        before = restored_file.configured(key)
        restored_file.configure(key, {**before, **value} if isinstance(before, dict) else value)
    assert restored_file.planned_changes() == touched


def test_another_service_touches_no_other_service(deployed: Checkout) -> None:
    folder = deployed.root / "mcp-servers" / "weibo"
    shutil.copytree(deployed.root / "mcp-servers" / "template", folder)
    spec = folder / "service.yaml"
    spec.write_text(spec.read_text().replace("port: 8002", "port: 8003"))
    # Two services cannot have tools of the same names.
    (folder / "tools.lock.json").unlink()
    try:
        planned = deployed.planned_changes()
    finally:
        shutil.rmtree(folder)
    hub = {"hub-secrets-revision", "hub-secrets", "hub-server"}
    assert {name for name in planned if not name.startswith("weibo")} == {"gateway-nginx", "gateway-loader", *hub}
    assert {planned[name] for name in planned if name.startswith("weibo")} == {"create"}


def test_one_changed_setting_changes_only_that_service(deployed: Checkout) -> None:
    services = deployed.configured("services")
    deployed.configure("services", {**services, "template": {"environment": {"GREETING": "hi"}}})
    assert set(deployed.planned_changes()) == {"template-server"}
    before = identities()
    deployed.deploy_sh()
    after = identities()
    assert after["template"] != before["template"]
    assert {key: after[key] for key in ("xiaohongshu", "gateway")} == {
        key: before[key] for key in ("xiaohongshu", "gateway")
    }
    assert "GREETING=hi" in inspect("template")["Config"]["Env"]


async def test_a_gateway_setting_arrives_without_replacing_the_gateway_or_cutting_a_stream(restored: Checkout) -> None:
    headers = {"Authorization": f"Bearer {restored.token}"}
    body = b'{"message": "' + b"x" * (2 << 20) + b'"}'
    before = inspect("gateway")
    async with mcp_client("template", "sse", restored.token) as client:
        assert (await client.list_tools()).tools
        restored.configure("gateway", {**restored.configured("gateway"), "maxBodyMib": 1})
        restored.deploy_sh()
        # The stream that was open before the change still carries calls.
        result = await client.call_tool("template_echo", {"text": "still here"})
        assert "still here" in result.content[0].text
    refused = httpx2.post(f"{BASE}/api/template/test", content=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (413, "too_large")
    after = inspect("gateway")
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])
