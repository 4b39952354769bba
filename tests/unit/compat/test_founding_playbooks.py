"""Playbooks of the founding system: read as they are, mapped where we have it, and the rest said by name."""

from __future__ import annotations

import pytest

from model_contracts.compat.apr_qa.playbook import is_founding, load_founding_playbook
from model_contracts.definitions import DefinitionError
from model_contracts.inference.oracles import ORACLES
from model_contracts.qualification.reading import any_playbook
from support.founding_playbooks import FULL, MVP, PROMPTS

LEAST = 'name: a\nversion: "1.0.0"\nmodel: {hf_repo: Org/Name-0.5B}\ntest_matrix: {}\n'
NOTHING = "nothing here reads it"


@pytest.fixture
def read(tmp_path):
    def reading(text, name="some.playbook.yaml"):
        (tmp_path / name).write_text(text, "utf-8")
        playbook, left = load_founding_playbook(tmp_path / name)
        assert len(left) == len(dict(left)), "each key is said once"
        return playbook, dict(left)

    return reading


def test_the_mvp_playbook_is_mapped_whole(read):
    playbook, left = read(MVP)
    assert playbook.model.id == "Qwen/Qwen2.5-Coder-0.5B-Instruct" and playbook.id == "qwen2.5-coder-0.5b-mvp"
    assert playbook.formats == ("safetensors", "apr", "gguf") and playbook.quantisations == ("q4_k_m",)
    assert playbook.modalities == ("run", "chat", "serve") and playbook.backends == ("cpu", "gpu")
    assert playbook.prompts == PROMPTS and playbook.seed == 42 and playbook.failure == "collect-all"
    assert playbook.limits is not None and playbook.limits.answer_seconds == 60
    measured = playbook.measured
    assert measured is not None
    assert (measured.warmup, measured.runs, measured.min_tokens_per_second) == (1, 2, 5.0)
    assert playbook.gates is not None
    assert [(choice.gates, choice.force) for choice in playbook.gates] == [
        (("F-CONTRACT-I2-001", "F-CONTRACT-I3-001"), "must"),
        (("F-PERF-001",), "must"),
    ]
    assert left == {
        "model.size_category": "it describes, and decides nothing",
        "test_matrix.scenario_count": "every prompt is asked once in every format, modality and backend",
    }


def test_oracles_are_told_which_prompts_are_theirs_and_take_quoted_numbers(read):
    oracles = read(MVP)[0].oracles
    assert oracles is not None
    assert [choice.oracle for choice in oracles] == ["arithmetic", "garbage"]
    assert oracles[0].prompts == PROMPTS[:4] and oracles[0].parameters == {"tolerance": 1e-5}
    assert oracles[1].prompts == () and oracles[1].parameters == {"max_repetition": 0.3, "min_unique_characters": 5}


def test_parameters_of_an_oracle_may_stand_under_config_as_in_older_playbooks(read):
    config = "{type: garbage, config: {max_repetition_ratio: 0.3, min_unique_chars: 10}}"
    playbook, left = read(LEAST + f"oracles: [{config}, {{type: garbage, config: {{min_unique_chars: -1, x: 1}}}}]")
    assert playbook.oracles is not None
    assert playbook.oracles[0].parameters == {"max_repetition": 0.3, "min_unique_characters": 10}
    assert left == {"oracles[1].config.min_unique_chars": "0 or more is held", "oracles[1].config.x": NOTHING}


def test_every_parameter_of_an_oracle_is_one_that_our_oracle_takes(read):
    for choice in read(FULL)[0].oracles:
        ORACLES[choice.oracle].parameters.model_validate(choice.parameters)


