"""Reading text files as documents of sentences."""

import glob
import json
import re
from pathlib import Path

# A sentence ends after ., ! or ?, closing quotes and brackets, and white
# space, if what follows begins like a sentence.
_SENTENCE_END = re.compile(
    r"""[.!?][.!?]*["'”’)\]]*\s+(?=["'“‘(\[]?\s?[^\W_a-z])"""
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"'])(?:[A-Z]|[A-Za-z]\.(?:[A-Za-z]\.)*[A-Za-z]?|Mr|Mrs|Ms|Dr|"
    r"Prof|St|Jr|Sr|vs|etc|No|Nos|Vol|Fig|Figs|Sgt|Capt|Gen|Lt|Col|Gov|Sen|"
    r"Rep|Inc|Ltd|Co|Corp|cf|al|ca|approx|Ave|Blvd|Jan|Feb|Mar|Apr|Jun|Jul|"
    r"Aug|Sep|Sept|Oct|Nov|Dec|Mt|Ft|pp|ed|eds|e\.g|i\.e)\.$"
)
_HEADING_END = re.compile(r"[.!?:;,\"'”’)\]]\s*$")


def find_files(patterns):
    """The files that glob patterns name, sorted, each once.

    Raises:
        ValueError: If a pattern matches no file, or a file is empty.
    """
    files = []
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        matches = sorted(
            p for p in glob.glob(str(pattern)) if Path(p).is_file()
        )
        if not matches:
            raise ValueError(
                f"No file matches {pattern!r}. Pass text files: `.jsonl` "
                "with a `text` field, anything else is read as plain text."
            )
        files.extend(Path(match) for match in matches)
    files = list(dict.fromkeys(files))
    for path in files:
        if not path.stat().st_size:
            raise ValueError(f"{path} is empty. Leave it out or fill it.")
    return files


def read_documents(path, on_bytes=None):
    """Yields the documents of a file, each a list of sentences.

    In plain text, a line is a paragraph or a sentence and a blank line or
    the end of the file ends a document. A heading (a document of one line
    without punctuation at its end) opens the document that follows it. In
    `.jsonl`, each line is a document, the string under `text`.

    Args:
        path: A UTF-8 file.
        on_bytes: Called with the number of bytes read, for a progress bar.

    Raises:
        ValueError: If the file is not UTF-8 or a line is not such JSON;
            names file and line.
    """
    path = Path(path)
    lines = _read_lines(path, on_bytes or (lambda count: None))
    if path.suffix == ".jsonl":
        paragraphs_of_documents = _json_lines(path, lines)
    else:
        paragraphs_of_documents = _join_headings(_plain_text(lines))
    for paragraphs in paragraphs_of_documents:
        sentences = [
            sentence
            for paragraph in paragraphs
            for sentence in split_sentences(paragraph)
        ]
        if sentences:
            yield sentences


def split_sentences(paragraph):
    """Splits a paragraph into sentences by punctuation and capitals.

    A plain rule for languages that write so: an end mark, white space and
    something that is no small letter. Initials and common English
    abbreviations do not end a sentence.
    """
    paragraph = paragraph.strip()
    sentences, start = [], 0
    for match in _SENTENCE_END.finditer(paragraph):
        sentence = paragraph[start : match.end()].rstrip()
        if not _ABBREVIATION.search(sentence):
            sentences.append(sentence)
            start = match.end()
    if start < len(paragraph):
        sentences.append(paragraph[start:])
    return sentences


def _read_lines(path, on_bytes):
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            on_bytes(len(line))
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{path} is not UTF-8 text: line {number}, {error}. "
                    f"Convert it first: iconv -f latin1 -t utf-8 {path}"
                ) from error


def _plain_text(lines):
    paragraphs = []
    for line in lines:
        line = line.strip()
        if line:
            paragraphs.append(line)
        elif paragraphs:
            yield paragraphs
            paragraphs = []
    if paragraphs:
        yield paragraphs


def _join_headings(documents):
    headings = []
    for paragraphs in documents:
        if len(paragraphs) == 1 and not _HEADING_END.search(paragraphs[0]):
            headings += paragraphs
        else:
            yield headings + paragraphs
            headings = []
    if headings:
        yield headings


def _json_lines(path, lines):
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            text = json.loads(line)["text"]
            paragraphs = text.split("\n")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path}, line {number}: expected a JSON object with a "
                f'string under "text", got {line[:80]!r} ({error!r}).'
            ) from error
        yield paragraphs
