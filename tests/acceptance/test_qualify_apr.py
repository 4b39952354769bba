"""A real apr 0.72.3, recorded: what is wrong stands under its one cause, and what it does right is not blamed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from model_contracts.outcome import Evidence, Outcome
from model_contracts.reporters.causes import CauseGroup, causes
from support.apr_qualification import PAGE, installed, lay_out, page, qualified
from support.apr_stand_in import RECORDED
from support.command import Result, contracts
from support.shared_models import shared

CONVERTER, RUNTIME = "converter/apr", "runtime/apr"
#: Every gate that begins or ends with a conversion that writes safetensors.
TO_SAFETENSORS = {"F-CONV-A-S", "F-CONV-G-S", "F-CONV-RT-002", "F-CONV-RT-003"}
CLOSED = {
    f"{CONVERTER}/types/quantised": {
        "F-CONV-S-G",
        "F-CONV-A-G",
        "F-CONV-COM-001",
        "F-CONV-RT-001",
        "F-CONV-RT-002",
        "F-CONV-RT-003",
        "F-CONV-RT-004",
        "F-CONV-RT-BYTE-001",
        "F-GOLDEN-RULE-001",
    },
    f"{CONVERTER}/types/upcast": {*TO_SAFETENSORS, "F-CONV-RT-BYTE-001"},
    f"{CONVERTER}/tokenizer": {*TO_SAFETENSORS, "F-CONV-RT-001"},
    f"{CONVERTER}/configuration": {*TO_SAFETENSORS, "F-CONV-RT-001"},
    f"{CONVERTER}/container": {"F-CONV-S-G", "F-CONV-A-G", "F-CONV-CARD-001"},
    f"{CONVERTER}/tokenizer/chat_template": {"F-CONV-S-G", "F-CONTRACT-I1-001"},
    f"{CONVERTER}/tokenizer_given": {"F-CONV-TOKENIZER-001"},
    f"{CONVERTER}/dotted_folder": {"F-PATH-001"},
    f"{RUNTIME}/framing": {"F-CONTRACT-I1-001"},
}
SAYS = {
    f"{CONVERTER}/types/quantised": (
        "28 of 51 tensors: expected F32, observed Q4_K",
        "quantised from BF16",
        "general.file_type says file_type 0 (F32)",
    ),
    f"{CONVERTER}/types/upcast": ("50 of 50 tensors: expected BF16, observed F32", "torch_dtype says bfloat16"),
    f"{CONVERTER}/tokenizer": ("loses the tokenizer", "the 2,000 tokens of the source", "tokenizer.json"),
    f"{CONVERTER}/configuration": (
        "max_position_embeddings: expected 2048, observed 32768",
        "sliding_window: expected none, observed 32768",
        "bos_token_id: expected none (and a token id below 2,000), observed 151643",
        "eos_token_id: expected 2 (and a token id below 2,000), observed 151645",
    ),
    f"{CONVERTER}/container": (
        "token_embd.weight: expected byte 2,048,000 of the data, observed byte 0",
        "output.weight lies on the same bytes",
        "llama.cpp refuses to load this",
    ),
    f"{CONVERTER}/tokenizer/chat_template": ("loses the chat template", "observed none"),
    f"{CONVERTER}/tokenizer_given": ("the tokenizer is given", "exit code 5", "Missing vocab_size (0)"),
    f"{CONVERTER}/dotted_folder": ("exit_code", "expected 0, observed 5", "Unknown format extension: .5b-instruct"),
    f"{RUNTIME}/framing": ("31 tokens of 'What is 2+2?' for safetensors, 9 for apr",),
}
SHOWN_BY = {
    f"{CONVERTER}/types/quantised": "contracts convert tiny-qwen2 Qwen2.5-Coder-0.5B-Instruct.S-G.gguf --converter apr",
    f"{CONVERTER}/container": "apr rosetta convert tiny-qwen2/model.safetensors ",
    f"{CONVERTER}/configuration": "apr rosetta convert Qwen2.5-Coder-0.5B-Instruct.S-A.apr ",
    f"{CONVERTER}/tokenizer_given": "apr rosetta convert weights-only.gguf ",
    f"{CONVERTER}/dotted_folder": "apr rosetta inspect Qwen/Qwen2.5-Coder-0.5B-Instruct --json",
    f"{RUNTIME}/framing": "apr run tiny-qwen2/model.safetensors --prompt 'What is 2+2?'",
}
#: What apr does right: no conversion to .apr loses anything, and it answers in every format.
RIGHT = {
    ("G0-FORMAT-APR-001", "apr"),
    ("G0-FORMAT-GGUF-001", "gguf"),
    *(("G0-VALIDATE-001", format) for format in ("safetensors", "apr", "gguf")),
    ("F-CONV-S-A", "apr"),
    ("F-CONV-SafeTensors-Apr", "apr"),
    ("F-CONV-G-A", "apr"),
    ("F-CONV-NAME-001", None),
    ("F-GOLDEN-RULE-001", "apr"),
    *((f"F-CONTRACT-{gate}-001", format) for gate in ("I2", "I4", "I5") for format in ("apr", "gguf")),
    *((gate, format) for gate in ("F-A1-001", "F-A3-001") for format in ("safetensors", "apr", "gguf")),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it was qualified."""
    shared(RECORDED)
    return tmp_path_factory.mktemp("apr")


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    """The whole qualification, once."""
    return qualified(folder)


