"""Tests a certificate that the user provides: storing it, refusing an unusable one, replacing it under load."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway.conftest import started
from tests.gateway.support.certificates import Authority, Pair, stored, traffic, verified, wait_until_served, workers
from tests.gateway.support.docker_cli import docker, wait_until
from tests.gateway.support.gateway_under_test import ALPHA, SETTINGS, GatewayUnderTest, Loaded, changed

FILES = changed(SETTINGS, tls={"source": "files"})
NAMES = "DNS:localhost\nIP:127.0.0.1\nIP:::1\nDNS:pet.example\n"


@pytest.fixture(scope="module")
def shared_site(gateway_image: str) -> Iterator[GatewayUnderTest]:
    with started(gateway_image) as gateway:
        gateway.backend("alpha")
        yield gateway


@pytest.fixture(scope="module")
def authority(shared_site: GatewayUnderTest) -> Authority:
    # Not in the gateway itself, whose /tmp is lost at a restart.
    return Authority(shared_site.others[0])


@pytest.fixture
def site(shared_site: GatewayUnderTest) -> GatewayUnderTest:
    """A gateway that is configured for a certificate from files, without such files."""
    shared_site.load({}, "rm -f /etc/dyber/tls/files.pem")
    shared_site.configure(FILES, (ALPHA,))
    return shared_site


def store(site: GatewayUnderTest, key: str, chain: str, names: str = NAMES) -> Loaded:
    files = {"certificate.pem": chain, "key.pem": key, "tls.names": names}
    return site.load(files, "/usr/local/bin/store-certificate /staging")


def store_successfully(site: GatewayUnderTest, pair: Pair) -> Loaded:
    loaded = store(site, pair.key, pair.chain)
    assert loaded.exit_code == 0, loaded.stderr
    return loaded


def test_without_a_certificate_the_self_signed_one_is_served(site: GatewayUnderTest) -> None:
    chain = docker("exec", site.name, "bash", "-c", "pem=$(readlink -f /etc/dyber/tls/files.pem); cat ${pem%pem}chain")
    assert verified(site, chain) == stored(site, "files")


def test_a_good_certificate_is_served_with_its_chain_and_without_a_reload(
    site: GatewayUnderTest, authority: Authority
) -> None:
    wait_until_served(site, stored(site, "files"))
    before = workers(site)
    pair = authority.issue("pet.example")
    loaded = store_successfully(site, pair)
    assert loaded.stderr == ""
    assert "notAfter=" in loaded.stdout.splitlines()[-1]
    wait_until_served(site, pair.subject)
    verified(site, authority.root)
    assert workers(site) == before


def test_only_the_gateway_can_read_the_key(site: GatewayUnderTest, authority: Authority) -> None:
    store_successfully(site, authority.issue("pet.example"))
    listing = docker("exec", site.name, "stat", "--format=%a %u", "/etc/dyber/tls/files.pem")
    assert listing == "600 20080"


def test_replacing_the_certificate_interrupts_neither_streams_nor_calls(
    site: GatewayUnderTest, authority: Authority
) -> None:
    wait_until(lambda: site.request("/api/alpha/ready", port=443).status == 200, "alpha is reached")
    first, second = authority.issue("pet.example"), authority.issue("pet.example", key="rsa:2048")
    store_successfully(site, first)
    wait_until_served(site, first.subject)
    before = workers(site)
    with traffic(site, "alpha"):
        store_successfully(site, second)
        wait_until_served(site, second.subject)
    assert workers(site) == before


def test_the_certificate_survives_a_new_configuration_and_a_restart(
    site: GatewayUnderTest, authority: Authority
) -> None:
    pair = authority.issue("pet.example")
    store_successfully(site, pair)
    site.configure(changed(FILES, server_names=("pet.example", "other.example")), (ALPHA,))
    site.restart()
    wait_until_served(site, pair.subject)


def test_the_key_is_removed_with_the_last_configuration_that_needs_it(
    site: GatewayUnderTest, authority: Authority
) -> None:
    store_successfully(site, authority.issue("pet.example"))
    for number in range(4):
        names = (f"name{number}.example",)
        site.configure(changed(SETTINGS, server_names=names), (ALPHA,))
    assert "files.pem" not in docker("exec", site.name, "ls", "/etc/dyber/tls").split()


def assert_refused(site: GatewayUnderTest, key: str, chain: str, *words: str) -> None:
    """Try to store a certificate, and check that it is refused with these words and that nothing changes."""
    before = stored(site, "files")
    loaded = store(site, key, chain)
    assert loaded.exit_code == 2, loaded
    assert "网关仍用原来的" in loaded.stderr
    for word in words:
        assert word in loaded.stderr
    for line in key.splitlines()[1:-1]:
        assert line not in loaded.stdout + loaded.stderr
    assert stored(site, "files") == before
    assert docker("exec", site.name, "bash", "-c", "find /etc/dyber/tls -name '.partial*'") == ""


def test_a_key_of_another_certificate_is_refused(site: GatewayUnderTest, authority: Authority) -> None:
    pair, other = authority.issue("pet.example"), authority.issue("pet.example")
    store_successfully(site, pair)
    assert_refused(site, other.key, pair.chain, "key.pem is not the key of this certificate", "私钥")


def test_an_expired_certificate_is_refused(site: GatewayUnderTest, authority: Authority) -> None:
    pair = authority.issue("pet.example", begins="-10 days", days=5)
    assert_refused(site, pair.key, pair.chain, "expired on", "过期")


def test_a_certificate_that_is_not_valid_yet_is_refused(site: GatewayUnderTest, authority: Authority) -> None:
    pair = authority.issue("pet.example", begins="+2 days")
    assert_refused(site, pair.key, pair.chain, "not valid yet", "还没有生效")


def test_a_chain_in_the_wrong_order_is_refused(site: GatewayUnderTest, authority: Authority) -> None:
    pair = authority.issue("pet.example")
    assert_refused(site, pair.key, authority.root + pair.subject, "number 2", "第 2 张")


def test_a_key_that_clients_would_not_accept_is_refused(site: GatewayUnderTest, authority: Authority) -> None:
    pair = authority.issue("pet.example", key="rsa:1024")
    assert_refused(site, pair.key, pair.chain, "key too small")


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ("", "holds no certificate"),
        ("not PEM at all\n", "holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 1 in certificate.pem"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "certificate 1 in certificate.pem"),
    ],
    ids=["empty", "text", "garbage", "cut off"],
)
def test_a_file_without_a_certificate_is_refused(
    site: GatewayUnderTest, authority: Authority, chain: str, words: str
) -> None:
    assert_refused(site, authority.issue("pet.example").key, chain, words)


def test_a_file_without_a_key_is_refused(site: GatewayUnderTest, authority: Authority) -> None:
    pair = authority.issue("pet.example")
    secret = "c2VjcmV0IGtleSBtYXRlcmlhbA"
    assert_refused(
        site, f"-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n", pair.chain, "no usable private"
    )


def test_a_key_with_a_passphrase_is_refused_with_the_way_to_remove_it(
    site: GatewayUnderTest, authority: Authority
) -> None:
    pair = authority.issue("pet.example")
    command = "openssl ecparam -genkey -name prime256v1 -noout | openssl pkey -aes256 -passout pass:x"
    assert_refused(site, docker("exec", site.name, "bash", "-c", command), pair.chain, "openssl pkey -in key.pem")


def test_files_with_windows_line_ends_are_accepted(site: GatewayUnderTest, authority: Authority) -> None:
    pair = authority.issue("pet.example")
    chain = "\ufeffSubject: pet.example\r\n" + pair.chain.replace("\n", "\r\n")
    loaded = store(site, pair.key.replace("\n", "\r\n"), chain)
    assert loaded.exit_code == 0, loaded.stderr
    assert stored(site, "files") == pair.subject


def test_warnings_name_missing_names_and_a_near_expiry(site: GatewayUnderTest, authority: Authority) -> None:
    pair = authority.issue("*.pet.example", days=10)
    loaded = store(site, pair.key, pair.chain, NAMES + "DNS:api.pet.example\nIP:192.0.2.1\n")
    assert loaded.exit_code == 0, loaded.stderr
    warnings = [line for line in loaded.stderr.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 3, warnings
    assert "no name pet.example" in warnings[0]
    assert "no name 192.0.2.1" in warnings[1]
    assert "expires on" in warnings[2]


def test_a_folder_without_files_is_refused(site: GatewayUnderTest) -> None:
    loaded = site.load({"key.pem": ""}, "/usr/local/bin/store-certificate /staging")
    assert loaded.exit_code == 1
    assert "store-certificate" in loaded.stderr
