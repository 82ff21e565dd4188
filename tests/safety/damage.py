"""Generates damaged files, and files with content of another kind."""

import copy
import json

from hypothesis import strategies as st

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "../x", "\0", "\ud800", "uint16", "text"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
# Nested deeper than any parser recurses.
DEEP = b"[" * 100_000


def contents(whole, document=None):
    """Strategy for other contents of a file.

    Args:
        whole: Bytes of a valid file.
        document: Its value if it is JSON; parts of it are changed.
    """
    kinds = [st.binary(max_size=80), st.text().map(str.encode), cut_up(whole)]
    if document is not None:
        kinds += [json_values.map(_encoded), changed(document)]
    return st.one_of(kinds)


@st.composite
def cut_up(draw, whole):
    """Truncated bytes, or bytes of which some are replaced."""
    position = draw(st.integers(0, len(whole)))
    if draw(st.booleans()):
        return whole[:position]
    other = draw(st.binary(max_size=8))
    return whole[:position] + other + whole[position + len(other) :]


@st.composite
def changed(draw, document):
    """JSON with one or two values removed or replaced."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 2))):
        slots = list(_slots(document))
        if not slots:
            break
        parent, key = draw(st.sampled_from(slots))
        if draw(st.integers(0, 3)):
            parent[key] = draw(json_values)
        else:
            del parent[key]
    return _encoded(document)


def reads_or_refuses(read, path, content, name=None):
    """Checks that reading works or raises a `ValueError` with the file name."""
    path.write_bytes(content)
    try:
        read()
    except ValueError as error:
        assert (name or path.name) in str(error), repr(error)


def _slots(node):
    keys = (
        node
        if isinstance(node, dict)
        else range(len(node))
        if isinstance(node, list)
        else ()
    )
    for key in keys:
        yield node, key
        yield from _slots(node[key])


def _encoded(value):
    return json.dumps(value).encode()