@pytest.fixture(scope="module")
def groups(result: Result) -> dict[str, CauseGroup]:
    """Causes by their keys."""
    outcomes: Evidence = tuple(Outcome.model_validate(e) for e in result.evidence)
    return {group.key: group for group in causes(outcomes)}


def test_it_ends_with_a_verdict_and_nothing_of_it_is_our_own_fault(result: Result) -> None:
    assert (result.code, result.gates("Error"), result.gates("Timeout"), result.gates("Crashed")) == (
        1,
        set(),
        set(),
        set(),
    ), result.stderr
    assert result.stdout.startswith("27 of 64 hold; 9 causes\n")


def test_each_thing_that_was_seen_is_one_cause_with_its_gates_and_there_is_no_other(
    groups: dict[str, CauseGroup],
) -> None:
    assert {key: {outcome.gate_id for outcome in group.outcomes} for key, group in groups.items()} == CLOSED
    assert {key: group.component for key, group in groups.items()} == {key: key.split("/")[0] for key in CLOSED}


@pytest.mark.parametrize("key", SAYS)
def test_a_cause_says_the_whole_with_its_numbers(key: str, groups: dict[str, CauseGroup]) -> None:
    statement = groups[key].statement
    assert [part for part in SAYS[key] if part not in statement] == [], statement


@pytest.mark.parametrize("key", SHOWN_BY)
def test_a_cause_is_shown_again_by_a_command_without_a_path_of_this_machine(
    key: str, groups: dict[str, CauseGroup], folder: Path
) -> None:
    reproduction = groups[key].reproduction or ""
    assert SHOWN_BY[key] in reproduction
    assert str(folder) not in reproduction


@pytest.mark.parametrize(
    ("key", "code"),
    [("configuration", 1), ("tokenizer_given", 1), ("dotted_folder", 5)],
)
def test_the_command_shows_it_from_the_source_alone(
    key: str, code: int, groups: dict[str, CauseGroup], tmp_path: Path
) -> None:
    lay_out(tmp_path)
    command = groups[f"{CONVERTER}/{key}"].reproduction or ""
    with installed(tmp_path):
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    shown = {"configuration": "bos_token_id", "tokenizer_given": "vocab_size", "dotted_folder": ".5b-instruct"}[key]
    assert shown in done.stdout + done.stderr


def test_what_framing_is_told_apart_from_what_was_lost_on_the_way(result: Result) -> None:
    to_gguf = scenario(result, "F-CONTRACT-I1-001", "gguf")
    assert [cause["key"] for cause in to_gguf["causes"]] == [
        f"{RUNTIME}/framing",
        f"{CONVERTER}/tokenizer/chat_template",
    ]
    lengths = [(c["expected"], c["observed"]) for c in to_gguf["comparisons"] if c["measure"] == "prompt_length"]
    assert lengths[:3] == [(31, 9), (36, 8), (32, 9)]


def test_a_quantised_model_answers_otherwise_where_its_source_is_sure(result: Result) -> None:
    golden = scenario(result, "F-GOLDEN-RULE-001", "gguf")
    parted = [c for c in golden["comparisons"] if not c["holds"]]
    assert [c["measure"] for c in parted] == ["greedy_tokens"] * 2
    assert all(c["smallest_passing_tolerance"] > 2 * c["tolerance"] for c in parted)


def test_nothing_is_blamed_that_apr_does_right(result: Result) -> None:
    held = {(e["gate_id"], e["scenario"]["format"]) for e in result.evidence if e["outcome"] == "Corroborated"}
    assert held >= RIGHT, RIGHT - held


def test_what_was_not_recorded_is_skipped_with_that_reason_and_never_falsified(result: Result) -> None:
    skipped = {e["gate_id"] for e in result.evidence if e["outcome"] == "Skipped" and "not recorded" in e["reason"]}
    assert skipped == {"F-A5-001", "F-PERF-001", "F-PERF-002", "F-PROFILE-001"}
    falsified = [e for e in result.evidence if e["outcome"] == "Falsified"]
    assert [e["gate_id"] for e in falsified if "not recorded" in json.dumps(e)] == []


def test_no_gate_is_decided_by_what_a_program_printed_as_an_answer(result: Result) -> None:
    recorded = json.loads((RECORDED / "playbook" / "records.json").read_text("utf-8"))
    said = {_text(record["stdout"]) for record in recorded if record["verb"] == "run"} - {"", None}
    compared = [str(c[side]) for e in result.evidence for c in e["comparisons"] for side in ("expected", "observed")]
    assert len(said) > 10
    assert said & set(compared) == set()
    assert all(e["violated"] for e in result.evidence if e["outcome"] == "Falsified")


def test_the_evidence_is_valid_and_the_audit_accuses_none_of_it(result: Result, folder: Path) -> None:
    place = folder / "qualification" / "evidence.json"
    assert contracts("evidence", "validate", place).code == 0
    audit = contracts("evidence", "audit", place)
    assert (audit.code, "0 of 27 green lines prove nothing; 0 of 16 red ones" in audit.stdout) == (0, True)


def test_the_page_in_docs_is_what_is_printed_today(result: Result, folder: Path) -> None:
    printed = page(folder)
    assert str(folder) not in printed
    assert PAGE.read_text("utf-8") == printed, "python tests/support/apr_qualification.py writes it again"


def scenario(result: Result, gate: str, format: str) -> dict:
    return next(e for e in result.evidence if e["gate_id"] == gate and e["scenario"]["format"] == format)


def _text(printed: str) -> str | None:
    try:
        return json.loads(printed)["text"]
    except (ValueError, KeyError):
        return None
