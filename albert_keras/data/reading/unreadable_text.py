"""The policy for text that cannot be read: raise, or skip and count."""

from pathlib import Path

from albert_keras.data.reading.utf8_lines import not_utf8


class BadText:
    """Raises at the first bad text, or skips and counts bad texts.

    Args:
        skip: Whether to skip bad text instead of raising.

    Attributes:
        count: Number of texts skipped.
    """

    def __init__(self, skip: bool = False) -> None:
        self.skip = skip
        self.count = 0

    def report(self, message: str, cause: Exception | None = None) -> None:
        """Raises a `ValueError` with the message, or counts the text."""
        if not self.skip:
            raise ValueError(
                f'{message} Or pass `on_bad_text="skip"` to skip such text '
                "and count it."
            ) from cause
        self.count += 1

    def report_line(
        self, path: str | Path, number: int, cause: Exception
    ) -> None:
        """Calls `report` for a line that is not UTF-8."""
        self.report(not_utf8(path, number, cause), cause)
