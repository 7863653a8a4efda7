"""Makes the packages of the services, the hub, the console and monitoring importable: their folders are no part of the distribution."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVERS = ROOT / "mcp-servers"
HUB = ROOT / "hub"
CONSOLE = ROOT / "console"
MONITORING = ROOT / "monitoring"


def make_importable() -> None:
    """Put the folders of the hub, the console and monitoring, each service's folder, and the folder of its tests, on the
    import path."""
    sys.path += [str(HUB), str(CONSOLE), str(MONITORING)]
    for spec in sorted(SERVERS.glob("*/service.yaml")):
        sys.path += [str(spec.parent), str(spec.parent / "tests")]
