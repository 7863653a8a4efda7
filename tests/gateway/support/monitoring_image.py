"""Builds the image of monitoring for tests."""

from __future__ import annotations

from pathlib import Path

from tests.gateway.support.docker_cli import LABEL, docker

FOLDER = Path(__file__).resolve().parents[3] / "monitoring"
BASE_IMAGE = "dyber-base:trixie"
IMAGE = "dyber-monitoring-test:latest"


def build() -> str:
    """Build the image, from the engine's cache where nothing changed, and return its name."""
    docker("build", "--label", LABEL, "--build-arg", f"BASE_IMAGE={BASE_IMAGE}", "--tag", IMAGE, str(FOLDER))
    return IMAGE
