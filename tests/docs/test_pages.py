"""What code, definitions and pages name is a page that a clone has, and what a page says of families is the type's."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from pydantic import BaseModel

from model_contracts import definitions, family, hyperparameter

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
ALL = [*PAGES, *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))]
CITING = [
    *(p for top in ("src", "tests") for p in sorted((ROOT / top).rglob("*.py")) if p.parent.name != "docs"),
    *(p for top in ("contracts", "invariants") for p in sorted((ROOT / top).rglob("*.yaml"))),
    ROOT / "pyproject.toml",
    ROOT / "Makefile",
]
#: A page and, where it is numbered, its section: `apr.md 4.3`, `docs/design.md`.
CITED = re.compile(r"(?P<page>[\w./-]*\b[\w-]+\.md)\b(?:,? (?:section )?(?P<section>\d+(?:\.\d+)?)\b)?")
#: What stands before a page of another project: its name, or an address.
OF_OTHERS = re.compile(r"(?:\b(?:ggml|llama\.cpp)(?:'s)? |https?:\S*)$")
#: Names of files that other projects have, or that a user writes.
NAMES_OF_OTHERS = {"check-nmse.py", "contracts.yaml", "definitions.yaml", "release.yaml", "waivers.yaml"}


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def citations(text: str) -> Iterator[tuple[str, str | None]]:
    """Page and section of each citation of a page of ours."""
    for line in text.splitlines():
        for found in CITED.finditer(line):
            if not OF_OTHERS.search(line[: found.start()]):
                yield found["page"], found["section"]


def pages_called(name: str) -> list[Path]:
    """By its path from the root, or by its name alone among the pages."""
    return [path for path in ALL if shown(path) == name or ("/" not in name and path.name == name)]


def sections(path: Path) -> set[str]:
    return set(re.findall(r"^#+ (\d+(?:\.\d+)?)\b", path.read_text("utf-8"), re.MULTILINE))


def test_a_page_that_is_cited_is_there_and_has_the_section():
    missing, seen = [], set()
    for path in CITING:
        for page, section in citations(path.read_text("utf-8")):
            found = pages_called(page)
            seen |= {shown(one) for one in found}
            if len(found) != 1 or (section is not None and section not in sections(found[0])):
                missing.append((shown(path), page, section))
    assert missing == []
    assert {"docs/formats/apr.md", "docs/qualification.md", "docs/error-budgets.md"} <= seen


def test_a_page_that_nobody_has_would_be_seen():
    text = "see apr.md 4.3, ggml docs/gguf.md, ggml's docs/gguf.md and https://x.org/y/README.md; lost.md section 9"
    assert list(citations(text)) == [("apr.md", "4.3"), ("lost.md", "9")]
    assert pages_called("lost.md") == [] and "4.3" in sections(ROOT / "docs" / "formats" / "apr.md")
    assert "9.9" not in sections(ROOT / "docs" / "formats" / "apr.md")


def test_laws_and_faults_are_cited_by_numbers_that_the_pages_have():
    laws = set(re.findall(r"^(\d+)\. \*\*", (ROOT / "docs" / "design.md").read_text("utf-8"), re.MULTILINE))
    faults = set(re.findall(r"^\| (F\d\d) \|", (ROOT / "docs" / "faults.md").read_text("utf-8"), re.MULTILINE))
    assert len(laws) == 9 and len(faults) == 23
    unknown = []
    for path in CITING:
        text = path.read_text("utf-8")
        unknown += [(shown(path), law) for law in re.findall(r"\blaw (\d+)", text) if law not in laws]
        if path.suffix == ".yaml" and (ROOT / "invariants") in path.parents:
            catches = text.partition("\ncatches:")[2].partition("\nsources:")[0]
            unknown += [(shown(path), one) for one in re.findall(r"\bF\d\d\b", catches) if one not in faults]
    assert unknown == []


def test_no_source_is_an_issue_of_no_project_or_a_page_by_another_name():
    sources = re.compile(r"^ *(?:sources?:|- ).*$", re.MULTILINE)
    found = [
        (path, line) for path in CITING if path.suffix == ".yaml" for line in sources.findall(path.read_text("utf-8"))
    ]
    assert len(found) > 100
    assert [(shown(path), line) for path, line in found if re.search(r"""(^|[\["',])\s*issue \d+""", line)] == []
    assert [shown(path) for path in CITING if re.search(r"\bDESIGN\b", path.read_text("utf-8"))] == []


def gates_in(text: str) -> set[str]:
    """The gates that a text names, `G0-TOKENIZER-004, -005` as both; a pattern (`F-CONV-*`) names none."""
    found: set[str] = set()
    for start, more in re.findall(r"\b((?:G0|F)-[A-Z][\w-]*+)(?!\\?\*)((?:, -\d+)*)", text):
        found |= {start} | {start.rpartition("-")[0] + end for end in re.findall(r"-\d+", more)}
    return found


def test_gates_that_pages_name_exist_and_a_fault_names_one_of_those_that_catch_it():
    invariants = [definitions.load_invariant(name) for name in definitions.shipped_ids("invariant")]
    known = {gate.id for invariant in invariants for gate in invariant.gates}
    pages = [page for page in PAGES if not page.name.startswith("qualification")]
    assert {page.name: unknown for page in pages if (unknown := gates_in(page.read_text("utf-8")) - known)} == {}
    lines = (ROOT / "docs" / "faults.md").read_text("utf-8").splitlines()
    told = {line[2:5]: gates_in(line) for line in lines if re.match(r"\| F\d\d ", line)}
    catching: dict[str, set[str]] = {fault: set() for fault in told}
    for invariant in invariants:
        for fault in told.keys() & set(re.findall(r"\bF\d\d\b", " ".join(invariant.catches))):
            catching[fault] |= {gate.id for gate in invariant.gates}
    assert [fault for fault, gates in catching.items() if gates and not gates & told[fault]] == []


def headings(path: Path) -> set[str]:
    """Anchors of a page, as GitHub makes them."""
    found = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-") for text in found}


def test_no_link_is_dead():
    dead = []
    for path in [*ALL, *sorted((ROOT / "tests").rglob("*.md"))]:
        prose = re.sub(r"^```.*?^```$|`[^`\n]*`", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            if re.match(r"https?://", target):
                continue
            file, _, anchor = target.partition("#")
            there = path.parent / file if file else path
            if not there.exists() or (anchor and anchor not in headings(there)):
                dead.append((shown(path), target))
    assert dead == []


def test_every_page_is_reached_from_the_readme():
    reached, ahead = set[Path](), [ROOT / "README.md"]
    while ahead:
        path = ahead.pop()
        if path not in reached:
            reached.add(path)
            links = re.findall(r"\]\(([^)\s#:]+\.md)\)", path.read_text("utf-8"))
            ahead += [(path.parent / link).resolve() for link in links]
    assert [shown(path) for path in ALL if path not in reached] == []


def test_files_that_the_pages_name_are_there():
    roots = [ROOT, ROOT / "src" / "model_contracts", ROOT / "contracts"]
    gone = []
    for path in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        if path.name.startswith("qualification"):
            continue
        prose = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        named = set(re.findall(r"`([\w./-]+\.(?:py|yaml))`", prose)) - NAMES_OF_OTHERS
        gone += [(shown(path), name) for name in named if not any((root / name).is_file() for root in roots)]
    assert gone == []


def test_the_import_order_of_the_page_is_the_one_that_is_held():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in settings if one.get("containers") == ["model_contracts"])
    section = (ROOT / "docs" / "design.md").read_text("utf-8").partition("\n## Import order\n")[2]
    assert section.split("```")[1].strip().splitlines() == layers


def fields(module: ModuleType, *types: str) -> set[str]:
    found = [getattr(module, name) for name in types]
    return {field for one in found if issubclass(one, BaseModel) for field in one.model_fields}


def test_the_page_of_families_tells_every_field():
    told = set(re.findall(r"`(\w+)\b[^`\n]*`", (ROOT / "docs" / "families.md").read_text("utf-8")))
    owed = fields(family, "Family", "FamilyTensor", "Fused", "Layers", "LayoutStep")
    owed |= fields(hyperparameter, "HyperParameter", "Default")
    assert owed - told - {"id"} == set()
