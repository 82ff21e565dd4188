"""The errors and warnings that a recipe prints name its flags."""

import dataclasses
import errno
import logging
import warnings

import pytest

from albert_keras.files.atomic_write import atomic_file
from albert_keras.workflows.settings.parse_settings import run_recipe

_logger = logging.getLogger("albert_keras.anything")


@dataclasses.dataclass(frozen=True)
class Settings:
    """A recipe."""

    text_field: str = "text"
    """A field."""

    on_bad_text: str = "fail"
    """A choice."""


MESSAGE = 'Pass `text_field`, or `on_bad_text="skip"`: 100%.'
SHOWN = "prepare_corpus: Pass --text_field, or --on_bad_text skip: 100%."


def test_warnings_name_flags_like_errors(caplog):
    def warn(settings):
        _logger.warning("%s", MESSAGE)
        logging.getLogger("elsewhere").warning("`text_field`")
        for category in (UserWarning, FutureWarning):
            shown.append(warnings.formatwarning(MESSAGE, category, "f.py", 1))

    shown = []
    run_recipe("prepare_corpus", warn, Settings, [])
    assert caplog.messages == [SHOWN, "`text_field`"]
    assert shown[0] == f"{SHOWN}\n"
    assert shown[1].startswith(f"f.py:1: FutureWarning: {MESSAGE}\n")
    _logger.warning("`text_field` afterwards")
    assert caplog.messages[-1] == "`text_field` afterwards"


def test_a_full_disk_ends_a_recipe_with_one_line(tmp_path):
    def write(settings):
        with atomic_file(tmp_path / "scores.json"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(
        SystemExit, match="recipe: .*scores.json cannot be .* is full.*room"
    ):
        run_recipe("recipe", write, Settings, [])
    assert not list(tmp_path.iterdir())
