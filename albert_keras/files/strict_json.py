"""Parses JSON from untrusted files."""

import json
import re
from typing import Any

# JSON can escape half of a surrogate pair, which is not a character.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(text: str) -> Any:
    """Parses a JSON text.

    Args:
        text: A string. A byte order mark at its start is dropped.

    Raises:
        ValueError: If it is not JSON, is nested deeper than Python recurses,
            or contains a string that is not Unicode text.
    """
    text = text.removeprefix("\ufeff")
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                "a string has half of a surrogate pair, not a character"
            ) from error
    return value
