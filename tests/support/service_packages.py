"""Makes the packages of the services importable: a service is a folder of its own, not a part of the distribution."""

import sys
from pathlib import Path

SERVERS = Path(__file__).resolve().parents[2] / "mcp-servers"


def make_importable() -> None:
    """Put each service's folder, and the folder of its tests, on the import path."""
    for spec in sorted(SERVERS.glob("*/service.yaml")):
        sys.path += [str(spec.parent), str(spec.parent / "tests")]
