"""Reads and writes TFRecord files without TensorFlow, for every backend.

A record is its length (uint64), the masked CRC-32C of the length, the data,
and the masked CRC-32C of the data, all little-endian. The google-crc32c
package computes the checksums.
"""

import contextlib
import gzip
import mmap
import shutil
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from albert_keras.files.atomic_write import atomic_file

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_BLOCK = 1 << 20


class TFRecordFile:
    """Random access to the records of a file, memory-mapped.

    Args:
        path: The file. If compressed (gzip, zlib), it is decompressed into a
            temporary file first.

    Raises:
        ValueError: If the file is empty, damaged or not a TFRecord file.
    """

    def __init__(self, path: str | Path) -> None:
        self.name = str(path)
        if not Path(path).stat().st_size:
            raise ValueError(f"{self.name} is empty. Leave it out.")
        with contextlib.ExitStack() as stack:
            file: IO[bytes] = stack.enter_context(open(path, "rb"))
            compression = _compression_of(file)
            if compression is not None:
                unpacked = stack.enter_context(tempfile.TemporaryFile())
                _unpack(file, compression, unpacked)
                file = unpacked
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._begins = self._index()

    def __len__(self):
        return len(self._begins)

    def __getitem__(self, number):
        """The data of a record, after its checksum is verified."""
        begin = int(self._begins[number])
        length, _ = _HEADER.unpack_from(self._data, begin)
        begin += _HEADER.size
        data = self._data[begin : begin + length]
        (expected,) = _FOOTER.unpack_from(self._data, begin + length)
        if masked_checksum(data) != expected:
            raise ValueError(
                f"{self.name}, record {number}: the checksum does not match "
                "the data. The file is damaged: write or copy it again."
            )
        return data

    def _index(self):
        """Positions of all records, after their lengths are verified."""
        begins, place, size = [], 0, len(self._data)
        while place < size:
            end = place + _HEADER.size
            if end <= size:
                length, checksum = _HEADER.unpack_from(self._data, place)
                header = self._data[place : place + 8]
                if checksum != masked_checksum(header):
                    raise ValueError(
                        f"{self.name} is not a TFRecord file, or damaged at "
                        f"byte {place:,}: the checksum of a length is wrong. "
                        "Pass a TFRecord file, or write or copy it again."
                    )
                end += length + _FOOTER.size
            if end > size:
                raise ValueError(
                    f"{self.name} is truncated: record {len(begins)} extends "
                    f"past the file's {size:,} bytes. Write or copy it again."
                )
            begins.append(place)
            place = end
        return np.array(begins, "int64")


def _compression_of(file):
    """Detects "gzip", "zlib" or None from the first bytes of a file."""
    begin = file.read(_HEADER.size)
    file.seek(0)
    if len(begin) == _HEADER.size:
        _, checksum = _HEADER.unpack(begin)
        if checksum == masked_checksum(begin[:8]):
            return None
    if begin[:2] == b"\x1f\x8b":
        return "gzip"
    is_zlib = (
        begin[:1] == b"\x78" and int.from_bytes(begin[:2], "big") % 31 == 0
    )
    return "zlib" if is_zlib else None


def _unpack(file, compression, target):
    try:
        if compression == "gzip":
            shutil.copyfileobj(gzip.GzipFile(fileobj=file), target, _BLOCK)
        else:
            unpacker = zlib.decompressobj()
            while block := file.read(_BLOCK):
                target.write(unpacker.decompress(block))
            if not unpacker.eof:
                raise EOFError("the zlib stream is incomplete")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(
            f"{file.name} is damaged or truncated: {error}. Write or copy it "
            "again."
        ) from error
    target.flush()


@contextlib.contextmanager
def tfrecord_writer(
    path: str | Path, compression: str | None = None
) -> Iterator[Callable[[bytes], None]]:
    """Yields a function that appends a record to a new file.

    Args:
        path: The file, which is written atomically.
        compression: None or "gzip".
    """
    with contextlib.ExitStack() as stack:
        file: Any = stack.enter_context(atomic_file(path, "wb"))
        if compression == "gzip":
            file = stack.enter_context(
                gzip.GzipFile(fileobj=file, mode="wb", mtime=0)
            )

        def write(data):
            length = struct.pack("<Q", len(data))
            file.write(length)
            file.write(_FOOTER.pack(masked_checksum(length)))
            file.write(data)
            file.write(_FOOTER.pack(masked_checksum(data)))

        yield write


def masked_checksum(data: bytes) -> int:
    """CRC-32C with TFRecord's mask: rotated by 15 bits, plus a constant."""
    try:
        import google_crc32c
    except ImportError as error:
        raise ValueError(
            "TFRecord files need google-crc32c: pip install google-crc32c."
        ) from error
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
