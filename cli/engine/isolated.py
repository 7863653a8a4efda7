"""Runs a command in a container of its own, without rights, a way to change its image or, by default, a network."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from cli.engine import engine, images, moments, processes
from cli.engine.errors import NotOnEngine
from infra.parts.data_volumes import DATA_FOLDER

#: The folder where the command finds the files that it is given.
FOLDER = "/sources"


def run(
    image: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    files: bytes | None = None,
    *,
    data: int | None = None,
    seconds: float = 120,
    network: str = "none",
) -> str:
    """Run a command in a new container of an image and return its standard output.

    `data` is the user that gets a folder for data in memory, if any. `files` is a tar with files that the command
    finds in FOLDER. `network` is a network of the engine. An image that the engine does not have is pulled.
    Raises CommandFailed when the exit code is not 0, and EngineError.
    """
    try:
        images.identity(image)
    except NotOnEngine:
        images.pull(image)
    name = f"dyber-isolated-{secrets.token_hex(6)}"
    with moments.put_back_afterwards(["rm", "--force", "--volumes", name]):
        with engine.asking() as client:
            client.create_container(
                image,
                list(command),
                name=name,
                labels={"dyber.helper": "isolated"},
                environment=dict(environment),
                # A container whose own files are read-only takes files only into a volume, which is removed with it.
                volumes=None if files is None else [FOLDER],
                host_config=client.create_host_config(
                    network_mode=network,
                    read_only=True,
                    tmpfs={"/tmp": "", **({} if data is None else {DATA_FOLDER: f"uid={data},gid={data}"})},
                    cap_drop=["ALL"],
                    security_opt=["no-new-privileges:true"],
                    mem_limit="1g",
                    log_config=processes.LOG_CONFIG,
                ),
            )
        if files is not None:
            with engine.asking() as client:
                client.put_archive(name, FOLDER, files)
        processes.run_to_end(name, seconds=seconds)
        return processes.output(name)
