"""Golden files: what a model answered is kept; a conversion is held to it on its own runtime, without the source."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from cases.interface import LLAMA, LLAMA_Q8_0, QWEN2, QWEN2_Q4_K_M
from cases.variants import BROKEN
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check
from model_contracts.outcome import Outcome
from support.command import contracts

pytestmark = [
    pytest.mark.skipif(
        find_spec("transformers") is None or find_spec("torch") is None, reason="transformers or torch is not installed"
    ),
    pytest.mark.skipif(find_spec("xllamacpp") is None, reason="xllamacpp is not installed"),
]
VARIANTS = {variant.name: variant for variant in BROKEN}
GATE = "F-GOLDEN-RULE-003"


def recorded(model: Path, folder: Path) -> Path:
    file = folder / "golden.json"
    done = contracts("golden", "record", model, "-o", file, "--prompts", "4", "--seed", "7")
    assert (done.code, done.stderr) == (0, "")
    assert "on transformers, seed 7" in done.stdout
    return file


@pytest.fixture(scope="module")
def qwen2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(QWEN2, tmp_path_factory.mktemp("qwen2"))


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(LLAMA, tmp_path_factory.mktemp("llama"))


def held(target: Path, golden: Path, *, dtype: str | None = None) -> Outcome:
    """The outcome of the gate, without any source."""
    found, _ = check(CheckRequest((target,), golden=golden, dtype=dtype, only=(GATE,)))
    (outcome,) = found
    return outcome


def test_a_recorded_file_holds_every_framing_and_long_prompts_and_keeps_its_schema(qwen2: Path) -> None:
    from jsonschema import Draft202012Validator

    golden = json.loads(qwen2.read_bytes())
    schema = json.loads((Path(__file__).parents[2] / "schemas" / "golden.schema.json").read_bytes())
    assert [error.message for error in Draft202012Validator(schema).iter_errors(golden)] == []
    framings = [prompt["framing"] for prompt in golden["prompts"]]
    assert {framing: framings.count(framing) for framing in framings} == {"plain": 4, "code": 4, "chat": 4}
    assert max(prompt["answers"]["positions"] for prompt in golden["prompts"]) > 512
    assert (golden["top"], golden["seed"]) == (64, 7)
    assert {"model-contracts", "transformers"} <= golden["versions"].keys()
    assert [path.name for path in qwen2.parent.iterdir()] == ["golden.json"]


def test_an_honest_conversion_answers_as_the_file_holds(qwen2: Path) -> None:
    found = held(QWEN2_Q4_K_M, qwen2)
    assert (found.outcome, found.skip_cause) == ("Corroborated", None)
    assert found.compared > 1000
    assert found.subject.against is None
    whole = next(c for c in found.comparisons if c.place.key == "positions all" and c.note)
    assert "settled at 99%" in whole.note
    assert whole.bound_from.startswith("invariants/golden-file.yaml:")


def test_an_honest_conversion_of_another_family_answers_as_its_file_holds(llama: Path) -> None:
    assert held(LLAMA_Q8_0, llama).outcome == "Corroborated"


@pytest.mark.parametrize(
    ("name", "file"), [("f03-norms-given-one", "qwen2"), ("f07-theta-ten-thousand", "llama")], ids=lambda value: value
)
def test_a_broken_conversion_is_falsified_at_a_prompt_and_a_position(
    name: str, file: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    target = VARIANTS[name].make(tmp_path).path
    found = held(target, request.getfixturevalue(file))
    assert found.outcome == "Falsified"
    violated = [c for c in found.comparisons if not c.holds]
    assert {c.measure for c in violated} <= {"mean_divergence", "top1_agreement", "divergence_99"}
    assert all(c.smallest_passing_tolerance > c.tolerance for c in violated)
    counterexample = found.counterexample
    assert counterexample is not None
    assert counterexample.kind == "golden_prompt"
    stored = json.loads(request.getfixturevalue(file).read_bytes())["prompts"][counterexample.input["prompt"]]
    tokens = counterexample.input["tokens"]
    assert tokens == stored["tokens"][: len(tokens)]


def test_what_was_falsified_is_replayed_from_the_evidence_and_the_golden_file(qwen2: Path, tmp_path: Path) -> None:
    target = VARIANTS["f03-norms-given-one"].make(tmp_path).path
    kept = tmp_path / "evidence"
    done = contracts("check", target, "--golden", qwen2, "--only", GATE, "-o", kept)
    assert done.code == 1, done.stderr
    again = contracts("replay", kept)
    assert again.code == 1, again.stdout + again.stderr
    assert f"{GATE}  still falsified" in again.stdout
    assert "seen      divergence" in again.stdout


def test_other_token_ids_are_falsified_as_the_prompt_and_no_weight_is_blamed(qwen2: Path, tmp_path: Path) -> None:
    found = held(VARIANTS["merge-dropped"].make(tmp_path).path, qwen2)
    assert found.outcome == "Falsified"
    first, *_ = violated = [c for c in found.comparisons if not c.holds]
    assert {c.measure for c in violated} == {"prompt_tokens"}
    assert first.expected != first.observed
    assert "say nothing of the weights" in first.note
    assert not {c.measure for c in found.comparisons} & {"mean_divergence", "top1_agreement"}


def test_a_file_of_another_vocabulary_is_falsified_before_any_prompt(llama: Path) -> None:
    from model_contracts.engine.golden_files import read
    from model_contracts.inference.golden_answers import sealed

    golden = read(llama)
    other = llama.with_name("other.json")
    wider = sealed(golden.model_copy(update={"vocabulary": golden.vocabulary + 1}))
    other.write_text(wider.model_dump_json(), encoding="utf-8")
    found = held(LLAMA_Q8_0, other)
    other.unlink()
    assert found.outcome == "Falsified"
    (violated,) = [c for c in found.comparisons if not c.holds]
    assert (violated.measure, violated.expected, violated.observed) == (
        "vocabulary",
        golden.vocabulary + 1,
        golden.vocabulary,
    )
    assert {c.measure for c in found.comparisons} == {"vocabulary"}


@pytest.mark.parametrize("edit", ["token", "answer", "text", "model"])
def test_an_edited_file_is_refused_in_one_line(edit: str, qwen2: Path, tmp_path: Path) -> None:
    golden = json.loads(qwen2.read_bytes())
    prompt = golden["prompts"][0]
    if edit == "token":
        prompt["tokens"][1] ^= 1
    elif edit == "answer":
        values = prompt["answers"]["log_probabilities"]
        prompt["answers"]["log_probabilities"] = ("B" if values[0] != "B" else "C") + values[1:]
    elif edit == "text":
        prompt["text"] += "."
    else:
        golden["model"] = "another"
    file = tmp_path / "edited.json"
    file.write_text(json.dumps(golden), encoding="utf-8")
    done = contracts("check", QWEN2_Q4_K_M, "--golden", file)
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "edited.json: not a golden file that can be used: it does not match its digest of the" in done.stderr


def test_the_default_contract_stands_beside_a_golden_file(qwen2: Path) -> None:
    from model_contracts.engine.plan import plan

    request = CheckRequest((QWEN2_Q4_K_M,))
    without = {step.gate.id for step in plan(request, QWEN2_Q4_K_M).steps}
    beside = {step.gate.id for step in plan(replace(request, golden=qwen2), QWEN2_Q4_K_M).steps}
    assert beside - without == {GATE}
    assert without <= beside


def test_one_seed_gives_one_set_of_prompts_and_another_seed_another() -> None:
    from model_contracts.engine.golden_files import record

    first, again, other = (record(QWEN2_Q4_K_M, 1, 8, seed).digests for seed in (1, 1, 2))
    assert first.prompts == again.prompts != other.prompts
    assert first.model == other.model
    assert first.tokenizer == other.tokenizer
