"""Owns how the fuzz targets spoil a file: by what its format is made of, each decision asked of a `Random`.

The `Random` is seeded by the coverage-guided engine, or is Hypothesis's own, where each decision is drawn and shrinks.
What was spoilt before may be spoilt again: bytes that no longer parse are spoilt as bytes.
"""

import json
import struct
from copy import deepcopy
from random import Random
from typing import Any

#: What a reader may meet in the place of any value; text is put in as it stands, JSON or not.
HOSTILE = (
    "1" + "0" * 400, "-1" + "0" * 400, "1e999", "-1e999", "NaN", "Infinity", "-1", "0", "1.5", "4294967296", "1e308",
    "18446744073709551616", "true", "null", '""', '"x"', '"2"', "[]", "{}", "[[48]]", "[null]", '{"a":{"b":[]}}',
    "[1e999]",
    "[" * 300 + "]" * 300, "[" * 5000 + "]" * 5000, '{"a":' * 300 + "1" + "}" * 300, '"\\u001b[31m\\u202e\\u0000"',
    '"\\ud800"', '"' + "a" * 5000 + '"', "[" + "1," * 5000 + "1]", "9" * 5000, '{"a":1,"a":2}',
    '["' + "\\n" * 50 + '"]',
)  # fmt: skip
_WORDS = (
    b"\x00" * 8,
    b"\xff" * 8,
    b"\x7f" + b"\xff" * 7,
    b"\x00\x00\xc0\x7f",
    b"\x00\x00\x80\x7f",
    b"\x01\x00\x00\x00",
)


def json_text(seed: bytes, random: Random) -> bytes:
    """A JSON document with one to three values replaced, removed, moved or doubled."""
    value = _parsed(seed)
    if value is None:
        return binary(seed, random)
    raw: dict[str, str] = {}
    for at in range(random.choice((1, 1, 1, 2, 3))):
        places = list(_places(value))
        if not places:
            break
        holder, key = random.choice(places)
        what = random.randrange(8)
        if what == 0 and isinstance(holder, dict):
            del holder[key]
        elif what == 1:
            other, elsewhere = random.choice(places)
            holder[key] = deepcopy(other[elsewhere])
        else:
            raw[marker := f"@@{at}@@"] = random.choice(HOSTILE)
            holder[key] = marker
    text = json.dumps(value)
    for marker, put in raw.items():
        text = text.replace(f'"{marker}"', put)
    return binary(text.encode(), random, most=2) if random.random() < 0.1 else text.encode()


def _parsed(data: bytes) -> Any:
    """The document, or None where these bytes are none that can be spoilt as a document."""
    try:
        value = json.loads(data)
        json.dumps(value)
    except (ValueError, RecursionError):
        return None
    return value


def _places(value: Any, depth: int = 0) -> Any:
    """Every (holder, key) of a document; of long lists and objects a few at either end."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    for key in keys if len(keys) < 40 else [*keys[:6], *keys[-3:]]:
        yield value, key
        if depth < 6:
            yield from _places(value[key], depth + 1)


def binary(seed: bytes, random: Random, most: int = 4, within: int | None = None) -> bytes:
    """Bytes flipped, overwritten by extreme numbers, cut, doubled or left out; most of it in the first `within`."""
    data = bytearray(seed)
    for _ in range(random.randint(1, most)):
        if not data:
            break
        end = min(len(data), within or len(data)) if random.random() < 0.9 else len(data)
        at, what = random.randrange(end), random.randrange(7)
        if what == 0:
            data[at] ^= 1 << random.randrange(8)
        elif what == 1:
            data[at] = random.randrange(256)
        elif what == 2:
            word = random.choice(_WORDS)
            data[at : at + len(word)] = word
        elif what == 3:
            data[at : at + 4] = struct.pack("<I", random.choice((0, 1, 2, 8, 9, 12, 255, 65536, 2**31, 2**32 - 1)))
        elif what == 4:
            del data[at : at + random.choice((1, 4, 8, 100))]
        elif what == 5:
            data[at:at] = data[at : at + random.choice((1, 4, 8, 100))]
        else:
            del data[at:]
    return bytes(data)


def safetensors(seed: bytes, random: Random) -> bytes:
    """The header spoilt as JSON, with its length put right; now and then the bytes."""
    length = int.from_bytes(seed[:8], "little")
    if random.random() < 0.2 or length > len(seed):
        return binary(seed, random, within=600)
    header = json_text(seed[8 : 8 + length], random)
    return len(header).to_bytes(8, "little") + header + seed[8 + length :]


def gguf(seed: bytes, random: Random) -> bytes:
    """Key-values and tensor infos, which lie in the first 4000 bytes of the seed; now and then the blocks."""
    return binary(seed, random, within=4000)


def apr(seed: bytes, random: Random) -> bytes:
    """The metadata spoilt as JSON at its own length, or header, index and data as bytes."""
    start, end = seed.find(b"{"), seed.rfind(b"}", 0, len(seed) // 2) + 1
    if random.random() < 0.5 or not 0 < start < end:
        return binary(seed, random, within=max(end, 0) + 2000)
    spoilt = json_text(seed[start:end], random)
    return seed[:start] + spoilt[: end - start].ljust(end - start) + seed[end:]


def yaml_text(seed: bytes, random: Random) -> bytes:
    """Words of a definition replaced by what YAML means otherwise, lines doubled, moved or indented."""
    lines = seed.decode("utf-8", "replace").splitlines() or [""]
    for _ in range(random.randint(1, 3)):
        at, what = random.randrange(len(lines)), random.randrange(6)
        key, colon, _ = lines[at].partition(": ")
        if what == 0:
            lines[at] = f"{key}{colon}{random.choice(HOSTILE)[:2000]}"
        elif what == 1:
            lines[at] = (
                f"{key}: {random.choice(('&a [*a]', '!!python/object:os.system x', '<<: x', '0x' + 'f' * 60, '.nan', '|', '*b', '? x', '1e-3', '-1', '../../etc/passwd', '{', '- - - -'))}"  # noqa: E501
            )
        elif what == 2:
            lines.insert(random.randrange(len(lines)), lines[at])
        elif what == 3:
            del lines[at]
            lines = lines or [""]
        elif what == 4:
            lines[at] = " " * random.randrange(80) + lines[at]
        else:
            lines[at] += random.choice(("\x1b[31m", "\u202e", "\x00", "\t", " #", ":", "'", '"', "[" * 200, "\ud7ff"))
    return "\n".join(lines).encode("utf-8", "surrogatepass")
