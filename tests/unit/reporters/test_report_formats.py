"""Reports for other systems: each is what its published schema says, is bounded, and takes no name for a command."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path

import jsonschema
import pytest
import xmlschema
from hypothesis import HealthCheck, example, given, settings
from markdown_it import MarkdownIt

from model_contracts.decision import decide
from model_contracts.outcome import Excuse, Place, Subject, Terms
from model_contracts.reporters import REPORTERS
from model_contracts.reporters.faults import WORST, faults
from model_contracts.reporters.unobeyed import unobeyed
from support.hostile import TEXTS, evidence
from support.hostile import WORST as HOSTILE
from support.outcomes import comparison, outcome, record
from support.qualified import qualified, without_tokenizer

SCHEMAS = Path(__file__).resolve().parents[2] / "data" / "schemas"
PAGES = ("summary", "markdown", "card")
FORMS = (*PAGES, "sarif", "junit", "github", "gitlab", "json")
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
OURS = re.compile(r"^(<!-- model-contracts -->|<details><summary>[\w ,()-]+</summary>|</details>)$")
#: Seconds of Hypothesis are what this file costs: names are few and bad.
HYPOTHESIS = settings(database=None, deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])


def written(form: str, outcomes, run) -> str:
    return REPORTERS[form](outcomes, run, width=100, color=False)


@cache
def sarif_schema() -> jsonschema.Draft4Validator:
    return jsonschema.Draft4Validator(json.loads((SCHEMAS / "sarif-2.1.0.json").read_text()))


@cache
def junit_schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(SCHEMAS / "junit-10.xsd")


#: A fault of 40,000 places, of which evidence lists fifty.
MANY = outcome(
    "Falsified",
    "G0-MANY-001",
    violated=40_000,
    comparisons=tuple(
        comparison(False, measure="rmse", place=Place(tensor=f"t{at}"), tolerance=1.0, smallest_passing_tolerance=at)
        for at in range(50)
    ),
)


@HYPOTHESIS
@given(TEXTS)
@example(HOSTILE)
def test_whatever_a_file_is_called_sarif_is_what_its_schema_says(name):
    log = json.loads(written("sarif", *evidence(name)))
    assert [error.message for error in sarif_schema().iter_errors(log)] == []
    results = log["runs"][0]["results"]
    assert [(result["ruleId"], result["kind"]) for result in results] == [
        ("G-A-1", "fail"),
        ("G-A-6", "fail"),
        ("G-A-3", "open"),
        ("G-A-4", "open"),
        ("G-A-2", "fail"),
        ("G-A-5", "fail"),
    ]
    assert [result["ruleId"] for result in results if result.get("suppressions")] == ["G-A-5"]


@HYPOTHESIS
@given(TEXTS)
@example(HOSTILE)
def test_whatever_a_file_is_called_junit_is_what_its_schema_says(name):
    text = written("junit", *evidence(name))
    root = ET.fromstring(text)
    assert [str(error) for error in junit_schema().iter_errors(root)] == []
    cases = {case.get("name", "")[:5]: [child.tag for child in case] for case in root.iter("testcase")}
    assert cases == {
        "G-A-1": ["failure"],
        "G-A-2": ["skipped"],
        "G-A-3": ["error"],
        "G-A-4": ["error"],
        "G-A-5": ["skipped"],
        "G-A-6": ["failure"],
        "G-A-7": [],
        "G-A-8": ["skipped"],
    }
    types = {child.get("type") for case in root.iter("testcase") for child in case}
    assert types >= {"not proven", "not owed", "warning", "excused"}


@HYPOTHESIS
@given(TEXTS)
@example(HOSTILE)
def test_whatever_a_file_is_called_a_line_is_one_annotation(name):
    text = written("github", *evidence(name))
    lines = text.removesuffix("\n").split("\n")
    assert [line.split(" ")[0] for line in lines] == ["::error"] * 4 + ["::warning", "::notice"]
    assert all(re.fullmatch(r"::\w+ file=[^,:\r\n]*,title=[^,:\r\n]*::[^\r\n]*", line) for line in lines)
    assert text.replace("\n", "").isprintable()


@HYPOTHESIS
@given(TEXTS)
@example(HOSTILE)
def test_whatever_a_file_is_called_gitlab_reads_issues(name):
    issues = json.loads(written("gitlab", *evidence(name)))
    jsonschema.Draft202012Validator(json.loads((SCHEMAS / "gitlab-code-quality.json").read_text())).validate(issues)
    assert len({issue["fingerprint"] for issue in issues}) == len(issues) == 6


@HYPOTHESIS
@given(TEXTS)
@example(HOSTILE)
def test_whatever_a_file_is_called_a_page_has_our_markup_alone(name):
    for form in PAGES:
        text = written(form, *evidence(name))
        tokens = MARKDOWN.parse(text)
        inner = {child.type for token in tokens for child in token.children or ()}
        assert inner <= {"text", "text_special", "code_inline", "softbreak", "strong_open", "strong_close"}
        html = [line for token in tokens if token.type == "html_block" for line in token.content.splitlines() if line]
        assert [line for line in html if not OURS.match(line)] == []
        assert text.replace("\n", "").isprintable()
        assert not {"code_block", "hr", "blockquote_open"} & {token.type for token in tokens}


@HYPOTHESIS
@given(TEXTS)
@example(HOSTILE)
@example("::set-output name=a::b")
@example("##[add-mask]x")
def test_whatever_a_file_is_called_no_printed_line_is_a_command_but_our_own(name):
    outcomes, run = evidence(name)
    for form in ("text", *FORMS):
        text = unobeyed(written(form, outcomes, run), form)
        if form != "github":
            assert [line for line in text.splitlines() if line.lstrip().startswith("::") or "##[" in line] == [], form
        if form in ("json", "sarif", "gitlab"):
            assert json.loads(text) == json.loads(written(form, outcomes, run))
        if form == "junit":
            assert ET.canonicalize(text) == ET.canonicalize(written(form, outcomes, run))


@pytest.mark.parametrize("form", FORMS)
def test_a_report_is_a_function_of_the_evidence_alone(form):
    run = evidence("m")
    assert written(form, *run) == written(form, *run)


@pytest.mark.parametrize("form", (*PAGES, "sarif", "junit", "github", "gitlab"))
def test_forty_thousand_comparisons_of_a_kind_are_one_line_with_the_worst_ten(form):
    text = written(form, (MANY,), record((MANY,)))
    assert len(text) < 20_000
    assert "39,990" in text or "40,000" in text or "39,999" in text
    assert "t49" in text, "the worst"
    assert not re.search(r"\bt39\b", text), "the eleventh"


def test_the_worst_ten_are_told_and_the_others_counted():
    (fault,) = faults((MANY,), record((MANY,)))
    assert [comparison.place.tensor for comparison in fault.comparisons] == [f"t{at}" for at in range(49, 39, -1)]
    assert (len(fault.comparisons), fault.more) == (WORST, 39_990)


def test_at_most_ten_annotations_of_a_kind():
    outcomes = tuple(outcome("Falsified", f"G0-NR-{at:03}") for at in range(30))
    lines = written("github", outcomes, record(outcomes)).splitlines()
    assert len(lines) == 10
    assert lines[-1].startswith("::error title=21 more::G0-NR-009, ")


def test_a_fingerprint_stays_when_the_file_is_renamed_and_the_offset_moves():
    def prints(file: str, offset: int, observed: float) -> dict[str, str]:
        place = Place(file=file, tensor="a.weight", offset=offset)
        subject = Subject(name=file, path=file, format="gguf")
        one = outcome("Falsified", comparisons=(comparison(False, place=place, observed=observed),), subject=subject)
        (result,) = json.loads(written("sarif", (one,), record((one,))))["runs"][0]["results"]
        return result["partialFingerprints"]

    first = prints("a.gguf", 10, 1.5)
    assert prints("b.gguf", 99, 1.5) == first
    moved = prints("a.gguf", 10, 1.6)
    assert moved["contractsPlace/v1"] == first["contractsPlace/v1"]
    assert moved["contractsContent/v1"] != first["contractsContent/v1"]


def test_a_gate_of_ours_has_help_from_its_definition():
    one = outcome("Falsified", "F-CONTRACT-I2-001", invariant="I-2-tensor-name-bijection")
    (gate,) = json.loads(written("sarif", (one,), record((one,))))["runs"][0]["tool"]["driver"]["rules"]
    assert "answers to exactly one of the target" in gate["fullDescription"]["text"]
    assert "contracts explain F-CONTRACT-I2-001" in gate["help"]["markdown"]


@pytest.mark.parametrize(
    ("terms", "tags"),
    [
        (Terms(), ["failure", "error", "skipped"]),
        (Terms(fail_on="should"), ["failure", "error", "failure"]),
        (Terms(not_proven="pass"), ["failure", "skipped", "skipped"]),
        (Terms(fail_on="never"), ["skipped", "skipped", "skipped"]),
    ],
)
def test_a_case_fails_where_the_gate_is_closed_by_it(terms, tags):
    outcomes = (outcome("Falsified"), outcome("Skipped", "G-A-2"), outcome("Falsified", "G-A-3", force="should"))
    run = record(outcomes, decision=decide(outcomes, terms))
    root = ET.fromstring(written("junit", outcomes, run))
    assert [child.tag for case in root.iter("testcase") for child in case] == tags


def test_a_summary_that_is_too_long_for_a_comment_leaves_out_details_and_says_so():
    outcomes = tuple(outcome("Falsified", f"G0-NR-{at:04}", title="x " * 200) for at in range(900))
    text = written("summary", outcomes, record(outcomes))
    assert len(text) < 65_536
    assert "longer parts are left out" in text
    assert "**FALSIFIED** (exit 1)" in text


def test_the_card_says_which_source_with_which_digest():
    against = Subject(name="source", path="/s", format="safetensors", digest="blake3:12")
    one = outcome(subject=Subject(name="m", path="m.gguf", format="gguf", digest="blake3:34", against=against))
    text = written("card", (one,), record((one,), not_evaluated={"G-B-1": "left out by --only"}))
    assert "Held against the source `source` (`safetensors`), weights `blake3:12`." in text
    assert "left out by --only: G-B-1" in text
    assert "contracts check m" in text
    alone = written("card", (outcome(),), record((outcome(),)))
    assert "Held against no source" in alone


def test_what_is_excused_is_said_on_every_page():
    excuse = Excuse(by="waiver", source="waivers.yaml:2", reason="agreed", owner="alice", expires="2030-01-01")
    outcomes = (outcome(), outcome("Falsified", "G-A-2", excused=excuse))
    run = record(outcomes)
    for form in (*PAGES, "text", "github", "sarif", "junit", "json"):
        text = written(form, outcomes, run)
        assert "alice" in text and "2030-01-01" in text, form


def test_the_verdict_says_cause_class_and_the_next_command():
    one = outcome("Falsified", fault="corrupt")
    verdict = json.loads(written("json", (one,), record((one,))))["verdict"]
    assert verdict == {
        "word": "falsified",
        "exit_code": 1,
        "cause": "mean at a.weight: expected 1, observed 1.5",
        "class": "corrupt",
        "gates": ["G0-TEST-001"],
        "excused": [],
        "terms": "",
        "next": "contracts check m --only G0-TEST-001",
        "explain": "contracts explain G0-TEST-001",
        "files": [],
    }
    kept = json.loads(written("json", (outcome(),), record((outcome(),))))["verdict"]
    assert (kept["word"], kept["cause"], kept["class"], kept["next"]) == ("kept", None, None, None)


@pytest.mark.parametrize("form", FORMS)
def test_a_qualification_is_reported_in_every_form(form):
    seen = (outcome(), *without_tokenizer())
    run = qualified(seen)
    text = written(form, seen, run)
    assert without_tokenizer()[0].gate_id in text
    if form == "sarif":
        assert list(sarif_schema().iter_errors(json.loads(text))) == []
    if form == "junit":
        assert list(junit_schema().iter_errors(ET.fromstring(text))) == []