def test_of_a_playbook_with_every_key_what_is_not_evaluated_is_said_by_name(read):
    playbook, left = read(FULL)
    assert playbook.tier == "full" and playbook.failure == "stop-on-first"
    assert playbook.model.expected == {
        "hidden_size": 3584,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
        "intermediate_size": 18944,
    }
    assert (playbook.model.family, playbook.model.size) == ("qwen2", "7b")
    assert len(playbook.quantisations) == 11 and playbook.formats == ("safetensors", "apr", "gguf")
    assert playbook.limits.answer_seconds == 600 and playbook.measured.min_tokens_per_second == 5.0
    assert left.keys() == {
        "description",
        "model.formats[3]",
        "model.size_category",
        "test_matrix.modalities[3]",
        "test_matrix.scenario_count",
        "gates.g3_no_crashes",
        "oracles[1].loudness",
        "oracles[2].languages[2]",
        "oracles[3]",
        "oracles[4]",
        "contract_tests.invariants[4]",
        "profile_ci.formats",
        "profile_ci.backends",
        "profile_ci.gates",
        "profile_ci.assertions.min_throughput",
        "profile_ci.assertions.min_throughput_gpu",
        "profile_ci.assertions.max_p50_ms",
        "profile_ci.assertions.max_p99_ms",
        "differential_tests.tensor_diff",
        "differential_tests.inference_compare",
        "differential_tests.fingerprint",
        "differential_tests.validate_stats",
        "trace_payload",
        "ollama_parity",
        "property_tests",
        "metadata.author",
        "metadata.architecture",
        "metadata.tags",
        "metadata.expected_mqs",
        "state_machine",
    }
    assert left["differential_tests.tensor_diff"].startswith("F-ROSETTA-DIFF-001, F-ROSETTA-DIFF-002: ")
    assert "'onnx'" in left["model.formats[3]"] and left["state_machine"] == "nothing here reads it"


def test_what_a_playbook_leaves_out_is_left_to_its_tier_but_their_default_of_a_failure(read):
    playbook, left = read(LEAST)
    assert left == {} and playbook.failure == "stop-on-must" and playbook.tier == "mvp"
    assert (playbook.prompts, playbook.oracles, playbook.formats, playbook.gates) == (None, None, None, None)
    assert playbook.model.id == "Org/Name-0.5B"


@pytest.mark.parametrize(
    ("text", "key", "why"),
    [
        ("failure_policy: give_up", "failure_policy", "'give_up' is not known"),
        ("profile_ci: {warmup: soon}", "profile_ci.warmup", "expected a whole number, found 'soon'"),
        ("profile_ci: {measure: 99}", "profile_ci.measure", "1 to 50"),
        ('profile_ci: {assertions: {min_throughput: "-1"}}', "profile_ci.assertions.min_throughput", "above 0"),
        ("profile_ci: yes please", "profile_ci", "nothing here reads it"),
        ("gates: {g1_model_loads: maybe}", "gates.g1_model_loads", "expected true or false"),
        ("oracles: {type: garbage}", "oracles", "expected a list"),
        ("oracles: [{type: garbage, max_repetition_ratio: 3}]", "oracles[0].max_repetition_ratio", "up to 1"),
        ("oracles: [{type: garbage, min_unique_chars: .5}]", "oracles[0].min_unique_chars", "whole number"),
        ("oracles: [{type: arithmetic, tolerance: nan}]", "oracles[0].tolerance", "expected a number"),
        ("contract_tests: {invariants: I-2}", "contract_tests.invariants", "expected a list"),
        ("ollama_parity: [a]", "ollama_parity", "ollama is not run"),
        ("metadata: {author: somebody}", "metadata", "it describes"),
        ("metadata: {tier: [mvp]}", "metadata.tier", "is not known"),
    ],
)
def test_a_value_that_cannot_be_meant_is_left_by_name_and_refuses_nothing(text, key, why, read):
    assert why in read(LEAST + text)[1][key]


