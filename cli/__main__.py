"""Entry point: `python cli …` (what deploy.sh and deploy.cmd run), or `python -m cli …` with any Python."""

import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The program's own modules (stack.*) are imported as the Pulumi program imports them: from infra/.
sys.path[:1] = [str(ROOT), str(ROOT / "infra")]

if __name__ == "__main__":
    if find_spec("typer") is None:  # not the Python of the virtual environment
        from cli.bootstrap import main

        sys.exit(main())
    from cli.entry import main

    main()
