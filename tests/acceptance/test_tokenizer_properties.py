"""Broken tokenizers and templates are Falsified with a small input that replays; honest ones stay quiet."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from cases.interface import LLAMA, LLAMA_Q8_0, QWEN2, QWEN2_Q4_K_M, CheckArguments, Make
from cases.makers import apr, directory, document, gguf, unchanged, weights
from model_contracts.cli.main import main
from model_contracts.engine.evidence import write
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check
from model_contracts.outcome import Outcome, Run, Verdict
from model_contracts.runtimes.text import encoders
from support.conversions import to_gguf
from support.gguf_models import GgufModel
from support.mutations import copied, stored
from support.slow_machine import slow_down
from support.tokenizers import published
from support.tokenizers import stored as kept

pytest.importorskip("tokenizers")
pytest.importorskip("jinja2")

BACK, OWN_ADDED, IN_RANGE, SAME, LLAMA_CPP, ADDED, RENDER = (f"F-CONTRACT-I5-{n:03}" for n in range(5, 12))
GATES = (BACK, OWN_ADDED, IN_RANGE, SAME, ADDED, RENDER)
PRE, TOKENS, MERGES, TYPES = (f"tokenizer.ggml.{name}" for name in ("pre", "tokens", "merges", "token_type"))


def examined(arguments: CheckArguments, *gates: str, **request: Any) -> tuple[dict[str, Outcome], Run]:
    """The outcomes by gate; llama.cpp is asked only where a test names it."""
    outcomes, run = check(
        CheckRequest(
            (arguments.path,),
            against=arguments.against,
            **{"contract": "inference", "only": gates or GATES, "max_examples": 60, **request},
        )
    )
    return {outcome.gate_id: outcome for outcome in outcomes}, run


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The log of a run is not what these tests look at."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@dataclass(frozen=True)
class Broken:
    """A variant, the gates that falsify it, and what the counterexample of the first of them may be."""

    make: Make
    gates: tuple[str, ...]
    small: Callable[[dict[str, Any]], bool]
    examples: int = 60
    only: tuple[str, ...] = GATES


def _swapped(key: str, a: int, b: int) -> Callable[[GgufModel], None]:
    def edit(model: GgufModel) -> None:
        values = model[key]
        values[a], values[b] = values[b], values[a]

    return edit


def _adds_bos(model: GgufModel) -> None:
    model["tokenizer.ggml.bos_token_id"] = 1
    model["tokenizer.ggml.add_bos_token"] = True


def _normaliser(kind: str | None) -> Make:
    return document(
        QWEN2, "tokenizer.json", lambda value: value.update(normalizer=kind and {"type": kind}), against=QWEN2
    )


_TOOLS = "{% if tools %}{{ tools | tojson }}\n{% endif %}"


def _tools_branch(folder: Path) -> CheckArguments:
    """The target's template shows the first tool only."""
    source = copied(QWEN2, folder)
    template = (source / "chat_template.jinja").read_text("utf-8")
    (source / "chat_template.jinja").write_text(_TOOLS + template, "utf-8")
    model = to_gguf(source, "Q8_0")
    model["tokenizer.chat_template"] = _TOOLS.replace("tools | tojson", "tools[:1] | tojson") + template
    return CheckArguments(model.write(folder / "tiny-qwen2-Q8_0.gguf"), source)


def _declared_elsewhere(value: dict[str, Any]) -> None:
    """An added token declared with an id that the library does not give it."""
    value["added_tokens"][2]["id"] = 2005


def _few_rows(tensors: dict[str, Any]) -> None:
    name = "model.embed_tokens.weight"
    tensors[name] = stored(tensors[name].values[:1500], "BF16")


def _text(most: int) -> Callable[[dict[str, Any]], bool]:
    return lambda found: len(found["text"]) <= most


