"""The rendered scopes, limits, redirects and proxies, and what is refused."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from dyber_kit.calling.scopes import NOTHING, parse_scope
from hypothesis import given
from hypothesis import strategies as some

from infra.rendering.gateway.bodies import body_limits, console_body_limits
from infra.rendering.gateway.configuration import render
from infra.rendering.gateway.model import GatewayClient, GatewayConsole, GatewayNetworks, GatewayService, Scope
from infra.schema.problems import UnusableValue
from infra.settings.gateway import GatewaySettings

HASH = hashlib.sha256(b"token").hexdigest()
ALPHA = GatewayService("alpha", 8001, "甲", 60, read_tools=("search",), write_tools=("publish",))
#: The settings for the user's own certificate.
FILES = {"source": "files", "certificate_file": "c.pem", "key_file": "k.pem"}
BETA = GatewayService("beta", 8002, "乙", 60, requests_per_second=7)


def rendered(
    scopes: Mapping[str, Scope] | None = None, networks: GatewayNetworks = GatewayNetworks(), **settings: object
) -> dict[str, str]:
    return render(GatewaySettings(**settings), [ALPHA, BETA], [GatewayClient("pet", (HASH,), scopes)], networks)


def scopes_of(files: dict[str, str]) -> dict:
    return json.loads(files["njs/scopes.json"])


def listens(text: str) -> list[str]:
    return re.findall(r"listen ([^;]+);", text)


def test_a_client_without_scopes_may_call_every_service() -> None:
    files = rendered()
    assert scopes_of(files)["clients"] == {"pet": None}
    assert '"pet" 1;' in files["access.conf"].split("map $client $whole_client")[1].split("}")[0]


def test_scopes_are_kept_by_client_and_service() -> None:
    files = rendered({"beta": "all", "alpha": ("publish", "search")})
    assert scopes_of(files) == {
        "clients": {"pet": {"alpha": "\npublish\nsearch\n", "beta": "all"}},
        "limited": {},
        "read_tools": {"alpha": "\nsearch\n", "beta": "\n"},
        "tools": {"alpha": "\npublish\nsearch\n", "beta": "\n"},
        "enforcing": "\n",
    }
    assert '"pet" 1;' not in files["access.conf"]


def test_the_services_that_enforce_scopes_are_listed() -> None:
    services = [replace(ALPHA, enforces_scopes=True), BETA]
    assert scopes_of(render(GatewaySettings(), services, []))["enforcing"] == "\nalpha\n"


def scopes_sent(scopes: Mapping[str, Scope] | None) -> dict[str, str]:
    """Return the scope that services are told, by client and service; those of other clients come last."""
    table = rendered(scopes)["access.conf"].split("$granted_scope {")[1].split("}")[0]
    return dict(line.strip().removesuffix(";").replace('"', "").split() for line in table.strip().splitlines())


def test_each_service_is_told_the_scope_of_the_client() -> None:
    others = {"default": "none", "~^1": "all"}
    assert scopes_sent(None) == others
    assert scopes_sent({}) == others
    assert scopes_sent({"alpha": "read", "beta": "all"}) == {**others, "|pet|alpha": "read", "|pet|beta": "all"}
    assert scopes_sent({"beta": ("a", "b"), "gone": "all"}) == {**others, "|pet|beta": "$granted_tools"}


def test_headers_of_the_caller_that_the_gateway_does_not_set_reach_services() -> None:
    files = rendered()
    proxied = files["proxy.conf"] + files["servers.conf"] + files["server.conf"] + files["nginx.conf"]
    assert "proxy_pass_request_headers" not in proxied
    assert "x-dyber-text" not in proxied.lower()


def test_the_scope_is_always_set_by_the_gateway() -> None:
    files = rendered()
    assert "proxy_set_header X-Dyber-Scope $told_scope;" in files["proxy.conf"]
    assert 'default "$granted_scope$granted_accounts";' in files["hub.conf"]
    to_services = re.findall(r"location [^{]*\{[^{}]*proxy_pass \"http://(?:alpha|beta)\";\s*\}", files["servers.conf"])
    assert len(to_services) == 2 * 4 * 3
    assert all("include proxy.conf;" in location and "proxy_set_header" not in location for location in to_services)


def test_a_list_of_tools_that_no_header_can_hold_is_refused() -> None:
    names = tuple(f"{number:0>120}" for number in range(58))
    assert scopes_of(rendered({"beta": names[:57]}))
    with pytest.raises(UnusableValue) as refused:
        rendered({"beta": names})
    assert refused.value.message == "scope_too_long"


def test_tools_and_accounts_that_no_header_can_hold_together_are_refused() -> None:
    service = replace(BETA, enforces_scopes=True, accounts=True)
    scopes = {"beta": tuple(f"{number:0>120}" for number in range(57))}
    for length, is_refused in ((3, False), (32, True)):
        accounts = {"beta": tuple(f"{number:0>{length}}" for number in range(20))}
        client = GatewayClient("pet", (HASH,), scopes, accounts)
        if not is_refused:
            assert render(GatewaySettings(), [service], [client])
            continue
        with pytest.raises(UnusableValue) as refused:
            render(GatewaySettings(), [service], [client])
        assert refused.value.message == "scope_too_long"


def test_empty_scopes_do_not_mean_every_service() -> None:
    assert scopes_of(rendered({}))["clients"] == {"pet": {}}


def test_a_scope_for_a_service_that_is_not_here_is_left_out() -> None:
    assert scopes_of(rendered({"gone": ("x",), "beta": "read"}))["clients"] == {"pet": {"beta": "read"}}


def test_an_unknown_tool_is_refused_and_named() -> None:
    with pytest.raises(
        ValueError, match="client pet names tools that service alpha does not have: serch; known: publish, search"
    ):
        rendered({"alpha": ("search", "serch")})


def test_a_tool_of_a_service_whose_tools_are_unknown_is_accepted() -> None:
    assert scopes_of(rendered({"beta": ("anything",)}))["clients"]["pet"]["beta"] == "\nanything\n"


def test_another_word_than_all_and_read_is_refused() -> None:
    with pytest.raises(ValueError, match="scope 'write' of client pet for service alpha"):
        rendered({"alpha": "write"})  # type: ignore[dict-item]


@given(some.permutations(["alpha", "beta"]), some.permutations(["search", "publish"]))
def test_the_order_of_scopes_and_tools_does_not_matter(services: list[str], tools: list[str]) -> None:
    assert rendered({name: tuple(tools) for name in services}) == rendered(
        {"alpha": ("search", "publish"), "beta": ("search", "publish")}
    )


#: Services that keep to scopes and have accounts, so that clients can be limited to some of these.
ENFORCING = [replace(service, enforces_scopes=True, accounts=True) for service in (ALPHA, BETA)]


def limited(
    accounts: Mapping[str, tuple[str, ...]],
    scopes: Mapping[str, Scope] | None = None,
    services: Sequence[GatewayService] = ENFORCING,
) -> dict[str, str]:
    """Return the configuration for the client pet, limited to accounts, and for laptop, which is not."""
    laptop = GatewayClient("laptop", (hashlib.sha256(b"other").hexdigest(),))
    return render(GatewaySettings(), services, [GatewayClient("pet", (HASH,), scopes, accounts), laptop])


def rows(files: dict[str, str], variable: str) -> dict[str, str]:
    """Return a table of access.conf without the quotes."""
    table = files["access.conf"].split(f"${variable} {{")[1].split("\n}")[0]
    lines = (line.strip().removesuffix(";").replace('"', "") for line in table.strip().splitlines())
    return {name: value for name, _, value in (line.partition(" ") for line in lines)}


def test_a_service_is_told_the_accounts_of_a_client_in_the_order_of_the_settings() -> None:
    files = limited({"alpha": ("second", "main"), "gone": ("x",)}, {"alpha": "read"})
    assert rows(files, "granted_accounts") == {"default": "", "pet|alpha": ";accounts=second,main"}
    assert scopes_of(files)["limited"] == {"pet": "\nalpha\n"}


def test_a_client_limited_at_a_service_is_no_longer_a_client_of_everything() -> None:
    files = limited({"alpha": ("main",)})
    assert rows(files, "whole_client") == {"default": "", "laptop": "1"}
    assert rows(files, "granted_scope") == {"default": "none", "~^1": "all", "|pet|alpha": "all", "|pet|beta": "all"}
    assert scopes_of(files)["clients"] == {"laptop": None, "pet": {"alpha": "all", "beta": "all"}}
    assert scopes_of(files)["limited"] == {"pet": "\nalpha\n"}


def test_accounts_give_no_service_to_a_client_that_may_not_call_it() -> None:
    files = limited({"alpha": ("main",)}, {"beta": "all"})
    assert rows(files, "granted_scope") == {"default": "none", "~^1": "all", "|pet|beta": "all"}
    assert scopes_of(files)["clients"]["pet"] == {"beta": "all"}


def test_accounts_of_a_service_that_does_not_keep_to_scopes_are_refused() -> None:
    with pytest.raises(UnusableValue) as refused:
        limited({"beta": ("main",)}, services=[ENFORCING[0], BETA])
    assert (refused.value.message, refused.value.parameters["service"]) == ("accounts_not_enforced", "beta")


def test_accounts_of_a_service_without_accounts_are_refused() -> None:
    with pytest.raises(UnusableValue) as refused:
        limited({"beta": ("main",)}, services=[ENFORCING[0], replace(BETA, enforces_scopes=True)])
    assert (refused.value.message, refused.value.parameters["service"]) == ("accounts_missing", "beta")


@pytest.mark.parametrize(
    "names", [(), ("",), ("a,b",), ("a;b",), ("a b",), ("Main",), ("账号",), ("a\n",), ("a" * 33,)]
)
def test_account_names_that_services_cannot_have_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(UnusableValue) as refused:
        limited({"alpha": names})
    assert refused.value.message == "account_names"


@given(
    some.dictionaries(
        some.sampled_from(["alpha", "beta"]),
        some.lists(some.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True), min_size=1, max_size=50).map(tuple),
    ),
    some.none()
    | some.dictionaries(some.sampled_from(["alpha", "beta"]), some.sampled_from(["all", "read", ("search",)])),
)
def test_a_service_reads_exactly_the_accounts_of_the_client(
    accounts: dict[str, tuple[str, ...]], scopes: dict[str, Scope] | None
) -> None:
    files = limited(accounts, scopes)
    whole = "1" if "pet" in rows(files, "whole_client") else ""
    granted = rows(files, "granted_scope")
    for service in ("alpha", "beta"):
        first = granted.get(f"{whole}|pet|{service}", granted["~^1"] if whole else granted["default"])
        second = rows(files, "granted_accounts").get(f"pet|{service}", "")
        read = parse_scope([first.replace("$granted_tools", "tools:search") + second], required=True)
        if scopes is not None and service not in scopes:
            assert read == NOTHING
            continue
        assert read.kind == {"all": "all", "read": "read"}.get((scopes or {}).get(service, "all"), "tools")  # type: ignore[arg-type]
        assert read.accounts == (tuple(dict.fromkeys(accounts[service])) if service in accounts else None)


ZONES = re.compile(r"zone=(\w+):(.*);")


def zones(**settings: object) -> dict[str, str]:
    return dict(ZONES.findall(rendered(**settings)["limits.conf"]))


def test_each_rate_has_a_zone_of_its_own() -> None:
    rates = [zone for zone in zones().values() if "rate" in zone]
    assert sorted(rates) == ["4m rate=30r/m", "4m rate=50r/s", "4m rate=7r/s"]


def test_a_zone_with_other_parameters_has_another_name() -> None:
    before, after = zones(), zones(limits={"refused_per_minute": 31})
    assert {rest for name, rest in before.items() if name not in after} == {"4m rate=30r/m"}
    assert {rest for name, rest in after.items() if name not in before} == {"4m rate=31r/m"}


def test_each_service_is_limited_by_its_own_rate() -> None:
    files = rendered(limits={"burst": 12})
    for service, rate in (("alpha", "50r/s"), ("beta", "7r/s")):
        zone = next(name for name, rest in zones().items() if rest.endswith(f"rate={rate}"))
        location = files["servers.conf"].split(f'location ^~ "/api/{service}/" {{')[1].split("}\n\n    location")[0]
        assert f"limit_req zone={zone} burst=12 nodelay;" in location
        assert "include caller_limits.conf;" in location


def test_a_second_attempt_is_not_limited_again() -> None:
    attempts = re.findall(r'location "@again[^{]*\{([^}]*)\}', rendered()["servers.conf"])
    assert len(attempts) == 2 * 4
    assert not any("limit" in attempt for attempt in attempts)


def test_one_guess_a_minute_needs_no_burst() -> None:
    assert "burst" not in rendered(limits={"refused_per_minute": 1})["caller_limits.conf"]


@pytest.mark.parametrize(("code", "status"), [("rate_limited", 429), ("circuit_open", 503)])
def test_a_response_that_asks_to_wait_says_how_long(code: str, status: int) -> None:
    location = rendered()["server.conf"].split(f"location @{code} {{")[1].split("\n}")[0]
    assert "add_header Retry-After $retry_after always;" in location
    assert f"return {status} " in location


def test_plain_http_is_served_by_default() -> None:
    assert "toHttps" not in rendered()["servers.conf"]


def test_a_redirect_leaves_no_service_on_port_80() -> None:
    servers = re.split(
        r"^server \{", rendered(https_redirect=True, port_offset=8000)["servers.conf"], flags=re.MULTILINE
    )[1:]
    on_80 = [server for server in servers if any(listen.split()[0] == "80" for listen in listens(server))]
    assert len(on_80) == 2
    assert not any("proxy_pass" in server or "gateway.conf" in server for server in on_80)
    assert "js_content access.toHttps;" in on_80[1]
    assert '"https_port": 8443' in rendered(https_redirect=True, port_offset=8000)["njs/catalog.json"]


def test_strict_transport_is_sent_only_if_set_and_only_over_tls() -> None:
    assert "Strict-Transport-Security" not in "".join(rendered().values())
    files = rendered(tls={**FILES, "hsts_days": 7})
    assert "add_header Strict-Transport-Security $strict_transport always;" in files["server.conf"]
    assert re.search(r'map \$https \$strict_transport \{\s*default "";\s*on "max-age=604800";', files["access.conf"])


@pytest.mark.parametrize("https_redirect", [False, True])
def test_challenges_are_served_once_and_only_with_acme(https_redirect: bool) -> None:
    served = "alias /etc/dyber/acme/challenges/;"
    names = ("pet.example",)
    acme = rendered(tls={"source": "acme"}, server_names=names, https_redirect=https_redirect)
    assert acme["servers.conf"].count(served) == 1
    for tls in ({"source": "self-signed"}, FILES):
        assert served not in rendered(tls=tls, https_redirect=https_redirect)["servers.conf"]


@pytest.mark.parametrize("https_redirect", [False, True])
def test_behind_proxies_every_published_port_speaks_their_protocol(https_redirect: bool) -> None:
    files = rendered(networks=GatewayNetworks(("172.18.0.0/16", "10.0.0.1")), https_redirect=https_redirect)
    published = listens(files["servers.conf"])
    assert len(published) == 10
    assert all("proxy_protocol" in listen.split() for listen in published)
    assert listens(files["internal.conf"]) == ["127.0.0.1:10080"]
    assert re.findall(r"set_real_ip_from (.*);", files["access.conf"]) == ['"172.18.0.0/16"', '"10.0.0.1"']
    assert "real_ip_header proxy_protocol;" in files["access.conf"]


def test_without_proxies_the_address_of_the_connection_counts() -> None:
    text = "".join(rendered().values())
    assert "proxy_protocol" not in text
    assert "real_ip" not in text


def test_a_tool_that_may_not_be_called_twice_is_in_the_scope_of_reading_and_is_not_sent_again() -> None:
    service = GatewayService("alpha", 8001, "甲", 60, read_tools=("search", "qrcode"), once_tools=("qrcode",))
    files = render(GatewaySettings(), [service], [])
    assert json.loads(files["njs/scopes.json"])["read_tools"] == {"alpha": "\nqrcode\nsearch\n"}
    assert '"~^alpha\\|search$" 1;' in files["upstreams.conf"]
    assert "qrcode" not in files["upstreams.conf"]


@given(largest=some.integers(1, 64), memory=some.integers(192, 4096))
def test_bodies_of_one_client_leave_the_others_memory_and_those_of_all_fit_into_it(largest: int, memory: int) -> None:
    limits = body_limits(GatewaySettings(max_body_mib=largest, memory_mib=2 * memory))
    sizes = {"medium": 1, "large": largest, "unannounced": largest}
    assert all(1 <= limit.client < limit.total for limit in limits.values())
    if memory >= 6 * largest:
        # Spans for the console have at most 1 MiB each.
        spans = console_body_limits(GatewaySettings(memory_mib=2 * memory))["spans"].total
        assert spans + sum(limits[kind].total * mib for kind, mib in sizes.items()) <= memory


def test_prometheus_gets_no_cookie_of_a_browser_and_sets_none() -> None:
    servers = rendered(networks=GatewayNetworks(monitoring=("192.0.2.0/24",)))["servers.conf"]
    prometheus = servers[servers.index("set $service prometheus;") :].split("}")[0]
    assert 'proxy_set_header Cookie "";' in prometheus and "proxy_hide_header Set-Cookie;" in prometheus


@given(memory=some.integers(64, 8192))
def test_bodies_for_the_console_are_in_a_small_part_of_the_memory_and_one_address_leaves_room(memory: int) -> None:
    limits = console_body_limits(GatewaySettings(memory_mib=memory))
    assert all(1 <= limit.client < limit.total for limit in limits.values())
    assert limits["pages"].total * 256 + limits["spans"].total * 1024 <= memory * 1024 // 8


def test_bodies_for_the_console_fit_into_the_buffer_and_are_in_no_temporary_file() -> None:
    files = render(GatewaySettings(), [ALPHA], [], console=GatewayConsole())
    pages = files["gateway.conf"].split("location ")[-2:]
    for block in (*pages, files["console.conf"][files["console.conf"].index("listen 10318;") :]):
        sizes = [
            re.findall(rf"{name} ([0-9]+k);", block) for name in ("client_max_body_size", "client_body_buffer_size")
        ]
        assert sizes[0] and sizes[0] == sizes[1]
    # The buffer is too small for many small chunks.
    assert all("if ($http_transfer_encoding) {" in page for page in pages)
