"""Tests how the base image is made: Release files of the mirrors, pulling, building and recognising an image."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from toolchain import debian
from toolchain.engine import base_image, debian_releases
from toolchain.engine.installation import Engine
from toolchain.errors import SetupError
from toolchain.home import DyberHome
from toolchain.mirrors import Mirrors
from toolchain.progress import PlainProgress

ENGINE = Engine("unix:///var/run/docker.sock", "27.0", "1.46", "default")
QUIET = PlainProgress(io.StringIO())
FRESH = "Suite: stable\nValid-Until: Fri, 01 Jan 2999 00:00:00 UTC\nSHA256:\n aa 1 main/Packages\n"
EXPIRED = "Suite: testing\nValid-Until: Fri, 06 Nov 2020 08:08:01 UTC\nSHA256:\n"
WITHOUT_EXPIRY = "Suite: stable\nSHA256:\nValid-Until: is not read from the hashes\n"


@pytest.fixture
def mirror() -> Iterator[Callable[[dict[str, str]], Mirrors]]:
    """A function that serves Release files by suite and returns the mirrors; every other path is 404."""
    servers = []

    def serve(releases: dict[str, str]) -> Mirrors:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                suite = self.path.split("/dists/")[-1].removesuffix("/Release")
                body = releases.get(suite, "").encode()
                self.send_response(200 if suite in releases else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        servers.append(server)
        address = f"http://127.0.0.1:{server.server_port}/debian"
        return Mirrors(apt=address, apt_security=f"{address}-security")

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_suites_that_a_mirror_does_not_have_are_left_out(mirror):
    mirrors = mirror({"trixie": WITHOUT_EXPIRY, "trixie-security": FRESH})
    releases = debian_releases.find_releases("trixie", mirrors)
    assert [(release.mirror, release.suite) for release in releases] == [
        (mirrors.apt, "trixie"),
        (mirrors.apt_security, "trixie-security"),
    ]
    assert [release.expired() for release in releases] == [False, False]


def test_a_release_past_its_valid_until_has_expired(mirror):
    (release,) = debian_releases.find_releases("forky", mirror({"forky": EXPIRED}))
    assert release.expired()
    assert release.valid_until == datetime(2020, 11, 6, 8, 8, 1, tzinfo=UTC)


def test_a_mirror_without_the_suite_is_named(mirror):
    mirrors = mirror({"bookworm": FRESH})
    with pytest.raises(SetupError, match=mirrors.apt):
        debian_releases.find_releases("trixie", mirrors)


def test_a_mirror_that_does_not_answer_is_named():
    mirrors = Mirrors(apt="http://127.0.0.1:9/debian", apt_security="http://127.0.0.1:9/debian-security")
    with pytest.raises(SetupError, match=r"127\.0\.0\.1:9"):
        debian_releases.find_releases("trixie", mirrors)


def test_an_image_is_made_again_if_its_mirror_has_expired_since(mirror, command, tmp_path, monkeypatch):
    mirrors = mirror({"trixie": EXPIRED})
    made = tmp_path / "made"
    labels = '{"dyber.base": "%s", "dyber.base.valid-until-relaxed": "%s"}'
    key = base_image.content_key("trixie", mirrors)
    command(
        "docker",
        f"""case "$*" in
        "image inspect"*) if [ -e {made} ]; then echo '{labels % (key, "true")}'; else echo '{labels % (key, "false")}'; fi;;
        build*) : > {made};;
        esac""",
    )
    assert base_image.ensure(DyberHome(tmp_path / "home"), "trixie", mirrors, ENGINE, QUIET).valid_until_relaxed


def test_the_expiry_check_is_switched_off_only_for_an_expired_mirror(tmp_path):
    releases = [debian_releases.Release("http://m/debian", "forky", None)]
    strict = base_image.mmdebstrap_command("forky", tmp_path / "out.tar", releases, relaxed=False)
    relaxed = base_image.mmdebstrap_command("forky", tmp_path / "out.tar", releases, relaxed=True)
    assert [word for word in relaxed if word not in strict] == ['--aptopt=Acquire::Check-Valid-Until "false"']
    assert strict[-1] == "deb http://m/debian forky main"
    assert "--include=ca-certificates" in strict


def test_an_expired_mirror_is_refused_if_the_variable_says_so(mirror, monkeypatch, tmp_path, command):
    command("docker", "exit 1")
    monkeypatch.setenv("DYBER_ALLOW_EXPIRED_APT_MIRROR", "0")
    with pytest.raises(SetupError, match="2020-11-06"):
        base_image.ensure(DyberHome(tmp_path), "forky", mirror({"forky": EXPIRED}), ENGINE, QUIET)


def test_another_mirror_or_suite_gives_another_key():
    assert base_image.content_key("trixie", Mirrors()) != base_image.content_key(
        "trixie", Mirrors(apt="http://other/debian")
    )
    assert base_image.content_key("trixie", Mirrors()) != base_image.content_key("forky", Mirrors())


def test_an_image_with_the_same_name_but_without_the_labels_is_ignored(command):
    command("docker", 'echo \'{"maintainer": "somebody"}\'')
    assert base_image.find("trixie", ENGINE) is None
    command("docker", "echo null")
    assert base_image.find("trixie", ENGINE) is None
    command(
        "docker",
        """echo '{"dyber.base": "k", "dyber.base.origin": "registry", "dyber.base.valid-until-relaxed": "true"}'""",
    )
    assert base_image.find("trixie", ENGINE) == base_image.BaseImage("dyber-base:trixie", "k", "registry", True)


def test_an_existing_image_is_used_even_without_a_network(command, tmp_path):
    mirrors = Mirrors(apt="http://127.0.0.1:9/debian", apt_security="http://127.0.0.1:9/debian-security")
    key = base_image.content_key("trixie", mirrors)
    command("docker", f"""[ "$2" = inspect ] || exit 9; echo '{{"dyber.base": "{key}"}}'""")
    assert base_image.ensure(DyberHome(tmp_path), "trixie", mirrors, ENGINE, QUIET).key == key


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo pulling; exit 0", "pulled"),
        ("echo 'manifest unknown' >&2; exit 1", "refused"),
        ("exec /bin/sleep 30", "silent"),
    ],
)
def test_a_pull_waits_only_a_short_time_for_a_registry(command, monkeypatch, script, expected):
    monkeypatch.setattr(base_image, "REGISTRY_SECONDS", 1.0)
    command("docker", script)
    assert base_image.pull("debian:trixie-slim", ENGINE, QUIET) == expected


def test_the_full_image_is_pulled_if_there_is_no_slim_one(command, monkeypatch, tmp_path):
    log = tmp_path / "log"
    command("docker", f'echo "$@" >> {log}; case "$*" in "pull debian:forky-slim") exit 1;; esac')
    assert base_image._from_registry("forky", Mirrors(), ENGINE, False, QUIET)
    assert log.read_text().splitlines() == [
        "pull debian:forky-slim",
        "pull debian:forky",
        "build --tag dyber-base:forky -",
    ]


def test_without_a_registry_and_mmdebstrap_the_message_names_both_remedies(command, mirror, monkeypatch, tmp_path):
    command("docker", "exit 1")
    monkeypatch.setattr(debian, "can_install", lambda: False)
    with pytest.raises(SetupError) as refused:
        base_image.ensure(DyberHome(tmp_path), "trixie", mirror({"trixie": FRESH}), ENGINE, QUIET)
    assert refused.value.exit_code == 2
    assert "DYBER_REGISTRY" in refused.value.next_step and "mmdebstrap" in refused.value.next_step
