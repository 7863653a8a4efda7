"""Runs the sender, or with `test [receiver]` sends a test message and prints what happened as JSON.

Environment: DYBER_ALERTS_FILE, the file with the receivers; PORT; PROMETHEUS_URL and ALERTMANAGER_URL for the test.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

from dyber_alerts import trial
from dyber_alerts.receivers import read_receivers
from dyber_alerts.serving import Sender, server

_HOST = "0.0.0.0"


def _serve() -> None:
    receivers = read_receivers(Path(os.environ["DYBER_ALERTS_FILE"]))
    running = server(Sender(receivers), _HOST, int(os.environ["PORT"]))
    # `shutdown` waits for the loop that this thread runs.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=running.shutdown).start())
    running.serve_forever()
    running.server_close()


def _test(chosen: str | None) -> None:
    result = trial.run(
        os.environ["PROMETHEUS_URL"],
        os.environ["ALERTMANAGER_URL"],
        f"http://127.0.0.1:{os.environ['PORT']}",
        chosen,
    )
    print(json.dumps(result, ensure_ascii=False))


if __name__ == "__main__":
    if sys.argv[1:2] == ["test"]:
        _test(sys.argv[2] if len(sys.argv) > 2 else None)
    else:
        _serve()
