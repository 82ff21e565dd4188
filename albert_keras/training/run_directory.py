"""The output directory of a run."""

import json
from pathlib import Path

from albert_keras.atomic_write import atomic_file

SETTINGS_FILE = "settings.json"
CHECKPOINTS = "checkpoints"


class RunDirectory:
    """A directory that holds one run: settings, metrics, checkpoints.

    Args:
        path: The directory; it need not exist.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.checkpoints = self.path / CHECKPOINTS
        self.settings_path = self.path / SETTINGS_FILE

    def check(self, settings, resume, may_change=()):
        """Raises unless the directory is free, or holds this run to resume.

        Args:
            settings: Dictionary of the run's settings.
            resume: Whether a run in the directory is to be gone on with.
            may_change: Names of settings that a resumed run may change.

        Raises:
            ValueError: If something else is there, or another run, or this
                one but `resume` is not set.
        """
        if self.path.is_file():
            raise ValueError(f"{self.path} is a file. Pass a directory.")
        if not self.path.exists() or not any(self.path.iterdir()):
            return
        if not self.settings_path.is_file():
            raise ValueError(
                f"{self.path} holds something other than a run. Pass a new "
                "--output_dir."
            )
        if not resume:
            raise ValueError(
                f"{self.path} already holds a run. Pass --resume to go on "
                "with it, or a new --output_dir."
            )
        earlier = json.loads(self.settings_path.read_text(encoding="utf-8"))
        changed = [
            f"{name}: {earlier.get(name)!r} then, {value!r} now"
            for name, value in settings.items()
            if name not in may_change and earlier.get(name) != value
        ]
        if changed:
            raise ValueError(
                f"{self.path} was started with other settings: "
                f"{'; '.join(changed)}. Resume with the same, or start a new "
                "run."
            )

    def write_settings(self, settings):
        """Records the settings, which claims the directory."""
        with atomic_file(self.settings_path, encoding="utf-8") as file:
            json.dump(settings, file, indent=2)
