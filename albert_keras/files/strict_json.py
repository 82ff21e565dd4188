"""JSON from files that others wrote."""

import json
import re
from typing import Any

# Half of a surrogate pair, which is no character, can be escaped in JSON.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(text: str) -> Any:
    """The value of a JSON text.

    Args:
        text: A string.

    Raises:
        ValueError: If it is no JSON, nested deeper than Python recurses, or
            has a string that is not Unicode text.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                "a string has half of a surrogate pair, which is no character"
            ) from error
    return value
