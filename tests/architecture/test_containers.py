"""What is known of a container format stands in its record: code asks the record, and seldom who it is."""

from __future__ import annotations

import ast
from pathlib import Path

from model_contracts.containers import FORMS
from support.source_trees import tree_of

PACKAGE = Path(__file__).parents[2] / "src" / "model_contracts"
#: Modules that still compare a format, or a convention of that name, with a word: how often. It may only become less.
REMAINING = {
    "anatomy/claims.py": 3,
    "anatomy/families/stored_names.py": 1,
    "anatomy/families/architecture.py": 3,
    "anatomy/parts/recognised.py": 2,
    "anatomy/view.py": 5,
    "anatomy/tokenizers/named_templates.py": 1,
    "checks/static/configuration/declared_rest.py": 1,
    "checks/static/tokenizers/pair_special_ids.py": 2,
    "converters/modelling.py": 2,
    "converters/planning.py": 1,
    "converters/types.py": 1,
    "formats/opening.py": 1,
    "qualification/gates/conversions.py": 1,
    "strategies/headers.py": 2,
}


def compared(tree: ast.AST) -> int:
    """How many comparisons have the name of a format on a side."""
    sides = [(node.left, *node.comparators) for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    return sum(any(isinstance(one, ast.Constant) and one.value in FORMS for one in each) for each in sides)


def test_formats_are_seldom_compared_with_a_word() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix(): count
        for path in sorted(PACKAGE.rglob("*.py"))
        if (count := compared(tree_of(path)))
    }
    assert found == REMAINING


def test_a_comparison_would_be_seen() -> None:
    text = 'a.format == "gguf"\nx = [b for b in c if b.format != "apr"]\n"safetensors" in d\ne.format == f.format'
    assert compared(ast.parse(text)) == 3


def test_a_record_is_found_under_its_name() -> None:
    assert [name for name, form in FORMS.items() if form.name != name or form.suffix != f".{name}"] == []
