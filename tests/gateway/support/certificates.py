"""Makes certificates with openssl in a container, and checks what callers notice of a change of the certificate."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.gateway.support.docker_cli import docker, unique, wait_until
from tests.gateway.support.gateway_under_test import TOKEN, GatewayUnderTest


@dataclass(frozen=True)
class Pair:
    """A private key and its certificates as PEM text; `chain` begins with the server's own certificate, `subject`."""

    key: str
    chain: str
    subject: str


class Authority:
    """An authority that signs certificates inside a container."""

    def __init__(self, container: str) -> None:
        self._container = container
        self._folder = f"/tmp/{unique('authority')}"
        self._run(
            f"mkdir {self._folder} && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc"
            f" -days 30 -subj '/CN=Test Authority {self._folder[-8:]}' -addext 'keyUsage=critical,keyCertSign,cRLSign'"
            f" -keyout {self._folder}/root.key -out {self._folder}/root.crt"
        )
        self.root = self._run(f"cat {self._folder}/root.crt") + "\n"

    def issue(self, *names: str, days: int = 90, begins: str = "-1 day", key: str = "ec:prime256v1") -> Pair:
        """Issue a certificate for DNS names.

        `begins`: the start relative to now, in the syntax of `date`. `key`: `ec:<curve>` or `rsa:<bits>`.
        """
        kind, size = key.split(":")
        option = f"ec_paramgen_curve:{size}" if kind == "ec" else f"rsa_keygen_bits:{size}"
        alternatives = ",".join(f"DNS:{name}" for name in names)
        where = f"{self._folder}/{unique('server')}"
        start = f"$(date --utc --date '{begins}' +%Y%m%d%H%M%SZ)"
        end = f"$(date --utc --date '{begins} +{days} days' +%Y%m%d%H%M%SZ)"
        self._run(
            f"openssl req -new -newkey {kind} -pkeyopt {option} -noenc -subj '/CN={names[0]}' -keyout {where}.key"
            f" -addext 'subjectAltName={alternatives}' -addext 'extendedKeyUsage=serverAuth' -out {where}.csr"
            f" && openssl x509 -req -in {where}.csr -CA {self._folder}/root.crt -CAkey {self._folder}/root.key"
            f" -copy_extensions copy -not_before {start} -not_after {end} -out {where}.crt"
        )
        subject = self._run(f"cat {where}.crt") + "\n"
        return Pair(self._run(f"cat {where}.key") + "\n", subject + self.root, subject)

    def _run(self, command: str) -> str:
        return docker("exec", self._container, "bash", "-c", command)


def served(gateway: GatewayUnderTest, name: str = "pet.example") -> str:
    """Return the server's certificate, as PEM text, that a new connection gets."""
    return ssl.DER_cert_to_PEM_cert(_handshake(gateway, name, ssl._create_unverified_context()))


def wait_until_served(gateway: GatewayUnderTest, certificate: str, name: str = "pet.example") -> None:
    """Wait until every worker serves this certificate; each worker checks the file by itself."""
    wait_until(
        lambda: all(served(gateway, name) == certificate for _ in range(12)), "the certificate is served", seconds=60
    )


def stored(gateway: GatewayUnderTest, name: str) -> str:
    """Return the server's certificate in the file tls/<name>.pem, as PEM text."""
    return docker("exec", gateway.name, "openssl", "x509", "-in", f"/etc/dyber/tls/{name}.pem") + "\n"


def verified(gateway: GatewayUnderTest, root: str, name: str = "pet.example") -> str:
    """Return the certificate that a client which trusts only `root` gets. Raises ssl.SSLCertVerificationError."""
    return ssl.DER_cert_to_PEM_cert(_handshake(gateway, name, ssl.create_default_context(cadata=root)))


def _handshake(gateway: GatewayUnderTest, name: str, context: ssl.SSLContext) -> bytes:
    with (
        socket.create_connection(("127.0.0.1", gateway.port(443)), timeout=20) as connection,
        context.wrap_socket(connection, server_hostname=name) as secure,
    ):
        return secure.getpeercert(binary_form=True) or b""


def workers(gateway: GatewayUnderTest) -> set[str]:
    """Return the ids of the gateway's workers, without those that finish old calls. A reload makes new workers."""
    find = (
        "for title in $(grep -l '^nginx: worker process' /proc/[0-9]*/cmdline 2>/dev/null); do"
        " grep -q 'shutting down' $title || echo $title; done"
    )
    return set(docker("exec", gateway.name, "bash", "-c", find).split())


@dataclass
class Traffic:
    """The events of a stream, and the responses on a connection that stays open."""

    events: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@contextmanager
def traffic(gateway: GatewayUnderTest, service: str) -> Iterator[Traffic]:
    """Read a stream and make calls over TLS during the block, each on a connection from before the block.

    The end of the block checks that the stream had no gap and that every call was answered with 200.
    """
    seen = Traffic()
    stop = threading.Event()
    authorization = {"Authorization": f"Bearer {TOKEN}"}
    streaming, calling = gateway.connect(443), gateway.connect(443)
    streaming.request("GET", f"/api/{service}/events?count=1000000&every=20", headers=authorization)
    response = streaming.getresponse()

    def read() -> None:
        while not stop.is_set():
            seen.events.append(response.readline().decode().strip())
            response.readline()

    def call() -> None:
        calling.connect()
        connection = calling.sock
        while not stop.wait(0.02):
            calling.request("POST", f"/api/{service}/x", body=b"{}", headers=authorization)
            answer = calling.getresponse()
            answer.read()
            seen.statuses.append(answer.status)
            assert calling.sock is connection, "the gateway closed the connection"

    def recording(work: object) -> None:
        try:
            work()
        except (OSError, http.client.HTTPException, AssertionError) as error:
            seen.faults.append(repr(error))

    threads = [threading.Thread(target=recording, args=(work,), daemon=True) for work in (read, call)]
    for thread in threads:
        thread.start()
    wait_until(lambda: seen.events and seen.statuses, "traffic flows")
    yield seen
    before = len(seen.events), len(seen.statuses)
    wait_until(
        lambda: seen.faults or (len(seen.events) > before[0] and len(seen.statuses) > before[1]), "traffic goes on"
    )
    stop.set()
    for thread in threads:
        thread.join(timeout=20)
    streaming.close()
    calling.close()
    assert seen.faults == []
    assert seen.events == [f"data: {number}" for number in range(len(seen.events))]
    assert set(seen.statuses) == {200}
