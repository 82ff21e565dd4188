"""Finds pretrained models in directories, archives and hubs."""

import contextlib
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from albert_keras.conversion import (
    google_checkpoint,
    huggingface,
    keras_format,
)
from albert_keras.files.run_layout import CHECKPOINTS, MODEL
from albert_keras.files.storage_errors import (
    StorageError,
    storage_errors_explained,
)

_HUGGING_FACE = "hf://"
_KERAS_HUB = re.compile(r"kaggle://.+|albert_\w+")
_ARCHIVES = (".tar.gz", ".tgz", ".tar")
_MAKE_ROOM = "Make room, or set {} to a directory on another disk."


@contextlib.contextmanager
def local_directory(source: str | Path) -> Iterator[Path]:
    """Yields a local directory with the pretrained model of a source.

    Args:
        source: A directory of any format; the output directory of a
            pretraining run; Google's `.tar.gz`; `hf://OWNER/NAME` or
            `hf://OWNER/NAME@REVISION` on the Hugging Face Hub; or the name of
            a KerasHub preset, such as `albert_base_en_uncased`.

    Raises:
        StorageError: If there is no room to unpack or download it.
        ValueError: If a hub cannot be reached or does not have the model, or
            the archive is damaged.
    """
    path = Path(source)
    if path.is_file() and path.name.endswith(_ARCHIVES):
        with tempfile.TemporaryDirectory() as temporary:
            yield _unpack(path, Path(temporary))
    elif str(source).startswith(_HUGGING_FACE):
        yield _from_hugging_face(str(source))
    elif not path.exists() and _KERAS_HUB.fullmatch(str(source)):
        with tempfile.TemporaryDirectory() as temporary:
            yield _from_keras_hub(str(source), Path(temporary))
    else:
        yield newest_model(path)


def newest_model(directory: Path) -> Path:
    """Returns the newest complete checkpoint of a run directory.

    If the checkpoints are elsewhere, returns the run's final model in
    `model`; if the directory is not a run's, returns the directory.
    """
    if (directory / keras_format.CONFIG_FILE).is_file():
        return directory
    checkpoints = [
        path.parent
        for path in directory.glob(
            f"{CHECKPOINTS}/*/{keras_format.CONFIG_FILE}"
        )
        if not path.parent.name.startswith(".")
    ]
    if checkpoints:
        return max(checkpoints, key=_step_of)
    final = directory / MODEL
    return final if (final / keras_format.CONFIG_FILE).is_file() else directory


def _step_of(checkpoint):
    numbers = re.findall(r"\d+", checkpoint.name)
    return int(numbers[-1]) if numbers else -1


def _unpack(archive, directory):
    """Extracts only the files of Google's release from an archive.

    Only the file name of each path is used, so that no path in the archive
    leads out of the directory.
    """
    wanted = re.compile(
        rf"{re.escape(google_checkpoint.CONFIG_FILE)}|.+\.model"
        r"|model\.ckpt.*\.(index|data-\d+-of-\d+)"
    )
    remedy = _MAKE_ROOM.format("TMPDIR")
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = Path(member.name).name
                content = member.isfile() and tar.extractfile(member)
                if content and wanted.fullmatch(name):
                    path = directory / name
                    with (
                        content,
                        storage_errors_explained(path, member.size, remedy),
                        open(path, "wb") as file,
                    ):
                        shutil.copyfileobj(content, file)
    except StorageError:
        raise
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise ValueError(
            f"{archive} is damaged: {error}. Download it again."
        ) from error
    if not google_checkpoint.recognizes(directory):
        raise ValueError(
            f"{archive} is not a release of ALBERT: it has no "
            f"{google_checkpoint.CONFIG_FILE}. Pass Google's .tar.gz, or a "
            "directory."
        )
    return directory


def _from_hugging_face(source):
    try:
        import huggingface_hub
    except ImportError as error:
        raise ValueError(
            f"{source} needs huggingface_hub. Install it: "
            "pip install huggingface_hub."
        ) from error
    repository, _, revision = source[len(_HUGGING_FACE) :].partition("@")
    cache = huggingface_hub.constants.HF_HUB_CACHE
    with _fetching(source, cache, "HF_HOME"):
        directory = huggingface_hub.snapshot_download(
            repository,
            revision=revision or None,
            allow_patterns=[*huggingface.FILES, "*.safetensors*"],
        )
    return Path(directory)


def _from_keras_hub(source, directory):
    try:
        import keras_hub
    except ImportError as error:
        raise ValueError(
            f"{source} is not a directory, and KerasHub, which may have a "
            "preset of this name, is missing: pip install keras-nlp."
        ) from error
    models = keras_hub.models
    known = models.AlbertBackbone.presets
    if "://" not in source and source not in known:
        raise ValueError(
            f"{source} is neither a directory nor one of KerasHub's presets: "
            f"{', '.join(sorted(known))}."
        )
    path = str(directory)
    with _fetching(source, path, "KAGGLEHUB_CACHE and TMPDIR"):
        models.AlbertBackbone.from_preset(source).save_to_preset(path)
        models.AlbertTokenizer.from_preset(source).save_to_preset(path)
    return directory


@contextlib.contextmanager
def _fetching(source, target, variable):
    """Explains the errors of a download.

    Args:
        source: What is downloaded.
        target: Directory of the download.
        variable: Environment variable that moves it to another disk.
    """
    try:
        remedy = _MAKE_ROOM.format(variable)
        with storage_errors_explained(target, remedy=remedy):
            yield
    except StorageError:
        raise
    except Exception as error:  # from the hub or the network
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise ValueError(
            f"{source} could not be fetched: {reason.rstrip('.')}. Without "
            "network access, pass the directory of a downloaded copy."
        ) from error
