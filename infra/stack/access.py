"""Who may call: random tokens of each client. The gateway gets only hashes."""

from __future__ import annotations

import hashlib

import pulumi
import pulumi_random as random

from stack.client_settings import TokenSettings

TOKEN_BYTES = 32


def token_hash(token: str) -> str:
    """SHA-256 of a token as 64 lower-case hex digits: what the gateway keeps."""
    return hashlib.sha256(token.encode()).hexdigest()


class ClientToken(pulumi.ComponentResource):
    """A client's bearer tokens: 64 lower-case hex digits of a cryptographic generator, secret everywhere.

    While a rotation is under way there are two; `token` is the newest. `sha256`, one for each, newest first, are no
    secrets: nothing about 256 random bits follows from their hash, and in clear they keep the gateway's
    configuration readable in a preview.
    """

    token: pulumi.Output[str]
    sha256: pulumi.Output[list[str]]

    def __init__(self, client: str, settings: TokenSettings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:access:ClientToken", client, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        values = [
            random.RandomBytes(_resource_name(client, generation), length=TOKEN_BYTES, opts=child).hex
            for generation in settings.accepted
        ]
        self.token = pulumi.Output.secret(values[0])
        self.sha256 = pulumi.Output.all(*[pulumi.Output.unsecret(value.apply(token_hash)) for value in values])
        self.register_outputs({})


def _resource_name(client: str, generation: int) -> str:
    return f"{client}-token" if generation == 1 else f"{client}-token-{generation}"
