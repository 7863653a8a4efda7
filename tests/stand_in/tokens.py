"""The estimate of tokens that previews use, for tests of how long the services' schemas are."""

from cli.previews.tokens import SEEN, tokens, tokens_of

__all__ = ["SEEN", "tokens", "tokens_of"]
