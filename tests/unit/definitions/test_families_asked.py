"""A family is parsed when a file bears its word, and none that bears it is passed over, however it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_contracts.anatomy.view import View
from model_contracts.definitions import load_families, loading
from model_contracts.definitions.families import FamilyFiles
from model_contracts.formats.opening import open_artifact

TINY = Path(__file__).resolve().parents[2] / "data" / "tiny-qwen2"


def words(family):
    return (*family.architectures, *family.model_types, *family.gguf)


def test_every_family_is_found_by_each_of_its_words():
    families = load_families()
    missed = [(family.id, word) for family in families for word in words(family) if family not in families.saying(word)]
    assert missed == []


@pytest.fixture
def asked(tmp_path):
    """`asked(word, **files)`: the ids of what would be parsed to find who bears the word."""

    def ids(word, **files):
        for name, text in files.items():
            (tmp_path / name).write_text(text, "utf-8")
        return list(FamilyFiles({name: tmp_path / name for name in files}, lambda name: name).saying(word))

    return ids


@pytest.mark.parametrize(
    "text",
    [
        "gguf: [foo]", "gguf: [a,foo,b]", "gguf:\n- foo\n- bar", "gguf:\n  - 'foo'", 'gguf: ["foo"]', "foo",
        r'gguf: ["\x66oo"]', r'gguf: ["fo\u006f"]', "gguf: [foo]\r\n", "gguf: [\tfoo\t]", "gguf: [ # why\n  foo\n]",
    ],
)  # fmt: skip
def test_a_word_is_found_however_yaml_lets_it_be_written(asked, text):
    assert asked("foo", one=text) == ["one"]


@pytest.mark.parametrize("text", ["gguf: [food]", "gguf: [foo.bar]", "gguf: [foo-2]", "# of foo.cpp", ""])
def test_a_longer_word_is_another(asked, text):
    assert asked("foo", one=text) == []


@pytest.mark.parametrize("word", ["", "two words", "it's", "f\u00f6\u00f6", "\ud800", "a:b", "a\nb", "\0"])
def test_a_word_that_yaml_may_write_otherwise_is_looked_for_in_every_file(asked, word):
    assert asked(word, one="gguf: [foo]", two="") == ["one", "two"]


def test_a_file_that_cannot_be_read_is_asked_for_and_says_so(tmp_path):
    assert list(FamilyFiles({"gone": tmp_path / "gone"}, lambda name: name).saying("foo")) == ["gone"]


def test_a_model_has_its_family_and_what_it_extends_parsed(monkeypatch):
    read = []
    original = loading._read
    monkeypatch.setattr(loading, "_read", lambda cls, path, shown: read.append(shown) or original(cls, path, shown))
    for cached in (loading._shipped, loading._families):
        cached.cache_clear()
    view = View(open_artifact(TINY), load_families())
    assert view.family is not None and view.base is view.family
    parsed = {path for path in read if "families/" in path}
    assert parsed == {"contracts/families/qwen2.yaml", "contracts/families/decoder.yaml"}
