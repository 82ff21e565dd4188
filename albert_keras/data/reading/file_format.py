"""Recognizes the format of a file by its content, not by its name."""

import csv
import json
import re
from pathlib import Path

from albert_keras.data.reading.compressed_files import read_head
from albert_keras.files.text_files import UTF8_MARK, utf16_message

_HEAD = 1 << 16  # bytes of content to look at
_SUFFIXES = {
    ".jsonl": "json_lines",
    ".ndjson": "json_lines",
    ".json": "json_lines",
    ".parquet": "parquet",
}
_COMPRESSED_SUFFIXES = (".gz", ".bz2", ".zst", ".xz")
_BINARY = (
    (b"PK\x03\x04", "a ZIP archive (or an Office document)", "Unpack it"),
    (b"%PDF-", "a PDF document", "Extract its text, e.g. with pdftotext"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it"),
    (b"SQLite format 3\0", "an SQLite database", "Export its text"),
    (b"ARROW1", "an Arrow file", "Write it as Parquet"),
)
_KEY = r'"(?:[^"\\]|\\.)*"\s*'
_OBJECT = re.compile(r"\s*\{\s*" + _KEY + ":")
_ARRAY = re.compile(
    rf"\s*\[\s*(?:\{{\s*{_KEY}:|\[\s*\"|{_KEY}(?:\]|,\s*\"))", re.DOTALL
)
_WIKIPEDIA = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?<(?:mediawiki|page)\b")
_XML = re.compile(r"\s*<\?xml\b")
_COMMENTS = re.compile(r"\s*(?:<!--.*?-->\s*)+", re.DOTALL)
_HTML = re.compile(r"\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_TAG = re.compile(
    r"\s*<(?:a|article|br|div|h[1-6]|hr|img|li|link|meta|ol|p|pre|script|"
    r"section|span|style|table|title|ul)\b[^<>]*>",
    re.IGNORECASE,
)
_END_TAG = re.compile(r"</[a-zA-Z][a-zA-Z0-9]*>")
_COLUMN_NAME = re.compile(r"[^\W\d](?:[\w .:()/-]{0,38}[\w)])?")
_TABLE_LINES = 200  # lines to look at
_TABLE_ROWS = 3  # rows that make a table, column names included
_TABLE_ROWS_WITHOUT_NAMES = 5


def detect_format(path: str | Path) -> tuple[str, str]:
    """Returns the format and the compression of a file.

    Both are recognized by content. Only where that leaves it open, the suffix
    `.jsonl`, `.ndjson`, `.json` or `.parquet` decides. Anything else is plain
    text.

    Returns:
        "json_lines", "parquet", "wikipedia_dump" or "plain_text", and the
        compression as `read_head` names it.

    Raises:
        ValueError: If the file holds something that is neither: a table as
            CSV or TSV, a JSON array, HTML, UTF-16, an archive.
    """
    path = Path(path)
    compression, head = read_head(path, _HEAD)
    suffix = _suffix(path)
    if head.startswith(b"PAR1"):
        if compression:
            raise _refusal(
                path, f"Parquet inside {compression}", "Decompress it first"
            )
        return "parquet", ""
    _refuse_binary(path, head)
    text = head.removeprefix(UTF8_MARK).decode("utf-8", "replace")
    is_whole = len(head) < _HEAD
    if _OBJECT.match(text) and _has_json_lines(path, text, suffix, is_whole):
        return "json_lines", compression
    if _WIKIPEDIA.match(text) or suffix == ".xml" and "<page>" in text:
        return "wikipedia_dump", compression
    if suffix not in (".jsonl", ".ndjson", ".parquet"):
        _refuse_other_text(path, text, suffix, is_whole)
    return _SUFFIXES.get(suffix, "plain_text"), compression


def _suffix(path):
    """The suffix in lower case, without that of a compression."""
    if path.suffix.lower() in _COMPRESSED_SUFFIXES:
        path = path.with_suffix("")
    return path.suffix.lower()


def _refusal(path, found, remedy):
    return ValueError(
        f"{path} is {found}. Expected plain text, JSON lines, Parquet or a "
        f"Wikipedia dump. {remedy}, or leave the file out."
    )


def _refuse_binary(path, head):
    message = utf16_message(path, head)
    if message:
        raise ValueError(message)
    if head[257:262] == b"ustar":
        raise _refusal(path, "a tar archive", "Unpack it")
    for magic, found, remedy in _BINARY:
        if head.startswith(magic):
            raise _refusal(path, found, remedy)


def _has_json_lines(path, text, suffix, is_whole):
    """Whether text that begins like a JSON object is JSON lines."""
    lines = [line for line in text.split("\n") if line.strip()]
    if suffix in (".jsonl", ".ndjson"):
        return True  # a bad line is reported with its number
    if _is_json(lines[0]):
        # One object before other text may be an example in a text about JSON.
        return suffix == ".json" or all(
            line.lstrip().startswith("{") for line in lines[1:3]
        )
    if len(lines) == 1 and not is_whole:
        return True  # a line longer than the head
    is_json = _is_json(text) if is_whole else lines[0].rstrip()[-1] in "{[,"
    if suffix == ".json" or is_json:
        raise _refusal(
            path,
            "JSON, but not JSON lines: the object takes several lines",
            f"Write one object per line: jq -c . {path} > {path}l",
        )
    return False


def _is_json(text):
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse_other_text(path, text, suffix, is_whole):
    if _ARRAY.match(text) and (suffix == ".json" or _is_array(text, is_whole)):
        raise _refusal(
            path,
            "a JSON array",
            f"Write one object per line: jq -c '.[]' {path} > {path}l",
        )
    body = text[match.end() :] if (match := _COMMENTS.match(text)) else text
    if _HTML.match(body) or (
        _TAG.match(body) and len(_END_TAG.findall(body)) >= 2
    ):
        raise _refusal(
            path,
            "HTML",
            "Extract its text first, e.g. with trafilatura or BeautifulSoup",
        )
    if _XML.match(text) or suffix == ".xml" and text.lstrip().startswith("<"):
        raise _refusal(
            path, "XML other than a Wikipedia dump", "Extract its text first"
        )
    for delimiter, name in ((",", "CSV"), ("\t", "TSV"), (";", "CSV")):
        if _is_table(text, delimiter, suffix in (".csv", ".tsv"), is_whole):
            raise _refusal(
                path,
                f"a table ({name})",
                "Convert it to JSON lines or Parquet, e.g. in Python: "
                f"pandas.read_csv(path, sep={delimiter!r})"
                '.to_json(path + ".jsonl", orient="records", lines=True)',
            )


def _is_array(text, is_whole):
    """Whether text is a JSON array, or the start of one of objects."""
    return (
        _is_json(text) if is_whole else bool(_OBJECT.match(text.lstrip()[1:]))
    )


def _is_table(text, delimiter, is_named_so, is_whole):
    """Whether text is a table: rows of the same number of columns.

    Prose has commas, but with a space after them and not as many in each
    line; and tabs, but at the start of a line.
    """
    text = text.strip("\r\n")
    first, _, _ = text.partition("\n")
    if delimiter not in first and not is_named_so:
        return False
    lines = text.split("\n", _TABLE_LINES)[:_TABLE_LINES]
    try:
        rows = list(
            csv.reader([f"{line}\n" for line in lines], delimiter=delimiter)
        )
    except csv.Error:
        return False
    if not is_whole or len(lines) == _TABLE_LINES:
        rows = rows[:-1]  # a quoted field may continue
    if not rows or not rows[0]:
        return False
    names, width = rows[0], len(rows[0])
    has_names = len(set(names)) == width and all(
        _COLUMN_NAME.fullmatch(name) for name in names
    )
    if is_named_so:
        has_spaces = any(name.startswith(" ") for name in names)
        return not has_spaces if width > 1 else has_names
    if width == 1 or any(len(row) != width for row in rows):
        return False
    if has_names:
        return len(rows) >= _TABLE_ROWS
    is_numbered = delimiter == "\t" and width > 2 and all(names)
    return is_numbered and len(rows) >= _TABLE_ROWS_WITHOUT_NAMES