def test_a_section_that_is_switched_off_asks_for_nothing(read):
    playbook, left = read(
        LEAST + 'profile_ci: {enabled: "False", measure: 3}\nollama_parity: {enabled: false, gates: [F-OLLAMA-001]}\n'
    )
    assert left == {} and playbook.measured is None
    assert [(choice.gates, choice.force) for choice in playbook.gates] == [(("F-PERF-*", "F-PROFILE-*"), "left-out")]


def test_without_output_quality_no_oracle_holds_an_answer(read):
    playbook, left = read(LEAST + 'gates: {g4_output_quality: "false"}\noracles: [{type: garbage}]\n')
    assert playbook.oracles == () and left == {"oracles": "gates.g4_output_quality is false"}


def test_oracles_without_a_prompt_of_theirs_are_left(read):
    left = read(LEAST.replace("{}", "{prompts: [Hello!]}") + "oracles: [{type: arithmetic}, {type: code_syntax}]\n")[1]
    assert left == {"oracles[0]": "no prompt asks a sum", "oracles[1]": "no prompt asks for code"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", "a mapping"),
        ("name: a\nversion: 1\nmodel: {hf_repo: a/b}\n", "the key 'test_matrix'"),
        (LEAST.replace("Org/Name-0.5B", "[Name]"), "yaml:3:18: expected `organisation/name`, found a list of 1"),
        (LEAST.replace("Org/Name-0.5B", "/"), "yaml:3:18: expected `organisation/name`, found '/'"),
        (LEAST.replace("name: a", "name: {a: b}"), "1:7"),
        (LEAST.replace("model: {hf_repo: Org/Name-0.5B}", "model: text"), "`organisation/name`"),
        (LEAST + "a: &x [1]\nb: *x\n", "no anchors"),
        (LEAST + "name: b\n", "each key once"),
        (LEAST + "a: " + "[" * 100 + "]" * 100, "levels"),
        (LEAST + "a: !!python/object:os.system x", "no tags"),
        ("#" * ((1 << 20) + 1), "at most"),
    ],
)
def test_what_is_no_playbook_or_hostile_is_refused_at_its_place(text, expected, read, tmp_path):
    with pytest.raises(DefinitionError) as refused:
        read(text)
    shown = str(refused.value)
    assert shown.startswith(str(tmp_path / "some.playbook.yaml")) and "\n" not in shown
    assert expected in shown


def test_a_bound_of_ours_knows_the_line_of_theirs(read, tmp_path):
    playbook = read(MVP)[0]
    line = playbook.where("measured", "min_tokens_per_second").rsplit(":", 1)[1]
    assert "min_throughput_cpu" in MVP.splitlines()[int(line) - 1]
    assert playbook._origin is not None and playbook._origin.digest.startswith("blake3:")


def test_of_many_keys_that_nothing_reads_200_are_said_and_the_others_counted(read):
    left = read(LEAST + "".join(f"k{number}: 1\n" for number in range(300)))[1]
    assert len(left) == 201 and left["…"] == "and 100 more keys"


def test_a_key_shows_nothing_that_a_terminal_obeys(read):
    left = read(LEAST + '"k\\e[2J": 1\nollama_parity: {gates: ["\\e[2J"]}\n')[1]
    assert set(left) == {"k\\x1b[2J", "ollama_parity"} and "\x1b" not in left["ollama_parity"]


def test_a_file_is_theirs_by_its_name_or_by_its_keys(tmp_path):
    (tmp_path / "a.playbook.yaml").write_text("x: 1")
    (tmp_path / "b.yaml").write_text(LEAST)
    (tmp_path / "c.yaml").write_text("id: c\ntitle: t\nmodel: {id: a/b}\n")
    assert [is_founding(tmp_path / name) for name in ("a.playbook.yaml", "b.yaml", "c.yaml")] == [True, True, False]
    assert any_playbook(tmp_path / "b.yaml")[0].model.id == "Org/Name-0.5B"
    assert any_playbook(tmp_path / "c.yaml")[0].model.id == "a/b"
