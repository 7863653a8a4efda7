"""Who may call: one random token per client. The gateway gets only hashes."""

from __future__ import annotations

import hashlib

import pulumi
import pulumi_random as random

TOKEN_BYTES = 32


def token_hash(token: str) -> str:
    """SHA-256 of a token as 64 lower-case hex digits: what the gateway keeps."""
    return hashlib.sha256(token.encode()).hexdigest()


class ClientToken(pulumi.ComponentResource):
    """A client's bearer token: 64 lower-case hex digits of a cryptographic generator, a secret everywhere.

    `sha256` is not a secret: nothing about 256 random bits follows from their hash, and in clear it keeps the
    gateway's configuration readable in a preview.
    """

    token: pulumi.Output[str]
    sha256: pulumi.Output[str]

    def __init__(self, client: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:access:ClientToken", client, None, opts)
        value = random.RandomBytes(f"{client}-token", length=TOKEN_BYTES, opts=pulumi.ResourceOptions(parent=self))
        self.token = pulumi.Output.secret(value.hex)
        self.sha256 = pulumi.Output.unsecret(value.hex.apply(token_hash))
        self.register_outputs({"sha256": self.sha256})
