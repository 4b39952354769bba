"""What the tables of docs/formats say of our readers is what they do with a file of each row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from model_contracts.formats.opening import READERS
from model_contracts.formats.source import MemoryBytes
from support.reader_cases import GGUF, GGUF_PARTS, SAFETENSORS

FORMATS = Path(__file__).resolve().parents[2] / "docs" / "formats"


def rows(page: str, section: int) -> list[list[str]]:
    """The cells of the first table of a section, without its head."""
    text = re.split(r"^## \d+\. .*$", (FORMATS / page).read_text("utf-8"), flags=re.MULTILINE)[section]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def verdict(format: str, data: bytes) -> str:
    """What the gates say of the ledger: portability is owed by a `should`."""
    ledger = READERS[format](MemoryBytes(data)).container.ledger  # type: ignore[index]
    topics = {topic for topic, _ in ledger.violations}
    return "kept" if not topics else "a warning" if topics == {"portability"} else "falsified"


@pytest.mark.parametrize(
    ("page", "section", "format", "cases"),
    [
        ("gguf.md", 1, "gguf", GGUF),
        ("gguf.md", 2, "gguf", GGUF_PARTS),
        ("safetensors.md", 1, "safetensors", SAFETENSORS),
    ],
)
def test_each_row_of_a_table_is_what_our_reader_does(
    page: str, section: int, format: str, cases: dict[str, list[bytes]]
):
    table = rows(page, section)
    assert [row[0] for row in table] == list(cases)
    said = {row[0]: "a warning" if cases is GGUF_PARTS else re.split("[,;]", row[-1])[0] for row in table}
    done = {name: {verdict(format, data) for data in files} for name, files in cases.items()}
    assert done == {name: {word} for name, word in said.items()}
