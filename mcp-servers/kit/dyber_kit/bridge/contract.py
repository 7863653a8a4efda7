"""Makes the contract of a foreign server from what it lists itself, without any real secret.

`python -m dyber_kit.bridge.contract` starts the server of DYBER_BRIDGE_FILE and prints the contract; `--write FILE` writes
it to a file, `--check FILE` compares them, and `--era` prints which era of the protocol the server speaks. What the lock
so far leaves out, in FILE or else in DYBER_LOCK_FILE, is left out again. What was repaired or is not served is said in
lines that begin with `# ` behind the printed contract, and with a FILE as errors.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from dyber_kit.bridge.app import make_endpoint
from dyber_kit.bridge.link import About, HandshakeError, Link
from dyber_kit.bridge.listing import Listing, Lock, like_locked, read_all
from dyber_kit.bridge.masking import Masker
from dyber_kit.bridge.metrics import BridgeMetrics
from dyber_kit.bridge.offers import OFFER_KINDS, OfferKind
from dyber_kit.bridge.settings import (
    DEFAULT_LOCK_FILE,
    LOCK_FILE_SETTING,
    PLACEHOLDER,
    BridgeSettings,
    Era,
    Values,
    read_settings,
)
from dyber_kit.bridge.transports.child_log import ChildLog
from dyber_kit.contract import digest, render
from dyber_kit.language import tr
from dyber_kit.observing.metrics import Metrics
from dyber_kit.settings import Settings

#: What a line with a note about the list begins with; the deployment knows it too (infra/services/contract.py).
NOTE = "# "
# A server that does not know the question may not answer it at all.
_ERA_SECONDS = 10.0


async def foreign_contract(
    settings: BridgeSettings, *, lock: Lock | None = None, placeholder: str | None = PLACEHOLDER
) -> tuple[dict[str, Any], Listing]:
    """Start a foreign server, and return its contract and what was repaired or refused in its list.

    Args:
        settings: How it is started or reached.
        lock: The contract so far; an output schema that it leaves out is left out again.
        placeholder: Stands for every secret; None to use the real ones.

    Raises:
        HandshakeError: The server could not be started, or did not list its tools; the message has its last line.
    """
    about, listing = await _listed(settings, placeholder)
    locked = lock.tools if lock else {}
    tools = {}
    for name, visible in listing.tools.items():
        shown = like_locked(visible, locked.get(name))
        tools[name] = {"sha256": digest(shown), **shown}
    others = _others(None if "instructions" in settings.leave_out else about.instructions, listing)
    contract = {"service": settings.service, "sha256": digest({"tools": tools, **others} if others else tools)}
    before = {"instructions": others.pop("instructions")} if "instructions" in others else {}
    return {**contract, **before, "tools": tools, **others}, listing


def _others(instructions: str | None, listing: Listing) -> dict[str, Any]:
    """Return what the contract has beside tools; only what the server has."""
    others: dict[str, Any] = {"instructions": instructions}
    for kind in OFFER_KINDS:
        offers = listing.offers.get(kind, {})
        others[kind] = {name: {"sha256": digest(offer), **offer} for name, offer in offers.items()}
    others["completions"] = list(listing.completions)
    return {key: value for key, value in others.items() if value}


async def era_of(settings: BridgeSettings, placeholder: str | None = PLACEHOLDER) -> Era:
    """Return the era that a foreign server speaks, found on a server that is thrown away afterwards.

    Raises:
        HandshakeError: The server speaks neither.
    """
    modern = settings.model_copy(
        update={"era": "modern", "startup_seconds": min(settings.startup_seconds, _ERA_SECONDS)}
    )
    try:
        await _listed(modern, placeholder)
        return "modern"
    except HandshakeError:
        await _listed(settings.model_copy(update={"era": "legacy"}), placeholder)
        return "legacy"


async def _listed(settings: BridgeSettings, placeholder: str | None) -> tuple[About, Listing]:
    values = Values(settings, placeholder)
    masker = Masker(values.secrets.values())
    log = ChildLog(masker)
    try:
        with anyio.fail_after(settings.startup_seconds):
            async with _linked(settings, values, masker, log) as link:
                about = await link.handshake()
                return about, read_all(await link.list_all(), settings.leave_out)
    except Exception as error:
        raise HandshakeError(unlisted_reason(settings, error, masker, log)) from error


@asynccontextmanager
async def _linked(settings: BridgeSettings, values: Values, masker: Masker, log: ChildLog) -> AsyncIterator[Link]:
    metrics = BridgeMetrics(Metrics(settings.service))
    data_dir = Settings.from_environment().data_dir
    async with make_endpoint(settings, values, metrics, data_dir).open(log) as connected:
        link = Link(connected.read, connected.write, settings.era, masker, metrics, is_http=connected.is_http)
        async with anyio.create_task_group() as tasks:
            await tasks.start(link.run)
            yield link
            tasks.cancel_scope.cancel()


def unlisted_reason(settings: BridgeSettings, error: BaseException, masker: Masker, log: ChildLog) -> str:
    """Return why a server could not be listed, with the last lines that it wrote, and without secrets."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        reason = tr("the server did not list its tools within {seconds:g} s", seconds=settings.startup_seconds)
    else:
        reason = tr(
            "the server did not list its tools: {detail}", detail=masker.text(str(error)) or type(error).__name__
        )
    return "\n".join([reason, *log.last_lines])


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 1 for a difference from `--check`, 2 when the server cannot be listed."""
    parser = argparse.ArgumentParser(prog="python -m dyber_kit.bridge.contract", description=__doc__)
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--write", type=Path, metavar="FILE")
    target.add_argument("--check", type=Path, metavar="FILE")
    target.add_argument("--era", action="store_true")
    parser.add_argument(
        "--secrets", action="store_true", help="use the real secrets, which remote servers may need; not placeholders"
    )
    options = parser.parse_args(arguments)
    logging.getLogger("dyber").setLevel(logging.CRITICAL)  # What the child says is in the error.
    placeholder = None if options.secrets else PLACEHOLDER
    file: Path | None = options.write or options.check
    try:
        settings = read_settings()
        if options.era:
            print(asyncio.run(era_of(settings, placeholder)))
            return 0
        kept = file or Path(os.environ.get(LOCK_FILE_SETTING) or DEFAULT_LOCK_FILE)
        lock = Lock.read(kept) if kept.exists() else None
        contract, listing = asyncio.run(foreign_contract(settings, lock=lock, placeholder=placeholder))
    except (ValueError, HandshakeError) as error:
        print(error, file=sys.stderr)
        return 2
    is_printed = file is None
    code = _deliver(render(contract), options.write, options.check)
    for note in _notes(listing):
        # Who reads the contract finds the notes after it; the contract ends with the line `}`.
        print(f"{NOTE}{' '.join(note.split())}" if is_printed else note, file=sys.stdout if is_printed else sys.stderr)
    return code


def _notes(listing: Listing) -> Iterator[str]:
    """Yield a sentence for everything in a list that was repaired, or is not served."""
    for name in listing.repaired:
        yield tr("tool {name}: its input schema is none and was replaced", name=name)
    for name, reason in listing.refused:
        yield tr("tool {name} is not served: {reason}", name=name, reason=reason)
    for kind, entries in listing.refused_offers.items():
        for name, reason in entries:
            yield _not_served(kind, name, reason)


def _not_served(kind: OfferKind, name: str, reason: str) -> str:
    if kind == "prompts":
        return tr("prompt {name} is not served: {reason}", name=name, reason=reason)
    return tr("resource {name} is not served: {reason}", name=name, reason=reason)


def _deliver(actual: str, write: Path | None, check: Path | None) -> int:
    if write is not None:
        write.write_text(actual, encoding="utf-8")
        return 0
    if check is None:
        sys.stdout.write(actual)
        return 0
    kept = check.read_text(encoding="utf-8") if check.exists() else ""
    difference = "".join(difflib.unified_diff(kept.splitlines(True), actual.splitlines(True), str(check), "tools now"))
    sys.stdout.write(difference)
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())
