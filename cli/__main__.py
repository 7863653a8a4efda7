"""Entry point: `python cli …` (what deploy.sh and deploy.cmd run)."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The program's own modules (stack.*) are imported as the Pulumi program imports them: from infra/.
sys.path[:1] = [str(ROOT), str(ROOT / "infra")]

from cli.entry import main  # noqa: E402

if __name__ == "__main__":
    main()
