"""What to do with text that cannot be read."""

from pathlib import Path

from albert_keras.data.reading.utf8_lines import not_utf8


class BadText:
    """Fails at the first bad text, or counts and skips it.

    Args:
        skip: Whether to skip.

    Attributes:
        count: How many were skipped.
    """

    def __init__(self, skip: bool = False) -> None:
        self.skip = skip
        self.count = 0

    def report(self, message: str, cause: Exception | None = None) -> None:
        """Raises a `ValueError` with the message, or counts."""
        if not self.skip:
            raise ValueError(
                f"{message} Or pass `--on_bad_text skip` to leave such text "
                "out and count it."
            ) from cause
        self.count += 1

    def report_line(
        self, path: str | Path, number: int, cause: Exception
    ) -> None:
        """As `report`, of a line that is not UTF-8."""
        self.report(not_utf8(path, number, cause), cause)
