"""Runs the server of this service."""

from dyber_kit import run

from weibo_server.service import build_app

run(build_app())
