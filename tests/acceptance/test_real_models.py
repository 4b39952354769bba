"""What must hold on real files, through the installed command: honest ones are quiet, each fault is at its gate."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.command import check, contracts
from support.shared_models import APR_FILES, DATA, MODELS, needs_apr_files, needs_models

GGUF = sorted(path.name for path in MODELS.glob("*.gguf")) if MODELS.is_dir() else []
APR = sorted(path.name for path in APR_FILES.glob("*.apr")) if APR_FILES.is_dir() else []


def assert_clean(result, exit_code: int = 0) -> None:
    """Every `must` gate compared something and holds, or says why it owes nothing."""
    assert result.gates("Falsified") == set(), result.stdout
    assert result.code == exit_code, result.stdout
    for outcome in result.evidence:
        if outcome["outcome"] == "Corroborated":
            assert outcome["compared"] > 0
        elif outcome["force"] == "must":
            assert outcome["skip_cause"] == "not_owed", outcome["reason"]
            assert outcome["reason"] in " ".join(result.stdout.split()), "the text explains what was not evaluated"


@pytest.mark.parametrize("name", ["tiny-qwen2", "tiny-llama"])
def test_a_hugging_face_directory_checks_clean(name: str, tmp_path: Path) -> None:
    assert_clean(check(tmp_path, DATA / name))


@needs_models
@pytest.mark.parametrize("name", GGUF)
def test_a_file_of_llama_cpp_checks_clean_alone(name: str, tmp_path: Path) -> None:
    assert_clean(check(tmp_path, MODELS / name))


@needs_models
@pytest.mark.parametrize("name", GGUF)
def test_a_file_of_llama_cpp_checks_clean_against_its_source(name: str, tmp_path: Path) -> None:
    source = MODELS / "-".join(name.split("-")[:2])
    assert_clean(check(tmp_path, MODELS / name, "--against", source))


@needs_apr_files
@pytest.mark.parametrize("name", APR)
def test_a_file_of_apr_checks_clean_alone(name: str, tmp_path: Path) -> None:
    assert_clean(check(tmp_path, APR_FILES / name))


@needs_apr_files
def test_apr_peculiarities_are_said_and_are_no_failures() -> None:
    assert "footer" in contracts("check", APR_FILES / "imp-q4k.apr").stdout
    assert "no bytes" in contracts("check", APR_FILES / "q.apr").stdout


@needs_apr_files
def test_the_lossless_apr_is_clean_with_every_tensor_equal(tmp_path: Path) -> None:
    result = check(tmp_path, APR_FILES / "q.apr", "--against", MODELS / "tiny-qwen2")
    assert_clean(result)
    values = result.gate("F-CONTRACT-I4-002")
    assert values["compared"] == 2_875_648
    assert all(c["measure"] == "differing_values" and c["observed"] == 0 for c in values["comparisons"])


@needs_apr_files
def test_silent_quantisation_is_falsified_at_i3_and_shared_bytes_at_the_container(tmp_path: Path) -> None:
    alone = check(tmp_path, APR_FILES / "q-from-st.gguf")
    assert alone.code == 1
    assert alone.gates("Falsified", "must") == {"G0-CONTAINER-001", "F-CONTRACT-I3-003"}
    (shared,) = alone.violated("G0-CONTAINER-001")
    assert shared["measure"] == "offset_consecutive"
    assert (shared["expected"], shared["observed"]) == (
        "byte 2,048,000 of the data",
        "byte 0",
    )
    assert "llama.cpp refuses" in shared["note"]
    assert "gguf-py" in shared["note"]
    pair = check(tmp_path, APR_FILES / "q-from-st.gguf", "--against", MODELS / "tiny-qwen2")
    assert {"F-CONTRACT-I3-003", "F-CONTRACT-I3-004"} <= pair.gates("Falsified")
    worst = pair.violated("F-CONTRACT-I3-004")[0]
    assert worst["observed"] == "Q4_K"
    assert "quantised from BF16 to Q4_K" in worst["note"]
    assert "file_type 0 (F32)" in worst["note"]


@needs_apr_files
def test_an_upcast_with_an_invented_config_is_falsified_by_name(tmp_path: Path) -> None:
    result = check(tmp_path, APR_FILES / "apr-st", "--against", MODELS / "tiny-qwen2")
    assert {"F-CONTRACT-I3-004", "F-CONTRACT-I3-005", "G0-TOKENIZER-004"} <= result.gates("Falsified")
    assert "upcast from BF16 to F32" in result.violated("F-CONTRACT-I3-004")[0]["note"]
    invented = {c["measure"]: c["observed"] for c in result.violated("F-CONTRACT-I3-005")}
    assert invented == {
        "bos_token_id": 151643,
        "eos_token_id": 151645,
        "max_position_embeddings": 32768,
        "sliding_window": 32768,
    }
    assert any(c["measure"] == "eos_token_id" for c in result.violated("G0-TOKENIZER-004"))
    assert "the tokenizer is missing" in result.stdout


@needs_apr_files
def test_a_gguf_without_its_tokenizer_is_falsified_there_and_everything_else_is_still_checked(tmp_path: Path) -> None:
    result = check(tmp_path, APR_FILES / "weights-only.gguf")
    assert result.gates("Falsified") == {"G0-TOKENIZER-001"}
    for gate in ("G0-CONTAINER-001", "G0-TENSOR-001", "G0-LAYOUT-001", "G0-VALIDATE-001", "G0-INTEGRITY-CONFIG"):
        assert result.gate(gate)["outcome"] == "Corroborated"


def test_the_analysis_snippet_of_the_founding_run_reads_our_evidence_unchanged(tmp_path: Path, capsys) -> None:
    check(tmp_path, DATA / "tiny-qwen2")
    snippet = (
        "import json\n"
        "for e in json.load(open('evidence.json')):\n"
        "    status = 'PASS' if e['outcome'] == 'Corroborated' else 'FAIL'\n"
        "    print(f\"[{status}] {e['gate_id']}: {e['reason'][:100]}\")\n"
    )
    namespace: dict[str, object] = {}
    exec(snippet.replace("'evidence.json'", repr(str(tmp_path / "evidence.json"))), namespace)
    assert "[PASS] G0-CONTAINER-001: header, offsets and checksums follow the format" in capsys.readouterr().out
