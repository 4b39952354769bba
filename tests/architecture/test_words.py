"""One word for one thing, files that can be read at a sitting, and a sentence at the head of each on what it owns."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
YAML = sorted(path for top in ("contracts", "invariants") for path in (ROOT / top).rglob("*.yaml"))
LONGEST = 400

#: Words that this house does not use, as whole words or as parts of names.
FORBIDDEN = re.compile(r"(?<![a-z])(rule|policy|policies|validator|finding|manager|helper|util)s?(?![a-z])", re.I)
#: Names that others gave, and the one proper name with such a word in it.
FOREIGN = re.compile(
    r"model_validator|field_validator|[a-z_]*schema_validator|Draft202012Validator|jsonschema\.validators"
    r"|error\.validator(_value)?|contextmanager|importlib\.util|golden[-_ ]rule"
    r"|failure[-_]policy|Rules checked",
    re.I,
)


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES + YAML, ids=shown)
def test_the_words_of_the_house_are_used(path):
    lines = enumerate(path.read_text("utf-8").splitlines(), 1)
    # A name in camel case is split first: `RuleTable` is the word, `schedule` is not.
    plain = ((number, re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", FOREIGN.sub("", line))) for number, line in lines)
    assert [f"{shown(path)}:{number}: {line.strip()}" for number, line in plain if FORBIDDEN.search(line)] == []


@pytest.mark.parametrize("word", ["rule", "Rules", "tensor_utils", "PolicyTable", "findings", "a helper", "manager_of"])
def test_a_forbidden_word_would_be_seen(word):
    assert FORBIDDEN.search(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word))


@pytest.mark.parametrize("path", MODULES + TESTS, ids=shown)
def test_no_file_is_longer_than_can_be_read(path):
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_no_function_is_longer_than_forty_lines(path):
    tree = ast.parse(path.read_text("utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    # The body counts; a signature of many parameters and a docstring of many facts do not.
    bodies = {node.name: node.body[bool(ast.get_docstring(node)) :] for node in functions}
    lengths = {name: (body[-1].end_lineno or 0) - body[0].lineno + 1 for name, body in bodies.items() if body}
    assert {name: length for name, length in lengths.items() if length > 40} == {}


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_every_module_opens_with_a_sentence(path):
    text = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert text is not None and re.match(r"[A-Z].*[.:]", text.splitlines()[0])


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_no_suffix_is_cut_off_a_name_that_a_person_gave(path):
    text = path.read_text("utf-8")
    assert re.findall(r"\.with_suffix\(|splitext\(|\.stem\b|\.with_stem\(", text) == []


def test_names_of_test_files_are_unique():
    names = [path.name for path in TESTS if path.name.startswith("test_")]
    assert sorted(names) == sorted(set(names))
