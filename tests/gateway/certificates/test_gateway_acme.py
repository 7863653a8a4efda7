"""Tests the certificate from an ACME authority: a real ACME server checks the name through the gateway."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.gateway.conftest import started
from tests.gateway.support.certificates import Authority, stored, traffic, verified, wait_until_served, workers
from tests.gateway.support.docker_cli import CONFINED, LABEL, READ_ONLY, docker, unique, wait_until
from tests.gateway.support.gateway_under_test import ALPHA, SETTINGS, GatewayUnderTest, changed
from tests.gateway.support.pebble import Pebble

ACME = changed(SETTINGS, server_names=("pet.example", "www.pet.example"), tls={"source": "acme"})
HEALTHCHECK = "/usr/local/bin/acme-healthcheck"
#: Beginning of scripts that change the keeper's files of its authority.
STATE = "set -e; cd $(ls -d /etc/dyber/acme/*/ | grep -v challenges); chmod -R u+w ."


@dataclass
class Keeper:
    """A container that runs the keeper, as in production: only the volume and /tmp are writable."""

    gateway: GatewayUnderTest
    network: str
    environment: dict[str, str]
    name: str = field(default_factory=lambda: unique("keeper"))

    def start(self) -> None:
        environment = [f"--env={key}={value}" for key, value in self.environment.items()]
        docker(
            "run", "--detach", "--name", self.name, "--label", LABEL, "--network", self.network,
            "--volume", f"{self.gateway.volume}:/etc/dyber", *environment, *CONFINED, *READ_ONLY, self.gateway.image,
            "/usr/local/bin/acme-keeper",
        )  # fmt: skip

    def events(self, event: str) -> list[dict]:
        lines = docker("logs", self.name).splitlines()
        return [entry for entry in map(json.loads, lines) if entry["event"] == event]

    def wait_for(self, event: str, count: int = 1) -> dict:
        """Wait until there are `count` events of this name and return the last of them."""
        try:
            wait_until(lambda: len(self.events(event)) >= count, f"{count} × {event}", seconds=60)
        except AssertionError as error:
            raise AssertionError(docker("logs", self.name)) from error
        return self.events(event)[count - 1]

    def check_now(self) -> None:
        docker("kill", "--signal", "HUP", self.name)

    def certificates_obtained(self) -> int:
        """Return how often it got a certificate."""
        return len(self.events("issued")) + len(self.events("renewed"))

    def healthy(self) -> bool:
        return subprocess.run(["docker", "exec", self.name, HEALTHCHECK], timeout=30, check=False).returncode == 0


@dataclass
class Site:
    """A gateway that an ACME server knows as pet.example."""

    gateway: GatewayUnderTest
    pebble: Pebble
    keepers: list[Keeper] = field(default_factory=list)

    def keeper(self, **environment: str) -> Keeper:
        """Start a keeper for pet.example; `environment` changes its settings."""
        settings = {
            "ACME_DIRECTORY": self.pebble.directory,
            "ACME_EMAIL": "owner@pet.example",
            "ACME_NAMES": "pet.example",
            "ACME_CA": self.pebble.trusted,
            "ACME_RETRY_SECONDS": "1",
        }
        keeper = Keeper(self.gateway, self.pebble.network, settings | environment)
        self.keepers.append(keeper)
        keeper.start()
        return keeper

    def run_on_volume(self, command: str) -> str:
        return docker(
            "run", "--rm", "--label", LABEL, "--network=none", "--volume", f"{self.gateway.volume}:/etc/dyber",
            self.gateway.image, "bash", "-c", command,
        )  # fmt: skip

    def reset(self) -> None:
        """Remove the keepers and their files."""
        for keeper in self.keepers:
            docker("rm", "--force", keeper.name)
        self.keepers.clear()
        self.run_on_volume("rm -rf /etc/dyber/acme/* /etc/dyber/tls/acme.pem")


@pytest.fixture(scope="module")
def shared_site(gateway_image: str) -> Iterator[Site]:
    with started(gateway_image) as gateway:
        network = unique("edge")
        docker("network", "create", "--label", LABEL, network)
        docker("network", "connect", "--alias", "pet.example", "--alias", "www.pet.example", network, gateway.name)
        pebble = Pebble(network, Authority(gateway.name))
        try:
            pebble.start()
            gateway.backend("alpha")
            yield Site(gateway, pebble)
        finally:
            pebble.remove()
            docker("network", "disconnect", "--force", network, gateway.name)
            docker("network", "rm", network)


@pytest.fixture
def site(shared_site: Site) -> Iterator[Site]:
    """A site that is configured for ACME and has no certificate yet."""
    shared_site.gateway.configure(ACME, (ALPHA,))
    yield shared_site
    shared_site.reset()


def authority_of_self_signed(site: Site) -> str:
    """Return the authority of the self-signed certificate that is used meanwhile."""
    return site.run_on_volume("pem=$(readlink -f /etc/dyber/tls/acme.pem); cat ${pem%pem}chain")


def test_until_the_first_certificate_a_self_signed_one_is_served(site: Site) -> None:
    self_signed = stored(site.gateway, "acme")
    wait_until_served(site.gateway, self_signed)
    assert verified(site.gateway, authority_of_self_signed(site)) == self_signed


@pytest.mark.parametrize("https_redirect", [False, True])
def test_the_first_certificate_is_issued_through_port_80_and_served_without_a_reload(
    site: Site, https_redirect: bool
) -> None:
    site.gateway.configure(changed(ACME, https_redirect=https_redirect), (ALPHA,))
    before = workers(site.gateway)
    keeper = site.keeper(ACME_NAMES="pet.example www.pet.example")
    issued = keeper.wait_for("issued")
    assert issued["names"] == "pet.example www.pet.example"
    wait_until_served(site.gateway, stored(site.gateway, "acme"))
    verified(site.gateway, site.pebble.root())
    verified(site.gateway, site.pebble.root(), "www.pet.example")
    assert workers(site.gateway) == before


def test_a_renewal_interrupts_neither_streams_nor_calls(site: Site) -> None:
    gateway = site.gateway
    wait_until(lambda: gateway.request("/api/alpha/ready", port=443).status == 200, "alpha is reached")
    keeper = site.keeper(ACME_RENEW_BEFORE_DAYS="1000")
    keeper.wait_for("issued")
    first, before = stored(gateway, "acme"), workers(gateway)
    wait_until_served(gateway, first)
    with traffic(gateway, "alpha"):
        keeper.check_now()
        keeper.wait_for("renewed")
        assert stored(gateway, "acme") != first
        wait_until_served(gateway, stored(gateway, "acme"))
    verified(gateway, site.pebble.root())
    assert workers(gateway) == before


def test_if_the_server_does_not_answer_the_certificate_stays_and_the_keeper_tries_again(site: Site) -> None:
    keeper = site.keeper(ACME_RENEW_BEFORE_DAYS="1000")
    keeper.wait_for("issued")
    before = stored(site.gateway, "acme")
    site.pebble.halt()
    try:
        keeper.check_now()
        failed = keeper.wait_for("failed", 2)
        assert site.pebble.name in failed["words"] or "connect" in failed["words"].lower()
        assert stored(site.gateway, "acme") == before
        assert keeper.healthy()
    finally:
        site.pebble.resume()
    # The server has also lost the account.
    keeper.check_now()
    keeper.wait_for("renewed")
    assert stored(site.gateway, "acme") != before


def test_a_private_authority_has_to_be_configured(site: Site) -> None:
    failed = site.keeper(ACME_CA="").wait_for("failed")
    assert "certificate" in failed["words"].lower()


def test_the_message_of_the_authority_is_logged_and_each_pause_is_longer(site: Site) -> None:
    keeper = site.keeper(ACME_NAMES="elsewhere.example")
    keeper.wait_for("next_check", 3)
    failed = keeper.wait_for("failed")
    assert "elsewhere.example" in failed["words"]
    pauses = [entry["seconds"] for entry in keeper.events("next_check")[:3]]
    assert pauses == sorted(pauses, key=int)
    assert int(pauses[0]) >= 1
    assert int(pauses[2]) >= 4
    assert site.run_on_volume("ls /etc/dyber/acme/challenges") == ""


def test_the_key_and_the_account_are_readable_by_the_gateway_only(site: Site) -> None:
    site.keeper().wait_for("issued")
    modes = site.run_on_volume("find /etc/dyber/acme /etc/dyber/tls -name '*.pem' -type f -exec stat -c '%a %u' {} +")
    assert set(modes.splitlines()) <= {"400 20080", "600 20080"}
    assert len(modes.splitlines()) == 5


def test_a_restarted_keeper_delivers_its_certificate_without_the_server(site: Site) -> None:
    keeper = site.keeper()
    keeper.wait_for("issued")
    before = stored(site.gateway, "acme")
    site.run_on_volume("rm /etc/dyber/tls/acme.pem")
    site.pebble.halt()
    try:
        docker("restart", "--time", "5", keeper.name)
        keeper.wait_for("failed")
        assert stored(site.gateway, "acme") == before
    finally:
        site.pebble.resume()


def test_damaged_files_are_set_aside_reported_and_replaced_without_a_lost_call(site: Site) -> None:
    gateway = site.gateway
    wait_until(lambda: gateway.request("/api/alpha/ready", port=443).status == 200, "alpha is reached")
    keeper = site.keeper(ACME_RENEW_BEFORE_DAYS="1000")
    keeper.wait_for("issued")
    account, key, certificate = "private/key.pem", "private/pet.example/key.pem", "pet.example/cert.pem"
    with traffic(gateway, "alpha"):
        for number, (damage, files) in enumerate(
            [
                ("truncate --size=40", [account]),
                ("truncate --size=0", [key]),
                ("sed -i s/CERTIFICATE/CERTAINLY/", [certificate]),
                ("f() { rm $@; mkdir $@; }; f", [account, certificate]),
                ("truncate --size=40", [account, key, certificate]),
                ("f() { rm -r private; touch private; }; f", ["private"]),
            ],
            start=1,
        ):
            reported = len(keeper.events("damaged"))
            names = " ".join(files)
            site.run_on_volume(f"{STATE}; {damage} {names}")
            keeper.check_now()
            try:
                wait_until(
                    lambda count=number: keeper.certificates_obtained() == count + 1,
                    f"made anew after {damage} {names}",
                    60,
                )
            except AssertionError as error:
                raise AssertionError(docker("logs", keeper.name)) from error
            damaged = keeper.events("damaged")[reported:]
            assert len(damaged) == len(files)
            for file, event in zip(files, damaged, strict=True):
                assert f"{file}.damaged" in event["zh"] and f"{file}.damaged" in event["en"]
            assert site.run_on_volume(f"{STATE}; ls -d {'.damaged '.join(files)}.damaged")
        wait_until_served(gateway, stored(gateway, "acme"))
    verified(gateway, site.pebble.root())
    assert keeper.events("failed") == []


def test_until_a_damaged_certificate_is_replaced_the_self_signed_one_is_served(site: Site) -> None:
    gateway = site.gateway
    keeper = site.keeper()
    keeper.wait_for("issued")
    docker("pause", site.pebble.name)
    try:
        site.run_on_volume(f"{STATE}; truncate --size=40 ../../tls/acme.pem pet.example/cert.pem")
        keeper.check_now()
        keeper.wait_for("damaged", 2)
        wait_until_served(gateway, stored(gateway, "acme"))
        verified(gateway, authority_of_self_signed(site))
        with traffic(gateway, "alpha"):
            docker("unpause", site.pebble.name)
            keeper.wait_for("issued", 2)
            wait_until_served(gateway, stored(gateway, "acme"))
    finally:
        subprocess.run(["docker", "unpause", site.pebble.name], capture_output=True, timeout=30, check=False)
    verified(gateway, site.pebble.root())
    assert site.run_on_volume("ls /etc/dyber/tls/acme.pem.damaged")


def test_another_name_needs_another_certificate(site: Site) -> None:
    site.keeper().wait_for("issued")
    before = stored(site.gateway, "acme")
    keeper = site.keeper(ACME_NAMES="pet.example www.pet.example")
    keeper.wait_for("renewed")
    assert stored(site.gateway, "acme") != before
    wait_until(lambda: "www.pet.example" in subject_names(site), "the new name")


def subject_names(site: Site) -> str:
    return site.run_on_volume("openssl x509 -in /etc/dyber/tls/acme.pem -noout -ext subjectAltName")


def test_a_check_of_a_current_certificate_changes_nothing(site: Site) -> None:
    keeper = site.keeper()
    keeper.wait_for("issued")
    before = stored(site.gateway, "acme")
    keeper.check_now()
    keeper.wait_for("next_check", 2)
    assert stored(site.gateway, "acme") == before
    assert keeper.events("failed") == []


def test_the_keeper_is_healthy_once_it_has_a_certificate(site: Site) -> None:
    keeper = site.keeper(ACME_NAMES="elsewhere.example")
    assert not keeper.healthy()
    keeper = site.keeper()
    keeper.wait_for("issued")
    assert keeper.healthy()


def test_the_keeper_ends_at_once_after_a_signal(site: Site) -> None:
    keeper = site.keeper()
    keeper.wait_for("next_check")
    docker("stop", "--time", "60", keeper.name)
    assert docker("inspect", "--format", "{{.State.ExitCode}}", keeper.name) == "0"
    assert keeper.events("stopped")


@pytest.mark.parametrize(
    "environment",
    [{"ACME_DIRECTORY": "http://plain.example/dir"}, {"ACME_NAMES": ""}, {"ACME_NAMES": "192.0.2.1"}],
    ids=["no https", "no name", "an address"],
)
def test_unusable_settings_are_named(site: Site, environment: dict[str, str]) -> None:
    keeper = site.keeper(**environment)
    assert next(iter(environment)) in keeper.wait_for("unusable")["en"]
    assert docker("wait", keeper.name) == "1"
