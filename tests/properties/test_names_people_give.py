"""What people call models, playbooks, versions and quantisations is let through: planned, and no name refused."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model_contracts.compat.apr_qa.playbook import load_founding_playbook
from model_contracts.compat.apr_qa.record import FoundingRecord
from model_contracts.definitions import load
from model_contracts.outcome import Record
from model_contracts.playbook import Playbook
from model_contracts.qualification.commands import artifact_name
from model_contracts.qualification.matrix import Settled, settle
from model_contracts.qualification.plan import Planned, plan
from model_contracts.qualification.products import place
from model_contracts.terminal import safe
from support.founding_evidence import record

NAMES = (
    "qwen2.5-coder-0.5b-mvp",
    "phi-3.5-mini (v2) + fixes @home",
    "Llama 3.2",
    "3b",
    "1.10",
    "0x10",
    "1e3",
    "true",
    "2024-01-01",
    "日本語.模型-7B",
    "..",
    ".hidden",
    "-leading",
    "a/b\\c:d",
    "{x} %2e 100%",
    "x" * 300,
)
VERSIONS = ("1", "1.0", "1.10", "1.0.0", "1.0.0-rc.1", "v2", "2024-01-01", "2024.01", '"1.0.0"', "'7'", "~", "latest")
MADE = ("q4_k_m", "Q4_K_M", "Q8_0", "iq4_xs", "f16", "fp16", "bf16", "F32", "float16", "q8", " Q6_K ")
NOT_MADE = (
    "UD-Q2_K_XL",
    "fp8",
    "4bit",
    "int4-g128",
    "w4a16",
    "AWQ",
    "8",
    "4.5",
    "IQ1_S",
    "int8",
    "q9_z",
    "é",
    "../x",
    "Q4_K_XL",
)
letters = st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co"))
names = st.sampled_from(NAMES) | st.text(letters, min_size=1, max_size=30).filter(str.strip)
labels = st.lists(st.sampled_from(MADE + NOT_MADE), max_size=6)
MODELS = (
    "Qwen/Qwen2.5-Coder-0.5B-Instruct",
    "gpt2",
    "my org/my model (v1.0)",
    "a/b/c",
    "../..",
    "org/..",
    "C:/con",
    "日本/模型",
)


def planned(playbook: Playbook, folder: Path) -> tuple[Settled, Planned]:
    """The plan of a playbook for a safetensors source, without a GPU."""
    settled = settle(playbook, "safetensors", system=None, gpu=False, folder=folder)
    return settled, plan(settled)


def founding(folder: Path, **keys: str) -> Playbook:
    """A founding playbook whose values are written as they are given, quotes and all."""
    keys = {"name": "a", "version": "1.0.0", "hf_repo": "a/b", "quantizations": "[]"} | keys
    text = (
        "name: {name}\nversion: {version}\ntest_matrix: {{}}\n"
        "model:\n  hf_repo: {hf_repo}\n  quantizations: {quantizations}\n"
    ).format(**keys)
    (folder / "some.playbook.yaml").write_text(text, "utf-8")
    return load_founding_playbook(folder / "some.playbook.yaml")[0]


@settings(max_examples=60, deadline=None)
@given(names, names, st.sampled_from(VERSIONS), labels)
@example("qwen2.5-coder-0.5b-mvp", "Qwen2.5-Coder-0.5B-Instruct", "1.0.0", ["q4_k_m"])
def test_a_founding_playbook_of_any_name_version_and_quantisation_is_planned(
    name: str, model: str, version: str, quantisations: list[str]
) -> None:
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        playbook = founding(
            folder,
            name=_quoted(name),
            version=version,
            hf_repo=_quoted(f"Org/{model}"),
            quantizations=_quoted(quantisations),
        )
        settled, made = planned(playbook, folder)
        assert playbook.id == safe(name).strip()[:200] and made.steps
        assert place(folder, settled, ("safetensors", "gguf")).relative_to(folder).parts[2] == "gguf"
        assert len(artifact_name(settled, ("safetensors", "gguf")).encode()) <= 255
        told = [key.removeprefix("quantisation ") for key in made.not_evaluated if key.startswith("quantisation ")]
        assert told == list(dict.fromkeys(label for label in quantisations if label in NOT_MADE))
        assert all(made.not_evaluated[f"quantisation {label}"].startswith("not evaluated: ") for label in told)
        assert len(settled.quantisations) == len({_recipe(label) for label in quantisations if label in MADE})


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _recipe(label: str) -> str:
    word = label.strip().lower()
    return {"fp16": "f16", "float16": "f16", "q8": "q8_0"}.get(word, word)


@pytest.mark.parametrize(
    "name", ["3b", "1.10", "0x10", "1e3", "true", "2024-01-01", "0.5", "qwen2.5-coder-0.5b-mvp", "-a"]
)
def test_a_name_without_quotes_is_the_text_that_stands_there(name: str, tmp_path: Path) -> None:
    playbook = founding(tmp_path, name=name, version=name, hf_repo=f"Org/{name}", quantizations=f"[{name}]")
    assert (playbook.id, playbook.title.split()[-1]) == (name, name)
    assert (playbook.model.id, playbook.quantisations) == (f"Org/{name}", (name,))
    (tmp_path / "ours.yaml").write_text(
        f"id: {name}\ntitle: t\nmodel: {{id: {name}, size: {name}}}\nquantisations: [{name}]\n", "utf-8"
    )
    ours = load(Playbook, tmp_path / "ours.yaml")
    assert (ours.id, ours.model.id, ours.model.size, ours.quantisations) == (name, name, name, (name,))


@settings(max_examples=40, deadline=None)
@given(names, st.sampled_from(MODELS) | names.map(lambda name: f"Org/{name}"), labels)
def test_a_playbook_of_ours_of_any_name_is_planned_and_its_artifacts_stay_below_the_workspace(
    name: str, model: str, quantisations: list[str]
) -> None:
    book: dict[str, Any] = {
        "id": name[:200],
        "title": "t",
        "model": {"id": model.rstrip("/")},
        "quantisations": quantisations,
    }
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        (folder / "playbook.yaml").write_text(yaml.safe_dump(book, allow_unicode=True), "utf-8")
        settled, made = planned(load(Playbook, folder / "playbook.yaml"), folder)
        path = place(folder, settled, ("safetensors", "apr", "gguf"))
        below = path.relative_to(folder).parts
        assert made.steps and len(below) == 4 and ".." not in below and path.name.endswith(".S-A-G.gguf")
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
        assert path.resolve().is_relative_to(folder.resolve())


@pytest.mark.parametrize("name", NAMES)
def test_founding_evidence_of_a_model_of_any_name_is_read(name: str) -> None:
    value = record("F-OLLAMA-qwen2.5-coder:0.5b+q4_k_m")
    value["scenario"]["model"] |= {"org": name, "name": name, "variant": name}
    value["scenario"]["id"] = value["host"]["hostname"] = name
    read: Record = FoundingRecord.model_validate_json(json.dumps(value))
    assert isinstance(read, FoundingRecord) and read.scenario.model.name == name
