"""The settings of a stack are typed and strict, and errors say what to write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.parts.published_ports import published_ports
from infra.rendering.gateway.inputs import configuration
from infra.schema.problems import ConfigurationError
from infra.services.catalog import ServiceSpec, load_catalog
from infra.settings import addresses
from infra.settings.stack import StackSettings, parse_settings

REPOSITORY = Path(__file__).resolve().parents[4]
DIGEST = "sha256:" + "0" * 64


def settings(stack: str = "dev", environment: dict[str, str] | None = None, **values: Any) -> StackSettings:
    text = {f"dyber:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    return parse_settings(stack, text, environment or {})


def refusal(**values: Any) -> str:
    with pytest.raises(ConfigurationError) as refused:
        settings(**values)
    return str(refused.value)


def catalog() -> dict[str, ServiceSpec]:
    services = load_catalog(REPOSITORY / "mcp-servers")
    return {name: services[name] for name in ("xiaohongshu", "template")}


def committed(stack: str) -> StackSettings:
    content = yaml.safe_load((REPOSITORY / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
    return parse_settings(stack, {key: json.dumps(value) for key, value in content.items()}, {})


def test_everything_listens_on_loopback_by_default() -> None:
    assert settings().gateway.bind == "127.0.0.1"


def test_an_unknown_key_is_named_with_the_file_and_the_known_keys() -> None:
    message = refusal(logLevle="info")
    assert "Pulumi.dev.yaml: logLevle: no such key" in message
    assert "logLevel" in message


def test_an_unknown_nested_key_is_named_with_its_path() -> None:
    assert "Pulumi.dev.yaml: gateway.port: no such key" in refusal(gateway={"port": 80})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"logLevel": "loud"}, "logLevel = 'loud'"),
        ({"gateway": {"portOffset": "many"}}, "gateway.portOffset = 'many': must be a whole number"),
        ({"gateway": {"bind": "localhost"}}, "gateway.bind = 'localhost'"),
        ({"clients": []}, "clients = "),
        ({"clients": ["Desktop Pet"]}, "clients.Desktop Pet"),
        ({"clients": {"pet": {"services": {}}}}, "clients.pet.services = {}"),
        ({"clients": {"pet": {"services": {"xiaohongshu": "write"}}}}, "clients.pet.services.xiaohongshu"),
        ({"clients": {"pet": {"accounts": {}}}}, "clients.pet.accounts = {}"),
        ({"clients": {"pet": {"accounts": {"xiaohongshu": []}}}}, "clients.pet.accounts.xiaohongshu = "),
        ({"clients": {"pet": {"accounts": {"xiaohongshu": "main"}}}}, "clients.pet.accounts.xiaohongshu = 'main'"),
        ({"clients": {"pet": {"accounts": {"xiaohongshu": ["a;b"]}}}}, "clients.pet.accounts.xiaohongshu.0 = 'a;b'"),
        ({"clients": {"pet": {"accounts": {"xiaohongshu": ["Main"]}}}}, "clients.pet.accounts.xiaohongshu.0 = 'Main'"),
        ({"tokens": {"desktop-pet": {"previous": True}}}, "generation 1 has no previous token"),
        ({"services": {"template": {"replicas": 17}}}, "services.template.replicas = 17"),
        ({"gateway": {"limits": {"burst": 0}}}, "gateway.limits.burst = 0"),
        ({"gateway": {"tls": {"source": "files"}}}, "needs certificateFile and keyFile"),
        ({"gateway": {"tls": {"hstsDays": 30}}}, "hstsDays needs a certificate that browsers trust"),
        ({"gateway": {"tls": {"source": "acme"}, "serverNames": ["192.168.1.5"]}}, "needs a host name in serverNames"),
        ({"clients": ["pet", "pet"]}, "listed twice: pet"),
        ({"dataRetention": "sometimes"}, "dataRetention = 'sometimes'"),
        ({"build": {"baseImage": "debian:latest"}}, "must contain {suite}"),
    ],
)
def test_a_wrong_value_is_repeated_with_its_key(values: dict[str, Any], expected: str) -> None:
    message = refusal(**values)
    assert "Pulumi.dev.yaml: " in message
    assert expected in message


@pytest.mark.parametrize("image", ["xiaohongshu:latest", "registry/x:1", "sha256:123"])
def test_an_image_that_could_move_is_refused(image: str) -> None:
    assert "services.xiaohongshu.image" in refusal(services={"xiaohongshu": {"image": image}})


def test_pinned_images_ask_for_every_digest() -> None:
    chosen = settings(images="pinned", services={"xiaohongshu": {"image": DIGEST}}, profiles=["dev"])
    with pytest.raises(ConfigurationError) as refused:
        chosen.select(catalog())
    assert "services.template.image" in str(refused.value)
    assert "gatewayImage" in str(refused.value)
    assert "services.xiaohongshu.image" not in str(refused.value)


def test_a_service_with_a_profile_runs_only_when_the_profile_is_chosen() -> None:
    assert [spec.name for spec in settings().select(catalog())] == ["xiaohongshu"]
    assert [spec.name for spec in settings(profiles=["dev"]).select(catalog())] == ["xiaohongshu", "template"]


def test_a_stack_can_switch_a_service_on_and_off() -> None:
    chosen = settings(services={"xiaohongshu": {"enabled": False}, "template": {"enabled": True}})
    assert [spec.name for spec in chosen.select(catalog())] == ["template"]


def test_a_size_for_a_service_does_not_switch_it_on() -> None:
    chosen = settings(services={"template": {"cpus": 1}})
    assert [spec.name for spec in chosen.select(catalog())] == ["xiaohongshu"]


def test_a_stack_overrides_sizes_and_adds_environment() -> None:
    chosen = settings(services={"xiaohongshu": {"memoryMib": 2048, "environment": {"XHS_BASE_URL": "http://x"}}})
    (spec,) = chosen.select(catalog())
    assert spec.memory_mib == 2048
    assert spec.environment["XHS_BASE_URL"] == "http://x"


@pytest.mark.parametrize(
    ("values", "expected"),
    [({"services": {"weibo": {}}}, "services.weibo: no such service"), ({"profiles": ["full"]}, "profiles: 'full'")],
)
def test_a_name_that_no_folder_provides_is_refused(values: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        settings(**values).select(catalog())
    assert expected in str(refused.value)


def test_values_of_set_up_complete_the_build_settings_and_the_stack_file_overrides_them() -> None:
    environment = {"DYBER_PIP_INDEX_URL": "https://mirror.example/simple", "DYBER_CA_BUNDLE": "/etc/ca.pem"}
    assert settings(environment=environment).build.ca_bundle == "/etc/ca.pem"
    chosen = settings(environment=environment, build={"pipIndexUrl": "https://own.example/simple"})
    assert chosen.build.pip_index_url == "https://own.example/simple"


@pytest.mark.parametrize("stack", ["dev", "test", "prod"])
def test_the_committed_stack_files_are_valid(stack: str) -> None:
    assert committed(stack).select(catalog())


def test_the_committed_stacks_share_no_host_port() -> None:
    owners: dict[int, str] = {}
    for stack in ("dev", "test", "prod"):
        chosen = committed(stack)
        for host, _ in published_ports(chosen, chosen.select(catalog())).values():
            assert owners.setdefault(host, stack) == stack


def test_direct_ports_stay_on_loopback_whatever_the_gateway_is_bound_to() -> None:
    chosen = settings(gateway={"bind": "0.0.0.0"})
    ports = published_ports(chosen, chosen.select(catalog()))
    assert ports[80] == (80, ("0.0.0.0",))
    assert ports[8001] == (8001, ("127.0.0.1", "::1"))


def test_where_plain_http_is_sent_to_https_the_development_port_stays_on_loopback() -> None:
    chosen = settings(gateway={"bind": "0.0.0.0", "httpsRedirect": True, "portOffset": 10000})
    assert published_ports(chosen, [])[8080] == (18080, ("127.0.0.1", "::1"))
    assert json.loads(configuration(chosen, [], {})["njs/catalog.json"])["https_port"] == 10443


def selection_refused(**values: Any) -> str:
    with pytest.raises(ConfigurationError) as refused:
        settings(**values).select(catalog())
    return str(refused.value)


def test_a_list_of_clients_means_clients_that_may_call_everything() -> None:
    chosen = settings(clients=["pet", "phone"]).clients
    assert {name: client.services for name, client in chosen.items()} == {"pet": None, "phone": None}


def test_a_clients_scopes_are_read_as_written() -> None:
    scopes = {"xiaohongshu": "read", "template": ["template_echo"]}
    assert settings(clients={"phone": {"services": scopes}}).clients["phone"].services == {
        "xiaohongshu": "read",
        "template": ("template_echo",),
    }


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"clients": {"pet": {"services": {"weibo2": "all"}}}}, "clients.pet.services.weibo2: no such service"),
        (
            {"clients": {"pet": {"services": {"template": ["ech"]}}}},
            "clients.pet.services.template: 'ech': no such tool",
        ),
        ({"clients": {"pet": {"accounts": {"weibo2": ["main"]}}}}, "clients.pet.accounts.weibo2: no such service"),
        ({"tokens": {"phone": {"generation": 2}}}, "tokens.phone: no such client"),
        (
            {"services": {"xiaohongshu": {"replicas": 2}}},
            "services.xiaohongshu.replicas = 2: this service has at most 1",
        ),
    ],
)
def test_what_no_service_or_client_provides_is_named_with_what_there_is(values: dict[str, Any], expected: str) -> None:
    message = selection_refused(**values)
    assert f"Pulumi.dev.yaml: {expected}" in message


def test_accounts_are_read_in_the_order_in_which_they_are_written() -> None:
    chosen = settings(clients={"phone": {"accounts": {"xiaohongshu": ["second", "main"]}}})
    chosen.select(catalog())
    assert chosen.clients["phone"].accounts == {"xiaohongshu": ("second", "main")}
    assert chosen.clients["phone"].services is None


def test_the_gateway_tells_a_service_with_accounts_which_the_client_may_use() -> None:
    chosen = settings(clients={"phone": {"accounts": {"xiaohongshu": ["second", "main"]}}})
    files = configuration(chosen, chosen.select(catalog()), {"phone": ["0" * 64]})
    assert ";accounts=second,main" in files["access.conf"]


def test_accounts_of_a_service_that_does_not_keep_to_scopes_are_refused_with_what_to_write() -> None:
    loose = catalog() | {"template": catalog()["template"].model_copy(update={"enforces_scopes": False})}
    with pytest.raises(ConfigurationError) as refused:
        settings(clients={"pet": {"accounts": {"template": ["main"]}}}).select(loose)
    assert "Pulumi.dev.yaml: clients.pet.accounts.template: this service does not keep" in str(refused.value)
    assert "enforces_scopes: true in mcp-servers/template/service.yaml" in str(refused.value)


@pytest.mark.parametrize("service", ["github", "template"])
def test_accounts_of_a_service_without_accounts_are_refused_with_what_to_write(service: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        settings(clients={"pet": {"accounts": {service: ["readonly"]}}}).select(
            load_catalog(REPOSITORY / "mcp-servers")
        )
    message = str(refused.value)
    assert f"Pulumi.dev.yaml: clients.pet.accounts.{service}: this service has no accounts" in message
    assert "limit the client in services" in message
    assert f"accounts: true in mcp-servers/{service}/service.yaml" in message


def sharing(*, cache: bool, profiles: list[str], replicas: int = 2) -> list[ServiceSpec]:
    """Return the services of a stack with a service that keeps to the limits of an account."""
    spec = catalog()["template"].model_copy(update={"account_limits": True, "data": True, "cache": cache})
    chosen = settings(profiles=["dev", *profiles], services={"template": {"replicas": replicas}})
    return chosen.select({"template": spec})


@pytest.mark.parametrize(
    ("cache", "profiles", "expected"),
    [
        (False, ["cache"], "write cache: true in mcp-servers/template/service.yaml"),
        (True, [], "add cache to profiles"),
    ],
)
def test_replicas_that_cannot_share_the_limits_of_an_account_are_refused_with_what_to_write(
    cache: bool, profiles: list[str], expected: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        sharing(cache=cache, profiles=profiles)
    assert "services.template.replicas = 2: the replicas of this service share the limits" in str(refused.value)
    assert expected in str(refused.value)


def test_replicas_that_share_the_limits_of_an_account_or_a_single_replica_are_fine() -> None:
    assert sharing(cache=True, profiles=["cache"])[0].replicas == 2
    assert sharing(cache=False, profiles=[], replicas=1)[0].replicas == 1


def test_a_stacks_own_sizes_win_over_the_services() -> None:
    sizes = {"replicas": 3, "maxCallSeconds": 5, "memoryMib": 512}
    (template,) = [
        spec
        for spec in settings(profiles=["dev"], services={"template": sizes}).select(catalog())
        if spec.name == "template"
    ]
    assert (template.replicas, template.max_call_seconds, template.memory_mib) == (3, 5, 512)


def test_the_newest_token_comes_first_and_the_previous_one_only_while_rotating() -> None:
    rotating = settings(tokens={"desktop-pet": {"generation": 3, "previous": True}})
    assert rotating.token("desktop-pet").accepted == (3, 2)
    assert settings(tokens={"desktop-pet": {"generation": 3}}).token("desktop-pet").accepted == (3,)
    assert settings().token("desktop-pet").accepted == (1,)


def test_a_services_own_rate_wins_over_the_gateways() -> None:
    chosen = settings(gateway={"limits": {"requestsPerSecond": 7}}, services={"template": {"requestsPerSecond": 3}})
    assert (chosen.requests_per_second("template"), chosen.requests_per_second("xiaohongshu")) == (3, 7)


@pytest.mark.parametrize(
    ("gateway", "published"),
    [
        ({}, ("127.0.0.1", "::1")),
        ({"bind": "127.0.0.1"}, ("127.0.0.1", "::1")),
        ({"ipv6Loopback": False}, ("127.0.0.1",)),
        ({"bind": "::1"}, ("::1",)),
        ({"bind": "::"}, ("::",)),
        ({"bind": "192.168.1.5"}, ("192.168.1.5",)),
    ],
)
def test_the_gateway_is_published_on_the_addresses_it_is_bound_to(
    gateway: dict[str, object], published: tuple[str, ...]
) -> None:
    assert {addresses for _, addresses in published_ports(settings(gateway=gateway), []).values()} == {published}


@pytest.mark.parametrize("engine", ["tcp://10.0.0.5:2376", "ssh://me@host.example"])
def test_without_ipv6_on_the_engines_machine_loopback_is_ipv4(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert addresses.loopback({"DOCKER_HOST": engine}) == ("127.0.0.1",)
    assert addresses.loopback({"DOCKER_HOST": "unix:///run/user/1000/docker.sock"}) == ("127.0.0.1", "::1")
    monkeypatch.setattr(addresses, "has_ipv6", lambda: False)
    assert addresses.loopback({}) == ("127.0.0.1",)


def test_a_proxy_for_builds_holds_no_password() -> None:
    with pytest.raises(ConfigurationError, match="build.proxy") as refused:
        settings(build={"proxy": "http://me:hunter2@proxy.example:3128"})
    assert "hunter2" not in str(refused.value)
    assert "proxy.example:3128" in str(refused.value)
