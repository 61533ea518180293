"""Files with tensors in formats other than ONNX, written byte by byte."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def framed(header: object, data: bytes) -> bytes:
    """Return a safetensors file around any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def safetensors(tensors: Mapping[str, bytes], **metadata: str) -> bytes:
    """Return a safetensors file with tensors of bytes."""
    header: dict[str, Any] = {"__metadata__": metadata}
    at = 0
    for name, data in tensors.items():
        header[name] = {"dtype": "U8", "shape": [len(data)], "data_offsets": [at, at + len(data)]}
        at += len(data)
    return framed(header, b"".join(tensors.values()))


def gguf(
    tensors: Mapping[str, bytes], *, keys: Sequence[bytes] = (), alignment: int = 32, order: str = "<"
) -> bytes:
    """Return a GGUF file of version 3 with tensors of type I8; `keys` are written as they stand."""
    head = b"GGUF" + struct.pack(f"{order}IQQ", 3, len(tensors), len(keys)) + b"".join(keys)
    data = b""
    for name, content in tensors.items():
        data += bytes(-len(data) % alignment)
        row = struct.pack(f"{order}IQIQ", 1, len(content), 24, len(data))
        head += gguf_text(name, order) + row
        data += content
    return head + bytes(-len(head) % alignment) + data


def gguf_text(text: str, order: str = "<") -> bytes:
    """Return a text as GGUF has it."""
    return struct.pack(f"{order}Q", len(text)) + text.encode()


def gguf_key(name: str, kind: int, value: bytes, order: str = "<") -> bytes:
    """Return a key with a value of a type."""
    return gguf_text(name, order) + struct.pack(f"{order}I", kind) + value


def tflite(*buffers: bytes) -> bytes:
    """Return a TensorFlow Lite file that holds nothing but buffers: a flatbuffer with one table a buffer."""
    data = bytearray(struct.pack("<I4s", 24, b"TFL3"))
    data += struct.pack("<HHHHHHHxx", 14, 8, 0, 0, 0, 0, 4)
    data += struct.pack("<iII", 16, 4, len(buffers))
    places = len(data)
    data += bytes(4 * len(buffers))
    for index, content in enumerate(buffers):
        shape = len(data)
        data += struct.pack("<HHHxx", 6, 8, 4)
        table = len(data)
        struct.pack_into("<I", data, places + 4 * index, table - places - 4 * index)
        data += struct.pack("<iII", table - shape, 4, len(content)) + content
        data += bytes(-len(data) % 4)
    return bytes(data)


def write(path: Path, data: bytes) -> Path:
    """Write a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
