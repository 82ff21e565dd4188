"""The policy for text that cannot be read: raise, or skip and count."""

import collections
from pathlib import Path

from albert_keras.data.reading.utf8_lines import not_utf8


class BadText:
    """Raises at the first bad text, or skips and counts bad texts.

    Args:
        skip: Whether to skip bad text instead of raising.

    Attributes:
        count: Number of texts skipped.
        cuts: Number of times that a text was too long for one document, by
            path.
    """

    def __init__(self, skip: bool = False) -> None:
        self.skip = skip
        self.count = 0
        self.cuts: collections.Counter[str] = collections.Counter()

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

    def report_cut(self, path: str) -> None:
        """Counts a document that was cut because it is too long."""
        self.cuts[path] += 1

    def reset(self) -> None:
        """Sets the counts to 0."""
        self.count = 0
        self.cuts.clear()


def cut_warning(cuts: dict[str, int], limit: int) -> str:
    """Returns the warning that documents were cut.

    Args:
        cuts: Number of cuts by path, with at least one path.
        limit: Bytes per document.
    """
    path = max(cuts, key=lambda path: cuts[path])
    size = Path(path).stat().st_size if Path(path).is_file() else 0
    others = f" and {len(cuts) - 1:,} other files" if len(cuts) > 1 else ""
    return (
        f"{path} ({size / 1e6:,.1f} MB){others} have text without a blank "
        f"line for more than {limit / 1e6:.1f} MB; it was cut into documents "
        f"of that size, at line ends, {sum(cuts.values()):,} times. If that "
        "is not what you want, put a blank line between documents, or write "
        "each as one JSON line."
    )
