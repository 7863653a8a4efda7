"""The folder in which set-up keeps everything it makes: one per user, outside the checkout."""

from __future__ import annotations

import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_dir

from toolchain.damage import make_folder


@dataclass(frozen=True)
class DyberHome:
    """Paths under DYBER_HOME (default: the user's data folder). Reading a path creates nothing."""

    root: Path

    @classmethod
    def from_environment(cls) -> DyberHome:
        """Return the folder that DYBER_HOME names, else the platform's data folder for `dyber`."""
        chosen = os.environ.get("DYBER_HOME")
        return cls(Path(chosen).expanduser().absolute() if chosen else Path(user_data_dir("dyber", appauthor=False)))

    @property
    def bin(self) -> Path:
        """Folder of the commands that set-up installed; it is put in front of PATH."""
        return self.root / "bin"

    @property
    def tools(self) -> Path:
        """Folder with one subfolder for each installed version of a tool; `bin` links into it."""
        return self.root / "tools"

    @property
    def pulumi_home(self) -> Path:
        """Folder that `pulumi` uses as PULUMI_HOME."""
        return self.root / "pulumi"

    @property
    def plugins(self) -> Path:
        """Folder in which Pulumi's plugins are installed."""
        return self.pulumi_home / "plugins"

    @property
    def state(self) -> Path:
        """Folder of the stacks' state when the user has chosen no other backend."""
        return self.root / "state"

    @property
    def passphrase_file(self) -> Path:
        """The file with the passphrase that encrypts secrets in the state."""
        return self.root / "passphrase"

    @property
    def build(self) -> Path:
        """Folder of unfinished work and caches; it may be deleted whenever no set-up runs."""
        return self.root / "build"

    @property
    def locks(self) -> Path:
        """Folder of the locks of set-up."""
        return self.root / "locks"

    @property
    def logs(self) -> Path:
        """Folder of the logs of set-up and of crashes."""
        return self.root / "logs"

    def create(self) -> None:
        """Make the folders. Only the owner may read the root, as it holds state and a passphrase."""
        self.root.mkdir(parents=True, exist_ok=True)
        if os.name == "posix":
            self.root.chmod(0o700)
        for folder in (self.bin, self.tools, self.pulumi_home, self.plugins, self.build, self.locks, self.logs):
            make_folder(folder)
        # Nothing in its place is set aside: it may be somebody's state.
        self.state.mkdir(parents=True, exist_ok=True)

    def has_passphrase(self) -> bool:
        """Tell whether the passphrase file holds a usable passphrase.

        A power cut can leave an empty file, or one of zero bytes.
        """
        try:
            text = self.passphrase_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return False
        return bool(text) and "\0" not in text

    def ensure_passphrase(self) -> Path:
        """Return the path of the passphrase file. It is made once, random and with mode 0600, and never overwritten."""
        self.root.mkdir(parents=True, exist_ok=True)
        path = self.passphrase_file
        # Written to a draft first, so that neither a killed run nor a power cut leaves an empty passphrase.
        descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=self.root)  # 0600
        draft = Path(name)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return path
