"""Runs backends and key services on 127.0.0.1: PostgreSQL in a container, S3 and KMS in this process."""

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
#: Contains characters that have to be encoded in a URL.
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
    """A server with the user `dyber`, whose password is PASSWORD, and the database `postgres`."""

    port: int

    def url(self, user: str = "dyber", database: str = "postgres", query: str = "?sslmode=disable") -> str:
        """Return the URL, without the password, which is in PGPASSWORD."""
        return f"postgres://{user}@127.0.0.1:{self.port}/{database}{query}"


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a PostgreSQL; it is removed with its data afterwards."""
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
    """An S3 service with BUCKET, and a KMS with a key called `alias/dyber`."""

    endpoint: str

    @property
    def state(self) -> str:
        """The URL of the bucket as a backend."""
        return self.bucket(BUCKET)

    def bucket(self, name: str) -> str:
        return f"s3://{name}?endpoint={self.endpoint}&s3ForcePathStyle=true&region={REGION}"

    def key(self, name: str = "alias/dyber") -> str:
        """Return the URL of a key as a secrets provider."""
        return f"awskms://{name}?region={REGION}&endpoint={self.endpoint}"

    @contextmanager
    def requiring_credentials(self) -> Iterator[None]:
        """Refuse all credentials during the block, as the services know none."""
        self._allow_unauthenticated(0)
        try:
            yield
        finally:
            self._allow_unauthenticated(10**9)

    def _allow_unauthenticated(self, number: int) -> None:
        httpx2.post(
            f"{self.endpoint}/moto-api/reset-auth", content=str(number), headers={"Content-Type": "text/plain"}
        ).raise_for_status()


#: The services accept any credentials, except in Cloud.requiring_credentials.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "of these", "AWS_EC2_METADATA_DISABLED": "true"}


@contextmanager
def cloud() -> Iterator[Cloud]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        running = Cloud(f"http://{host}:{port}")
        session = boto3.Session("any", "of these", region_name=REGION)
        location = {"LocationConstraint": REGION}
        session.client("s3", endpoint_url=running.endpoint).create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration=location
        )
        keys = session.client("kms", endpoint_url=running.endpoint)
        keys.create_alias(AliasName="alias/dyber", TargetKeyId=keys.create_key()["KeyMetadata"]["KeyId"])
        yield running
    finally:
        server.stop()


def docker(*arguments: str, stdin: str = "") -> str:
    """Run `docker` and return both outputs. Raises AssertionError with them if it fails."""
    done = subprocess.run(
        ["docker", *arguments], input=stdin, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stdout}"
    return done.stdout.strip()


def _image() -> str:
    """Return the image with Debian's PostgreSQL, which is built once per base image."""
    base = docker("inspect", "--format", "{{.Id}}", BASE_IMAGE)
    tag = f"dyber-postgres-test:{hashlib.sha256((base + _DOCKERFILE).encode()).hexdigest()[:16]}"
    if not docker("images", "--quiet", tag):
        docker(
            "build", "--label", LABEL, "--build-arg", f"BASE_IMAGE={BASE_IMAGE}", "--tag", tag, "-", stdin=_DOCKERFILE
        )
    return tag
