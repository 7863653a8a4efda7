"""Declares the random tokens of the clients. The gateway gets only their hashes."""

from __future__ import annotations

import hashlib

import pulumi
import pulumi_random as random
from pydantic import SecretStr

from infra.settings.clients import TokenSettings
from infra.settings.stack import StackSettings

TOKEN_BYTES = 32


def token_hash(token: str) -> str:
    """Return the SHA-256 of a token as 64 lower-case hex digits, which is what the gateway gets."""
    return hashlib.sha256(token.encode()).hexdigest()


def accepted_tokens(generated: list[str], given: SecretStr | None) -> list[str]:
    """Return the tokens that are accepted, the newest first: the generated tokens, or the token that a person gave.

    A given token that equals a generated one was copied from the outputs, so it changes nothing.
    """
    if given is None or given.get_secret_value() in generated:
        return generated
    return [given.get_secret_value()]


class ClientToken(pulumi.ComponentResource):
    """Creates the bearer tokens of a client: 64 lower-case hex digits from a cryptographic generator, always secret.

    During a rotation there are two tokens; `token` is the newest. `sha256` has the hash of each, the newest first. The
    hashes are not secret: they tell nothing about 256 random bits, and in clear text they keep the gateway's
    configuration readable in a preview.
    If a person chose a token (`given`), only that one is accepted, and `chosen` is true.
    """

    token: pulumi.Output[str]
    sha256: pulumi.Output[list[str]]
    chosen: pulumi.Output[bool]

    def __init__(
        self,
        client: str,
        settings: TokenSettings,
        given: SecretStr | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("dyber:access:ClientToken", client, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        generated = pulumi.Output.all(
            *[
                random.RandomBytes(_resource_name(client, generation), length=TOKEN_BYTES, opts=child).hex
                for generation in settings.accepted
            ]
        )
        values: pulumi.Output[list[str]] = pulumi.Output.secret(
            generated.apply(lambda tokens: accepted_tokens(tokens, given))
        )
        self.token = values.apply(lambda tokens: tokens[0])
        self.sha256 = pulumi.Output.unsecret(values.apply(lambda tokens: [token_hash(token) for token in tokens]))
        self.chosen = pulumi.Output.unsecret(
            pulumi.Output.all(generated, values).apply(lambda tokens: tokens[0] != tokens[1])
        )
        self.register_outputs({})


def client_tokens(settings: StackSettings, opts: pulumi.ResourceOptions | None = None) -> dict[str, ClientToken]:
    """Declare the tokens of every client of the stack; return them by client."""
    return {
        client: ClientToken(client, settings.token(client), settings.given_tokens.get(client), opts)
        for client in settings.clients
    }


def _resource_name(client: str, generation: int) -> str:
    return f"{client}-token" if generation == 1 else f"{client}-token-{generation}"
