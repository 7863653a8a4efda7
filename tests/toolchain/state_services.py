"""What keeps state and secrets, on 127.0.0.1: a PostgreSQL in a container, and an S3 and a KMS in this process."""

from __future__ import annotations

import hashlib
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
import httpx2
from moto.server import ThreadedMotoServer

LABEL = "dyber.test=state"
BASE_IMAGE = "dyber-base:trixie"
#: With a character that a URL has to have encoded.
PASSWORD = "s3cret/of the state"
REGION = "eu-central-1"
BUCKET = "states"

_DOCKERFILE = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN export DEBIAN_FRONTEND=noninteractive \\
    && apt-get update \\
    && apt-get install --yes --no-install-recommends postgresql \\
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
USER postgres
"""
_START = """\
set -e
cd /tmp
bin=$(echo /usr/lib/postgresql/*/bin)
echo "$PASSWORD" > password
$bin/initdb -D data -U dyber --auth=scram-sha-256 --pwfile=password >/dev/null
echo "host all all all scram-sha-256" >> data/pg_hba.conf
exec $bin/postgres -D data -c listen_addresses='*' -c unix_socket_directories=/tmp -c fsync=off
"""


@dataclass(frozen=True)
class Postgres:
    """A server whose user is `dyber`, with PASSWORD, and whose one database is `postgres`."""

    port: int

    def url(self, user: str = "dyber", database: str = "postgres", query: str = "?sslmode=disable") -> str:
        """Without the password, which PGPASSWORD brings."""
        return f"postgres://{user}@127.0.0.1:{self.port}/{database}{query}"


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Gone, with all that it holds, on leaving."""
    name = f"dyber-state-{uuid.uuid4().hex[:8]}"
    docker(
        "run", "--detach", "--name", name, "--label", LABEL, "--publish=127.0.0.1::5432", "--tmpfs=/tmp",
        "--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=256m", "--env", f"PASSWORD={PASSWORD}",
        _image(), "sh", "-c", _START,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while "database system is ready to accept connections" not in (log := docker("logs", name)):
            assert time.monotonic() < deadline, log
            time.sleep(0.1)
        yield Postgres(int(docker("port", name, "5432/tcp").rsplit(":", 1)[1]))
    finally:
        docker("rm", "--force", "--volumes", name)


@dataclass(frozen=True)
class Cloud:
    """An S3 with BUCKET, and a KMS with one key called `alias/dyber`."""

    endpoint: str

    @property
    def state(self) -> str:
        """The bucket as a backend."""
        return self.bucket(BUCKET)

    def bucket(self, name: str) -> str:
        return f"s3://{name}?endpoint={self.endpoint}&s3ForcePathStyle=true&region={REGION}"

    def key(self, name: str = "alias/dyber") -> str:
        """A key as a secrets provider."""
        return f"awskms://{name}?region={REGION}&endpoint={self.endpoint}"

    @contextmanager
    def asking_for_credentials(self) -> Iterator[None]:
        """Only known ones are taken meanwhile; there are none."""
        self._free_requests(0)
        try:
            yield
        finally:
            self._free_requests(10**9)

    def _free_requests(self, number: int) -> None:
        httpx2.post(
            f"{self.endpoint}/moto-api/reset-auth", content=str(number), headers={"Content-Type": "text/plain"}
        ).raise_for_status()


#: Any will do, unless they are asked for.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "of these", "AWS_EC2_METADATA_DISABLED": "true"}


@contextmanager
def cloud() -> Iterator[Cloud]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        found = Cloud(f"http://{host}:{port}")
        session = boto3.Session("any", "of these", region_name=REGION)
        place = {"LocationConstraint": REGION}
        session.client("s3", endpoint_url=found.endpoint).create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
        keys = session.client("kms", endpoint_url=found.endpoint)
        keys.create_alias(AliasName="alias/dyber", TargetKeyId=keys.create_key()["KeyMetadata"]["KeyId"])
        yield found
    finally:
        server.stop()


def docker(*arguments: str, stdin: str = "") -> str:
    """Both outputs. Raises AssertionError with them when the command fails."""
    done = subprocess.run(
        ["docker", *arguments], input=stdin, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stdout}"
    return done.stdout.strip()


def _image() -> str:
    """The image with Debian's PostgreSQL, built once per base image."""
    base = docker("inspect", "--format", "{{.Id}}", BASE_IMAGE)
    tag = f"dyber-postgres-test:{hashlib.sha256((base + _DOCKERFILE).encode()).hexdigest()[:16]}"
    if not docker("images", "--quiet", tag):
        docker(
            "build", "--label", LABEL, "--build-arg", f"BASE_IMAGE={BASE_IMAGE}", "--tag", tag, "-", stdin=_DOCKERFILE
        )
    return tag
