"""The output directory of a run."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from albert_keras.files.atomic_write import atomic_file
from albert_keras.files.directory_lock import LOCK_FILE, DirectoryLock
from albert_keras.files.run_layout import CHECKPOINTS, MODEL, SETTINGS_FILE
from albert_keras.files.strict_json import parse_json
from albert_keras.files.text_files import read_text
from albert_keras.training.runs.sagemaker_container import SageMakerContainer


class RunDirectory:
    """The directory of one run: settings, metrics and checkpoints.

    Args:
        path: The directory; it need not exist.
        checkpoints: Directory of the checkpoints. None is
            `/opt/ml/checkpoints` if that exists, because Amazon SageMaker
            preserves it when it reclaims a spot instance; otherwise
            `checkpoints` in `path`.
    """

    def __init__(
        self, path: str | Path, checkpoints: str | Path | None = None
    ) -> None:
        self.path = Path(path)
        preserved = SageMakerContainer().checkpoints
        if checkpoints is None and preserved.is_dir():
            checkpoints = preserved
        self.checkpoints = Path(checkpoints or self.path / CHECKPOINTS)
        self.settings_path = self.path / SETTINGS_FILE
        places = [self.path]
        if self.path not in self.checkpoints.parents:
            places.append(self.checkpoints)
        self._locks = [
            DirectoryLock(place, "A training run", take_over=True)
            for place in places
        ]

    def check_unused(self) -> None:
        """Raises a `ValueError` if another process writes to the run."""
        for lock in self._locks:
            lock.check()

    def lock(self) -> None:
        """Excludes other processes from the run, until `unlock`.

        Raises:
            ValueError: If another process writes to it; names the process.
        """
        try:
            for lock in self._locks:
                lock.acquire()
        except ValueError:
            self.unlock()
            raise

    def unlock(self) -> None:
        for lock in reversed(self._locks):
            lock.release()

    def model_directories(self) -> list[Path]:
        """Directories that get the finished model, besides its checkpoint.

        `model` in the run's directory if the checkpoints are elsewhere, and
        `/opt/ml/model` in a SageMaker job, which uploads it.
        """
        directories = []
        if self.path not in self.checkpoints.parents:
            directories.append(self.path / MODEL)
        container = SageMakerContainer()
        if container.runs_a_job:
            directories.append(container.model)
        return directories

    def check(
        self,
        settings: dict[str, Any],
        resume: bool,
        may_change: Collection[str] = (),
    ) -> None:
        """Checks that the directory is free, or holds this run to resume.

        Args:
            settings: The run's settings, by name.
            resume: Whether to continue a run in the directory.
            may_change: Names of settings that a resumed run may change.

        Raises:
            ValueError: If the directory holds something else or another run,
                or this run although `resume` is False.
        """
        if self.path.is_file():
            raise ValueError(f"{self.path} is a file. Pass a directory.")
        if not self.path.exists() or not any(
            path.name != LOCK_FILE for path in self.path.iterdir()
        ):
            return
        if not self.settings_path.is_file():
            raise ValueError(
                f"{self.path} holds something other than a run. Pass a new "
                "`output_dir`."
            )
        if not resume:
            raise ValueError(
                f"{self.path} already holds a run. Pass `resume=True` to "
                "continue it, or a new `output_dir`."
            )
        check_same_settings(
            self.path, self.read_settings(), settings, may_change
        )

    def write_settings(self, settings: dict[str, Any]) -> None:
        """Writes the settings, which claims the directory.

        One `name: value` per line, with values as JSON. This is YAML, so
        that `--config` with this file starts the same run again.
        """
        with atomic_file(self.settings_path, encoding="utf-8") as file:
            for name, value in settings.items():
                file.write(f"{name}: {json.dumps(value)}\n")

    def read_settings(self) -> dict[str, Any]:
        """Reads what `write_settings` wrote.

        Raises:
            ValueError: If the file is damaged.
        """
        try:
            text = read_text(self.settings_path)
            pairs = (line.split(": ", 1) for line in text.splitlines())
            return {name: parse_json(value) for name, value in pairs}
        except ValueError as error:
            raise ValueError(
                f"{self.settings_path} is damaged: {error}. Start a new run."
            ) from error


def check_same_settings(
    source: str | Path,
    earlier: dict[str, Any],
    now: dict[str, Any],
    may_change: Collection[str] = (),
) -> None:
    """Checks that a run has the settings that it was started with.

    Args:
        source: Where the earlier settings were read, for the message.
        earlier, now: Settings by name. Names in only one of them are not
            compared.
        may_change: Names that may differ.

    Raises:
        ValueError: If a setting differs.
    """
    changed = [
        f"{name}: {earlier[name]!r} then, {value!r} now"
        for name, value in now.items()
        if name not in may_change and name in earlier and earlier[name] != value
    ]
    if changed:
        raise ValueError(
            f"{source} was started with other settings: "
            f"{'; '.join(changed)}. Resume with the same settings, or start a "
            "new run."
        )
