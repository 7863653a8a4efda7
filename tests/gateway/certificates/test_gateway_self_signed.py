"""Tests the self-signed certificate: its lifetime, its renewal in time, and its replacement when it is damaged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from infra.rendering.gateway.configuration import render
from infra.settings.gateway import GatewaySettings
from tests.gateway.conftest import started
from tests.gateway.support.certificates import stored, traffic, verified, wait_until_served, workers
from tests.gateway.support.docker_cli import CONFINED, LABEL, READ_ONLY, docker, unique, wait_until
from tests.gateway.support.gateway_under_test import ALPHA, CLIENT, SETTINGS, GatewayUnderTest, changed

LONGEST = timedelta(days=398)
PEM = "/etc/dyber/tls/$(sha256sum </etc/dyber/current/tls.names | cut -c1-16).pem"


def make_older(gateway: GatewayUnderTest, days: int) -> None:
    """Make the certificates as they would have been made `days` ago, and serve the first of them."""
    earlier = f"now=$(($(date +%s) - {days * 86400}))"
    older = f"sed 's/now=$(date +%s)/{earlier}/' /usr/local/bin/certificate-files >/tmp/older"
    make = "source /tmp/older; lock; names=$ROOT/current/tls.names; make_certificate $names $(certificate_id $names)"
    loaded = gateway.load({}, f"{older}; {make}; publish_certificate $(certificate_id $names)")
    assert loaded.exit_code == 0, loaded


@dataclass
class Keeper:
    """A container that runs the keeper, as in production: no network, and only the volume and /tmp are writable."""

    gateway: GatewayUnderTest
    name: str

    def start(self) -> None:
        docker(
            "run", "--detach", "--name", self.name, "--label", LABEL, "--network=none",
            "--volume", f"{self.gateway.volume}:/etc/dyber", *CONFINED, *READ_ONLY, self.gateway.image,
            "/usr/local/bin/certificate-keeper",
        )  # fmt: skip
        self.gateway.others.append(self.name)
        wait_until(lambda: self.events("started"), "the keeper has started")

    def events(self, event: str) -> list[dict]:
        entries = map(json.loads, docker("logs", self.name).splitlines())
        return [entry for entry in entries if entry["event"] == event]

    def check_now(self) -> None:
        docker("kill", "--signal", "HUP", self.name)


@pytest.fixture(scope="module")
def gateway_and_keeper(gateway_image: str) -> Iterator[tuple[GatewayUnderTest, Keeper]]:
    with started(gateway_image) as gateway:
        gateway.backend("alpha")
        gateway.configure(services=(ALPHA,))
        keeper = Keeper(gateway, unique("keeper"))
        keeper.start()
        wait_until(lambda: gateway.request("/api/alpha/ready", port=443).status == 200, "alpha is reached")
        yield gateway, keeper


@pytest.fixture
def site(gateway_and_keeper: tuple[GatewayUnderTest, Keeper]) -> GatewayUnderTest:
    return gateway_and_keeper[0]


@pytest.fixture
def keeper(gateway_and_keeper: tuple[GatewayUnderTest, Keeper]) -> Keeper:
    return gateway_and_keeper[1]


def name_of(gateway: GatewayUnderTest) -> str:
    return docker("exec", gateway.name, "bash", "-c", f"basename {PEM} .pem")


def certificate(gateway: GatewayUnderTest) -> str:
    """Return the certificate that clients trust."""
    return docker("exec", gateway.name, "cat", "/etc/dyber/tls/gateway.crt") + "\n"


def parsed(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def test_the_certificate_lasts_as_long_as_clients_allow_and_has_a_current_key_and_signature(
    site: GatewayUnderTest,
) -> None:
    now = datetime.now(UTC)
    served = parsed(verified(site, certificate(site)))
    assert served.not_valid_before_utc < now - timedelta(minutes=50), "a client whose clock is slow refuses it"
    assert timedelta(days=390) < served.not_valid_after_utc - now
    assert served.not_valid_after_utc - served.not_valid_before_utc <= LONGEST
    for item in (served, parsed(certificate(site))):
        key = item.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert key.curve.name == "secp256r1"
        assert item.signature_hash_algorithm is not None
        assert item.signature_hash_algorithm.name == "sha256"


def test_the_key_of_the_authority_is_not_kept(site: GatewayUnderTest) -> None:
    keys = docker("exec", site.name, "bash", "-c", "grep -rl 'PRIVATE KEY' /etc/dyber /tmp /run 2>/dev/null || true")
    assert keys.split() == [docker("exec", site.name, "bash", "-c", f"echo {PEM}")]
    authority = parsed(certificate(site)).public_key()
    (served,) = docker("exec", site.name, "bash", "-c", f"openssl pkey -in {PEM} -pubout").split("\n\n")
    assert served.encode() != authority.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).strip()


def test_there_are_certificates_for_ten_years_without_a_gap(site: GatewayUnderTest) -> None:
    chain = docker("exec", site.name, "bash", "-c", f"pem={PEM}; cat ${{pem%pem}}chain").encode()
    authority, *signed = x509.load_pem_x509_certificates(chain)
    for earlier, later in pairwise(signed):
        assert later.not_valid_before_utc < earlier.not_valid_after_utc - timedelta(days=50)
        assert later.not_valid_after_utc - later.not_valid_before_utc <= LONGEST
        later.verify_directly_issued_by(authority)
    assert authority.not_valid_after_utc - datetime.now(UTC) > timedelta(days=3650)
    assert signed[-2].not_valid_after_utc < authority.not_valid_after_utc


def test_a_certificate_that_ends_soon_is_renewed_without_a_lost_call(site: GatewayUnderTest, keeper: Keeper) -> None:
    make_older(site, 350)
    trusted = certificate(site)
    wait_until_served(site, (old := stored(site, name_of(site))))
    before = workers(site)
    with traffic(site, "alpha"):
        keeper.check_now()
        wait_until(lambda: keeper.events("renewed"), "the certificate is renewed")
        new = stored(site, name_of(site))
        wait_until_served(site, new)
    assert workers(site) == before
    assert parsed(new).not_valid_after_utc - parsed(old).not_valid_after_utc > timedelta(days=300)
    # Clients that trusted the old certificate trust the new one.
    assert certificate(site) == trusted
    assert verified(site, trusted) == new


def test_a_deployment_renews_the_certificate_too(own_gateway: GatewayUnderTest) -> None:
    settings = GatewaySettings(server_names=("pet.example",))
    own_gateway.configure(settings, ())
    make_older(own_gateway, 700)
    trusted = certificate(own_gateway)
    own_gateway.configure(settings, (ALPHA,))
    assert certificate(own_gateway) == trusted
    assert parsed(verified(own_gateway, trusted)).not_valid_after_utc > datetime.now(UTC) + timedelta(days=300)


@pytest.mark.parametrize("days", [11 * 335 + 397, -2], ids=["used up", "of a clock that was ahead"])
def test_a_certificate_that_clients_refuse_is_replaced(own_gateway: GatewayUnderTest, days: int) -> None:
    settings = GatewaySettings(server_names=("pet.example",))
    own_gateway.configure(settings, ())
    make_older(own_gateway, days)
    own_gateway.configure(settings, (ALPHA,))
    verified(own_gateway, certificate(own_gateway))


def test_a_certificate_of_an_older_version_that_lasts_too_long_is_replaced(own_gateway: GatewayUnderTest) -> None:
    settings = GatewaySettings(server_names=("pet.example",))
    own_gateway.configure(settings, ())
    long = (
        f"pem={PEM}; rm ${{pem%pem}}chain; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc "
        "-days 825 -subj /CN=x -keyout /tmp/key -out /tmp/new && cat /tmp/key /tmp/new >$pem"
    )
    assert own_gateway.load({}, long).exit_code == 0
    replaced = own_gateway.load(render(settings, (ALPHA,), (CLIENT,)))
    assert replaced.exit_code == 0
    assert "./deploy.sh clients --certificate" in replaced.stderr
    assert own_gateway.load(render(settings, (ALPHA,), (CLIENT,))).stderr == ""
    served = parsed(verified(own_gateway, certificate(own_gateway)))
    assert served.not_valid_after_utc - served.not_valid_before_utc <= LONGEST


def test_a_damaged_certificate_is_set_aside_reported_and_replaced(site: GatewayUnderTest, keeper: Keeper) -> None:
    damages = ("truncate --size=0", "sed -i s/PRIVATE/PIRATE/", "rm", "truncate --size=300")
    for number, damage in enumerate(damages, start=1):
        site.load({}, f"{damage} {PEM}")
        keeper.check_now()
        wait_until(lambda count=number: len(keeper.events("remade")) == count, f"made anew after {damage}")
    wait_until_served(site, stored(site, name_of(site)))
    verified(site, certificate(site))
    assert "损坏" in keeper.events("remade")[-1]["message"]
    assert f"{name_of(site)}.pem.damaged" in docker("exec", site.name, "ls", "/etc/dyber/tls")


def test_a_deployment_replaces_a_damaged_certificate(own_gateway: GatewayUnderTest) -> None:
    settings = GatewaySettings(server_names=("two.example",))
    own_gateway.configure(settings, ())
    own_gateway.load({}, f"truncate --size=300 {PEM}")
    own_gateway.configure(settings, (ALPHA,))
    verified(own_gateway, certificate(own_gateway), "two.example")


def test_the_keeper_does_nothing_if_the_certificate_comes_from_another_source(
    site: GatewayUnderTest, keeper: Keeper
) -> None:
    site.configure(changed(SETTINGS, tls={"source": "files"}), (ALPHA,))
    keeper.check_now()
    docker("exec", keeper.name, "sleep", "0.5")
    assert "gateway.crt" not in docker("exec", site.name, "ls", "/etc/dyber/tls").split()
