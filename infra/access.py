"""Who may call: random tokens of each client. The gateway gets only hashes."""

from __future__ import annotations

import hashlib

import pulumi
import pulumi_random as random
from pydantic import SecretStr

from infra.settings.clients import TokenSettings
from infra.settings.stack import StackSettings

TOKEN_BYTES = 32


def token_hash(token: str) -> str:
    """SHA-256 of a token as 64 lower-case hex digits: what the gateway keeps."""
    return hashlib.sha256(token.encode()).hexdigest()


def accepted_tokens(generated: list[str], given: SecretStr | None) -> list[str]:
    """The tokens that are accepted, the newest first: the generated ones, or the one that a person gave instead.

    A given one that is among the generated ones was only copied from them; it changes nothing.
    """
    if given is None or given.get_secret_value() in generated:
        return generated
    return [given.get_secret_value()]


class ClientToken(pulumi.ComponentResource):
    """A client's bearer tokens: 64 lower-case hex digits of a cryptographic generator, secret everywhere.

    While a rotation is under way there are two; `token` is the newest. `sha256`, one for each, newest first, are no
    secrets: nothing about 256 random bits follows from their hash, and in clear they keep the gateway's
    configuration readable in a preview.
    A token that a person `given` is the only one that is accepted, and `chosen` then says so.
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
            generated.apply(lambda known: accepted_tokens(known, given))
        )
        self.token = values.apply(lambda known: known[0])
        self.sha256 = pulumi.Output.unsecret(values.apply(lambda known: [token_hash(value) for value in known]))
        self.chosen = pulumi.Output.unsecret(
            pulumi.Output.all(generated, values).apply(lambda known: known[0] != known[1])
        )
        self.register_outputs({})


def client_tokens(settings: StackSettings, opts: pulumi.ResourceOptions | None = None) -> dict[str, ClientToken]:
    """The tokens of every client of a stack, by client."""
    return {
        client: ClientToken(client, settings.token(client), settings.given_tokens.get(client), opts)
        for client in settings.clients
    }


def _resource_name(client: str, generation: int) -> str:
    return f"{client}-token" if generation == 1 else f"{client}-token-{generation}"
