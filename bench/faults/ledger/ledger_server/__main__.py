from dyber_kit import run

from ledger_server.service import build_app

run(build_app())
