"""Encodes and decodes tf.train.Example messages without TensorFlow.

Implements the part of the Protocol Buffers wire format that they use:

    Example    field 1: Features
    Features   field 1: map entries (1: name, 2: Feature)
    Feature    field 1, 2 or 3: a list of bytes, floats or int64
    list       field 1: the values, packed or one by one

The integers of many messages are decoded in one call.
"""

import numpy as np

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
FLOATS, INTEGERS = 2, 3  # fields of a Feature


def read_features(message: bytes) -> dict[str, tuple[int, bytes]]:
    """Splits an Example into its features, whose values stay encoded.

    Args:
        message: A serialized Example.

    Returns:
        `{name: (kind, data)}` with kind `FLOATS` or `INTEGERS` (or 1, bytes)
        and the packed values.

    Raises:
        ValueError: If `message` is not an Example.
    """
    found: dict[str, tuple[int, bytes]] = {}
    try:
        for field, features in _fields(message):
            if field != 1:
                continue
            for _, entry in _fields(features):
                name, kind, data = None, None, b""
                for key, value in _fields(entry):
                    if key == 1:
                        name = value.decode()
                    else:
                        ((kind, values),) = _fields(value)
                        data = b"".join(v for _, v in _fields(values))
                if name is None or kind is None:
                    raise ValueError("a feature has no name or no values")
                found[name] = (kind, data)
    except (IndexError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"is not a tf.train.Example: {error}") from error
    return found


def write_features(features: dict[str, np.ndarray]) -> bytes:
    """Serializes an Example.

    Args:
        features: `{name: array}` of integers or float32.
    """
    entries = []
    for name in sorted(features):
        values = np.asarray(features[name])
        if values.dtype.kind == "f":
            kind, data = FLOATS, values.astype("<f4").tobytes()
        else:
            kind, data = INTEGERS, encode_varints(values)
        feature = _field(kind, _field(1, data))
        entries.append(_field(1, _field(1, name.encode()) + _field(2, feature)))
    return _field(1, b"".join(entries))


def decode_varints(data: bytes) -> np.ndarray:
    """Decodes packed integers to int64 `(N,)`.

    Raises:
        ValueError: If the data ends inside an integer.
    """
    bytes_ = np.frombuffer(data, "uint8")
    if not bytes_.size:
        return np.zeros(0, "int64")
    is_last = bytes_ < 0x80
    if is_last.all():
        return bytes_.astype("int64")
    ends = np.flatnonzero(is_last) + 1
    if ends.size == 0 or ends[-1] != len(bytes_):
        raise ValueError("the data ends inside an integer")
    starts = np.concatenate([[0], ends[:-1]])
    place = np.arange(len(bytes_)) - np.repeat(starts, ends - starts)
    parts = (bytes_ & 0x7F).astype("uint64") << (7 * place).astype("uint64")
    return np.add.reduceat(parts, starts).astype("int64")


def count_varints(data: bytes) -> int:
    """Number of packed integers: the bytes without a continuation bit."""
    return int((np.frombuffer(data, "uint8") < 0x80).sum())


def encode_varints(values: np.ndarray) -> bytes:
    """Encodes integers `(N,)` as packed bytes."""
    values = np.asarray(values).astype("int64").astype("uint64")
    if not values.size:
        return b""
    sizes = np.ones(len(values), "int64")
    rest = values >> np.uint64(7)
    while rest.any():
        sizes += rest > 0
        rest >>= np.uint64(7)
    starts = np.cumsum(sizes) - sizes
    encoded = np.zeros(int(sizes.sum()), "uint8")
    for place in range(int(sizes.max())):
        here = sizes > place
        part = (values[here] >> np.uint64(7 * place)) & np.uint64(0x7F)
        more = np.where(sizes[here] > place + 1, 0x80, 0).astype("uint64")
        encoded[starts[here] + place] = part | more
    return encoded.tobytes()


def _fields(data):
    """Yields (field number, encoded value) of a message."""
    place, size = 0, len(data)
    while place < size:
        tag, place = _varint(data, place)
        number, wire = tag >> 3, tag & 7
        begin = place
        if wire == _BYTES:
            length, begin = _varint(data, place)
            place = begin + length
        elif wire == _VARINT:
            _, place = _varint(data, place)
        elif wire in (_FIXED32, _FIXED64):
            place += 4 if wire == _FIXED32 else 8
        else:
            raise ValueError(f"wire type {wire} at byte {begin}")
        if place > size:
            raise ValueError(f"a field extends past the message's {size} bytes")
        yield number, data[begin:place]


def _varint(data, place):
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7


def _field(number, data):
    header = bytes([number << 3 | _BYTES])
    return header + encode_varints(np.array([len(data)])) + data