BROKEN: dict[str, Broken] = {
    "pre-tokenizer-changed": Broken(
        gguf(QWEN2_Q4_K_M, lambda model: model.__setitem__(PRE, "llama-bpe"), QWEN2), (SAME,), _text(4)
    ),
    "pre-tokenizer-of-gpt2": Broken(
        gguf(QWEN2_Q4_K_M, lambda model: model.__setitem__(PRE, "gpt-2"), QWEN2), (SAME,), _text(3)
    ),
    "merge-dropped": Broken(
        gguf(QWEN2_Q4_K_M, lambda model: model[MERGES].pop(100), QWEN2), (SAME,), _text(4), examples=2000, only=(SAME,)
    ),
    "added-tokens-shifted": Broken(
        gguf(QWEN2_Q4_K_M, _swapped(TOKENS, 1, 2), QWEN2), (SAME, ADDED), lambda found: "<|im_" in found["text"]
    ),
    "add-bos-flipped": Broken(gguf(LLAMA_Q8_0, _adds_bos, LLAMA), (SAME,), _text(0)),
    "tools-branch-edited": Broken(
        _tools_branch, (RENDER,), lambda found: len(found["messages"]) == 1 and len(found["tools"]) == 2
    ),
    "normaliser-changed": Broken(_normaliser("NFKC"), (SAME,), _text(1)),
    "normaliser-dropped": Broken(_normaliser(None), (SAME,), _text(2)),
    "decoder-dropped": Broken(
        document(QWEN2, "tokenizer.json", lambda value: value.update(decoder=None), against=QWEN2), (BACK,), _text(2)
    ),
    "added-token-declared-elsewhere": Broken(
        document(QWEN2, "tokenizer.json", _declared_elsewhere, against=QWEN2), (OWN_ADDED,), _text(12)
    ),
    "embedding-too-short": Broken(weights(QWEN2, _few_rows, against=QWEN2), (IN_RANGE,), _text(4)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_variant_is_falsified_by_a_small_input_that_replays(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = BROKEN[name]
    outcomes, run = examined(broken.make(tmp_path), *broken.only, max_examples=broken.examples)
    falsified = {gate: o for gate, o in outcomes.items() if o.outcome is Verdict.FALSIFIED}
    assert set(falsified) == set(broken.gates), {gate: o.reason for gate, o in outcomes.items()}
    found = falsified[broken.gates[0]].counterexample
    assert found is not None and isinstance(found.input, dict)
    assert broken.small(found.input), found
    assert run.decision.decided_by == tuple(falsified)
    write(tmp_path / "out", tuple(outcomes.values()), run)
    assert main(["replay", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().out
    for gate in broken.gates:
        assert f"{gate}  still falsified" in told
    assert "has changed" not in told


def _apr(source: Path) -> Make:
    return apr(source, unchanged, against=True)


HONEST: dict[str, Make] = {
    "tiny-qwen2-Q4_K_M.gguf": lambda folder: CheckArguments(QWEN2_Q4_K_M, QWEN2),
    "tiny-llama-Q8_0.gguf": lambda folder: CheckArguments(LLAMA_Q8_0, LLAMA),
    "tiny-qwen2.apr": _apr(QWEN2),
    "tiny-llama.apr": _apr(LLAMA),
    "tiny-qwen2-itself": lambda folder: CheckArguments(QWEN2, QWEN2),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_conversion_is_corroborated_over_generated_text(name: str, tmp_path: Path) -> None:
    outcomes, _ = examined(HONEST[name](tmp_path), max_examples=150)
    bad = {gate: o.reason for gate, o in outcomes.items() if o.outcome is not Verdict.CORROBORATED}
    # An .apr carries no template and marks no token as added: it owes none.
    assert set(bad) == ({OWN_ADDED, RENDER} if name.endswith(".apr") else set()), bad
    assert all(outcomes[gate].skip_cause == "not_owed" for gate in bad)
    assert outcomes[SAME].compared >= 300


def test_llama_cpp_makes_the_ids_of_the_source_and_others_where_the_pre_tokenizer_is_another(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    honest, _ = examined(CheckArguments(QWEN2_Q4_K_M, QWEN2), LLAMA_CPP, max_examples=200)
    assert honest[LLAMA_CPP].outcome is Verdict.CORROBORATED, honest[LLAMA_CPP].reason
    broken = gguf(QWEN2_Q4_K_M, lambda model: model.__setitem__(PRE, "gpt-2"), QWEN2)(tmp_path)
    outcomes, _ = examined(broken, LLAMA_CPP, max_examples=200)
    assert outcomes[LLAMA_CPP].outcome is Verdict.FALSIFIED
    assert outcomes[LLAMA_CPP].counterexample is not None


def _with_template(template: str) -> Make:
    return directory(QWEN2, lambda target: (target / "chat_template.jinja").write_text(template, "utf-8"), QWEN2)


_LIMITED = """
id: limited
title: Templates within tight limits
clauses:
  - invariant: inference/tokenizer-pair
    gates: [F-CONTRACT-I5-011]
    parameters: {seconds: 1, memory_mb: 400, owed_by: [safetensors]}
"""
_LOOP = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "verdict", "words"),
    [
        (_LOOP, Verdict.TIMEOUT, "gave no answer within its time (1 s)"),
        ("{{ 'x' * 10000000000 }}", Verdict.CRASHED, "memory"),
        ("{% for i in range(99999) %}{{ 'x' * 99999 }}{% endfor %}", Verdict.FALSIFIED, "4,194,304 characters"),
        ("{{ ''.__class__.__mro__ }}", Verdict.FALSIFIED, "unsafe"),
        ("{% for", Verdict.FALSIFIED, "TemplateSyntaxError"),
    ],
)
def test_a_hostile_template_is_an_outcome_within_its_limits(
    template: str, verdict: Verdict, words: str, tmp_path: Path
) -> None:
    contract = tmp_path / "limited.yaml"
    contract.write_text(_LIMITED, "utf-8")
    outcomes, run = examined(_with_template(template)(tmp_path), RENDER, contract=str(contract))
    assert outcomes[RENDER].outcome is verdict, outcomes[RENDER].reason
    seen = outcomes[RENDER].reason + str([c.observed for c in outcomes[RENDER].comparisons])
    assert words in seen
    assert outcomes[RENDER].counterexample is not None
    assert run.decision.exit_code == 1


def test_native_code_that_panics_over_a_tokenizer_is_crashed_with_the_texts_of_that_moment(tmp_path: Path) -> None:
    decoder = {"type": "Strip", "content": "a", "start": 10**9, "stop": 10**9}
    make = document(QWEN2, "tokenizer.json", lambda value: value.update(decoder=decoder), against=QWEN2)
    outcomes, run = examined(make(tmp_path), BACK)
    assert outcomes[BACK].outcome is Verdict.CRASHED
    assert "left with exit code 1" in outcomes[BACK].reason
    found = outcomes[BACK].counterexample
    assert found is not None and isinstance(found.input, dict) and found.input["texts"]
    assert run.decision.decided_by == (BACK,)


def test_a_template_that_refuses_everything_on_both_sides_is_not_green(tmp_path: Path) -> None:
    both = _with_template("{{ ''.__class__.__mro__ }}")(tmp_path).path
    outcomes, run = examined(CheckArguments(both, both), RENDER)
    assert (outcomes[RENDER].outcome, outcomes[RENDER].skip_cause) == (Verdict.SKIPPED, "missing_input")
    assert run.decision.exit_code == 3


@pytest.mark.parametrize(("gate", "library"), [(SAME, "tokenizers"), (BACK, "tokenizers"), (RENDER, "jinja2")])
def test_without_the_library_a_gate_is_skipped_and_says_how_to_get_it(
    gate: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "distribution", lambda name: None)
    outcomes, run = examined(CheckArguments(QWEN2_Q4_K_M, QWEN2), gate)
    assert (outcomes[gate].outcome, outcomes[gate].skip_cause) == (Verdict.SKIPPED, "missing_input")
    assert f"{library} is not installed: pip install 'model-contracts[tokenizer]'" in outcomes[gate].reason
    assert run.decision.exit_code == 3


@pytest.mark.parametrize("gate", [BACK, RENDER, SAME])
def test_a_time_budget_that_ends_the_generating_leaves_the_gate_not_proven(gate: str) -> None:
    arguments = CheckArguments(QWEN2_Q4_K_M, QWEN2)
    outcomes, run = examined(arguments, gate, max_examples=100_000, time_budget=0.3)
    found = outcomes[gate]
    assert (found.outcome, found.skip_cause, run.decision.exit_code) == (Verdict.SKIPPED, "incomplete", 3)
    assert found.owed == found.compared + sum(gap.count for gap in found.uncompared)
    assert re.search(r"stopped after 0\.3 s with [\d,]+ of [\d,]+ evaluations", found.reason)


def test_a_counterexample_is_the_same_on_a_machine_that_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = gguf(QWEN2_Q4_K_M, lambda model: model.__setitem__(PRE, "llama-bpe"), QWEN2)(tmp_path)
    idle = examined(arguments, SAME, seed=3)[0][SAME].counterexample
    slow_down(monkeypatch)
    assert idle is not None
    assert examined(arguments, SAME, seed=3)[0][SAME].counterexample == idle


def test_equal_seeds_make_equal_counterexamples(tmp_path: Path) -> None:
    arguments = gguf(QWEN2_Q4_K_M, lambda model: model[MERGES].pop(100), QWEN2)(tmp_path)
    twice = [examined(arguments, SAME, max_examples=2000, seed=11)[0][SAME].counterexample for _ in range(2)]
    assert twice[0] is not None and twice[0].seed == 11
    assert twice[0] == twice[1]


PROMPTS = "F-CONTRACT-I1-001"
SPACES = "the source's Metaspace puts no space there (first), and SentencePiece does"


def test_ids_that_part_by_the_space_that_sentencepiece_puts_are_not_proven_and_not_false(tmp_path: Path) -> None:
    pair = CheckArguments(kept("sentencepiece", tmp_path).path, published("sentencepiece", tmp_path).path)
    found, run = examined(pair, PROMPTS)
    prompts = found[PROMPTS]
    assert (prompts.outcome, prompts.skip_cause, prompts.counterexample) == (Verdict.SKIPPED, "incomplete", None)
    assert {gap.place.key for gap in prompts.uncompared} == {"code framing"}
    assert all(SPACES in gap.reason for gap in prompts.uncompared)
    assert prompts.compared > prompts.uncompared[0].count and run.decision.exit_code == 3


def test_ids_of_a_text_that_begins_with_spaces_and_part_otherwise_are_falsified(tmp_path: Path) -> None:
    def unmerged(model: GgufModel) -> None:
        at = model[TOKENS].index("\u2581\u2581")
        model[TOKENS][at] = "\u2581" * 9

    pair = CheckArguments(kept("sentencepiece", tmp_path, unmerged).path, published("sentencepiece", tmp_path).path)
    prompts = examined(pair, PROMPTS)[0][PROMPTS]
    assert (prompts.outcome, prompts.counterexample.kind) == (Verdict.FALSIFIED, "prompt_tokens")
    (broken,) = [comparison for comparison in prompts.comparisons if not comparison.holds]
    assert (broken.measure, broken.place.key) == ("prompt_tokens", "code framing")
