"""Entry point: `python cli …` (what deploy.sh and deploy.cmd run), or `python -m cli …` with any Python."""

import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The program's own modules (stack.*) are imported as the Pulumi program imports them: from infra/.
sys.path[:1] = [str(ROOT), str(ROOT / "infra")]

if __name__ == "__main__":
    from cli import bootstrap

    # Whatever is missing in the virtual environment itself was removed from it.
    damaged = Path(sys.prefix).resolve() == bootstrap.VENV.resolve()
    if find_spec("typer") is None:
        sys.exit(bootstrap.main(damaged=damaged))
    try:
        from cli.entry import main
    except ModuleNotFoundError as error:
        if not damaged or (error.name or "").partition(".")[0] in ("cli", "stack", "toolchain"):
            raise
        sys.exit(bootstrap.main(damaged=True))
    main()
