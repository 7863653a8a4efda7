"""Entry point of the command: `python cli/__main__.py` (what deploy.sh runs), `python -m cli`, or `dyber` when installed."""

import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run() -> None:
    """Run the command, after preparing the virtual environment if a package is missing."""
    try:
        from cli.entry import main
    except ModuleNotFoundError as error:
        # A missing module inside one of the project's packages is a fault of the program; installing cannot repair it.
        if (error.name or "").startswith(("cli.", "infra.", "toolchain.")):
            raise
        damaged = Path(sys.prefix).resolve() == (ROOT / ".venv").resolve()
        sys.exit(runpy.run_path(str(ROOT / "cli" / "bootstrap.py"))["main"](damaged=damaged))
    main()


if __name__ == "__main__":
    run()
