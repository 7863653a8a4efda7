"""Builds images with libfaketime, so that the clock of their programs can differ from the machine's.

Redis and Chromium do not start with the library, and it does not work for programs in Go: these keep the real clock.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

#: libfaketime reads this file every second. Every container may write to /tmp.
FILE = "/tmp/.clock"
LIBRARY = "/usr/local/lib/libfaketime.so.1"
#: Parts whose images are not changed.
REAL_CLOCK = ("cache", "monitoring")
#: A script that removes the library from Chromium's environment.
CHROMIUM = "/usr/local/bin/chromium-with-the-real-clock"
PREFIX = "dyber-chaos-clock-"
DOCKERFILE = f"""\
ARG IMAGE
FROM ${{IMAGE}}
USER 0
RUN apt-get update \\
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends libfaketime \\
    && rm -rf /var/lib/apt/lists/* \\
    && ln -s /usr/lib/*-linux-gnu/faketime/libfaketime.so.1 {LIBRARY} \\
    && printf '#!/bin/sh\\nunset LD_PRELOAD\\nexec /usr/bin/chromium "$@"\\n' > {CHROMIUM} \\
    && chmod 0755 {CHROMIUM}
ARG USER
USER ${{USER}}
ENV LD_PRELOAD={LIBRARY} FAKETIME_TIMESTAMP_FILE={FILE} FAKETIME_CACHE_DURATION=1 \\
    FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_RESET=1
"""


def build(name: str, image: str, folder: Path) -> str:
    """Build the variant of an image on the machine's own engine and return its reference."""
    (folder / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    reference = f"{PREFIX}{name}"
    user = subprocess.run(
        ["docker", "image", "inspect", "--format", "{{.Config.User}}", image],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    arguments = {"IMAGE": image, "USER": user or "0"}
    result = subprocess.run(
        ["docker", "build", "--tag", reference, *(f"--build-arg={key}={value}" for key, value in arguments.items()),
         str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if result.returncode:
        raise RuntimeError(f"{reference}: {result.stdout[-2000:]}{result.stderr[-2000:]}")
    return reference
