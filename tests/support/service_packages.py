"""Makes the packages of the services and of the hub importable: their folders are no part of the distribution."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVERS = ROOT / "mcp-servers"
HUB = ROOT / "hub"


def make_importable() -> None:
    """Put the hub's folder, each service's folder, and the folder of its tests, on the import path."""
    sys.path.append(str(HUB))
    for spec in sorted(SERVERS.glob("*/service.yaml")):
        sys.path += [str(spec.parent), str(spec.parent / "tests")]
