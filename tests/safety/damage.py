"""Files that are damaged, or were never what their name says."""

import copy
import json

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# The same examples in every run, so that a test that passes passes again.
few_hundred_examples = settings(
    derandomize=True,
    max_examples=200,
    deadline=None,
    database=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
    ],
)
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
# Deeper than any parser recurses.
DEEP = b"[" * 100_000


def contents(whole, document=None):
    """What a file may hold instead.

    Args:
        whole: Bytes of a good file.
        document: The value in it, where it is JSON, to be changed inside.
    """
    kinds = [st.binary(max_size=80), st.text().map(str.encode), cut_up(whole)]
    if document is not None:
        kinds += [json_values.map(_encoded), changed(document)]
    return st.one_of(kinds)


@st.composite
def cut_up(draw, whole):
    """Bytes cut short, or with other bytes in a place."""
    place = draw(st.integers(0, len(whole)))
    if draw(st.booleans()):
        return whole[:place]
    other = draw(st.binary(max_size=8))
    return whole[:place] + other + whole[place + len(other) :]


@st.composite
def changed(draw, document):
    """JSON with a value somewhere inside removed, or another in its place."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 2))):
        places = list(_places(document))
        if not places:
            break
        parent, key = draw(st.sampled_from(places))
        if draw(st.integers(0, 3)):
            parent[key] = draw(json_values)
        else:
            del parent[key]
    return _encoded(document)


def reads_or_refuses(read, path, content, name=None):
    """Checks that a file gives a result or a `ValueError` with its name."""
    path.write_bytes(content)
    try:
        read()
    except ValueError as error:
        assert (name or path.name) in str(error), repr(error)


def _places(node):
    keys = (
        node
        if isinstance(node, dict)
        else range(len(node))
        if isinstance(node, list)
        else ()
    )
    for key in keys:
        yield node, key
        yield from _places(node[key])


def _encoded(value):
    return json.dumps(value).encode()
