"""Verifies access tokens of identity providers for the gateway, which asks once per token and keeps the outcome."""
