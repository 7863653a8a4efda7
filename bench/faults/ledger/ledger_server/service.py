"""The ledger, a service with a tool that writes a new file each time it is called."""

from __future__ import annotations

import uuid
from typing import Annotated

from dyber_kit import ErrorCode, ServiceApp, ServiceError, Settings, create_app, tool
from pydantic import BaseModel, Field

NAME = "ledger"
DEFAULT_PORT = 8901


class WrittenEntry(BaseModel):
    """The entry that was written."""

    entry: str


def build_app(settings: Settings | None = None) -> ServiceApp:
    """Build the service's application; the default settings are those of the environment."""
    settings = settings or Settings.from_environment(DEFAULT_PORT)

    @tool(title="记一笔", read_only=False, open_world=False, idempotent=False)
    async def ledger_add(
        entry: Annotated[str, Field(description="Name of the entry", pattern="^[a-z0-9-]+$", max_length=100)],
    ) -> WrittenEntry:
        """Write an entry. Each call makes a new file, so that an entry that was written twice is noticed."""
        if settings.data_dir is None:
            raise ServiceError(ErrorCode.NOT_CONFIGURED, "没有数据目录")
        file = settings.data_dir / f"{entry}.{uuid.uuid4().hex}"
        try:
            # Too long to be stored in the file's inode, so that writing fails on a full disk.
            file.write_text(entry * 10, encoding="ascii")
        except OSError as error:
            file.unlink(missing_ok=True)
            raise ServiceError(ErrorCode.BUSY, f"写不进去：{error.strerror}") from error
        return WrittenEntry(entry=entry)

    return create_app(
        name=NAME,
        title="Ledger",
        version="1.0.0",
        instructions="ledger_add writes an entry.",
        tools=[ledger_add],
        settings=settings,
    )
