"""The ledger: one tool that writes, and leaves a file of its own for each time that it is called."""

from __future__ import annotations

import uuid
from typing import Annotated

from dyber_kit import ErrorCode, ServiceApp, ServiceError, Settings, create_app, tool
from pydantic import BaseModel, Field

NAME = "ledger"
DEFAULT_PORT = 8003


class Kept(BaseModel):
    """What was written."""

    entry: str


def build_app(settings: Settings | None = None) -> ServiceApp:
    """The service's application; settings default to the environment."""
    settings = settings or Settings.from_environment(DEFAULT_PORT)

    @tool(title="记一笔", read_only=False, open_world=False, idempotent=False)
    async def ledger_add(
        entry: Annotated[str, Field(description="Name of the entry", pattern="^[a-z0-9-]+$", max_length=100)],
    ) -> Kept:
        """Keep an entry. Each call makes another file, so that an entry that was kept twice is seen."""
        if settings.data_dir is None:
            raise ServiceError(ErrorCode.NOT_CONFIGURED, "没有数据目录")
        file = settings.data_dir / f"{entry}.{uuid.uuid4().hex}"
        try:
            # More than fits into a folder's own blocks: on a full disk nothing is kept.
            file.write_text(entry * 10, encoding="ascii")
        except OSError as error:
            file.unlink(missing_ok=True)
            raise ServiceError(ErrorCode.BUSY, f"写不进去：{error.strerror}") from error
        return Kept(entry=entry)

    return create_app(
        name=NAME,
        title="Ledger",
        version="1.0.0",
        instructions="ledger_add keeps an entry.",
        tools=[ledger_add],
        settings=settings,
    )
