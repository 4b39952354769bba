"""One word for one thing, files that can be read at a sitting, and a sentence at the head of each on what it owns."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from support.source_trees import tree_of

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
YAML = sorted(path for top in ("contracts", "invariants") for path in (ROOT / top).rglob("*.yaml"))
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
LONGEST = 400

#: Words that this house does not use, as whole words or as parts of names.
FORBIDDEN = re.compile(r"(?<![a-z])(rule|policy|policies|validator|finding|manager|helper|util)s?(?![a-z])", re.I)
#: Names that others gave, and the one proper name with such a word in it.
FOREIGN = re.compile(
    r"model_validator|field_validator|[a-z_]*schema_validator|Draft202012Validator|jsonschema\.validators"
    r"|error\.validator(_value)?|contextmanager|importlib\.util|golden[-_ ]rule"
    r"|failure[-_]policy|Rules checked|\brule_id\b|\brule_index\b|\brules=",
    re.I,
)


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parsed() -> dict[str, ast.Module]:
    return {shown(path): tree_of(path) for path in MODULES}


def split(line: str) -> str:
    """A line without the names of others; a name in camel case is split: `RuleTable` is the word, `schedule` is not."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", FOREIGN.sub("", line))


def test_the_words_of_the_house_are_used():
    lines = (
        (f"{shown(path)}:{number}: {line.strip()}", split(line))
        for path in MODULES + YAML + PAGES
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
    )
    assert [place for place, line in lines if FORBIDDEN.search(line)] == []


def test_a_forbidden_word_would_be_seen():
    words = ["rule", "Rules", "tensor_utils", "PolicyTable", "findings", "a helper", "manager_of"]
    assert [word for word in words if not FORBIDDEN.search(split(word))] == []


def test_no_file_is_longer_than_can_be_read():
    lengths = {shown(path): len(path.read_text("utf-8").splitlines()) for path in MODULES + TESTS}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_no_function_is_longer_than_forty_lines():
    functions = {
        f"{name}:{node.lineno} {node.name}": node.body[bool(ast.get_docstring(node)) :]
        for name, tree in parsed().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    # The body counts; a signature of many parameters and a docstring of many facts do not.
    lengths = {name: (body[-1].end_lineno or 0) - body[0].lineno + 1 for name, body in functions.items() if body}
    assert {name: length for name, length in lengths.items() if length > 40} == {}


def test_every_module_opens_with_a_sentence():
    heads = {name: (ast.get_docstring(tree) or "").partition("\n")[0] for name, tree in parsed().items()}
    assert {name: head for name, head in heads.items() if not re.match(r"[A-Z].*[.:]", head)} == {}


def test_no_suffix_is_cut_off_a_name_that_a_person_gave():
    cut = re.compile(r"\.with_suffix\(|splitext\(|\.stem\b|\.with_stem\(")
    assert {shown(path): found for path in MODULES if (found := cut.findall(path.read_text("utf-8")))} == {}


def test_names_of_test_files_are_unique():
    names = [path.name for path in TESTS if path.name.startswith("test_")]
    assert sorted(names) == sorted(set(names))


def test_a_class_name_stands_in_one_module():
    """One word, one meaning."""
    places: dict[str, list[str]] = {}
    for name, tree in parsed().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(name)
    assert {word: found for word, found in places.items() if len(found) > 1} == {}
