"""Makes outcomes and runs of a qualification for tests of what reads them."""

from __future__ import annotations

from typing import Any

from model_contracts.outcome import ArtifactRecord, Cause, FileRecord, Outcome, Place, PlaybookRecord, Run, Scenario
from support.outcomes import comparison, outcome, record

PLAYBOOK = PlaybookRecord(
    id="qualification/tiny",
    digest="blake3:" + "cd" * 32,
    lock="locked",
    system="qualification/systems/apr",
    failure="collect-all",
)
TOKENIZER = Cause(
    key="converter/tokenizer",
    component="converter",
    statement="the GGUF has no tokenizer: 0 of 4 tokenizer.ggml.* keys are there",
    reproduction="contracts check work/tests/tiny-qwen2/gguf/tiny-qwen2.gguf --only G0-TOKENIZER-001",
)
QUANTISED = Cause(
    key="converter/silent-quantisation",
    component="converter",
    statement="28 of 51 tensors were written as Q4_K where nothing was asked for",
    reproduction="apr rosetta convert tiny-qwen2/model.safetensors q.gguf && contracts inspect q.gguf",
)
SLOW = Cause(key="runtime/slow", component="runtime", statement="3.1 tokens a second where 5 are asked for")
ANSWERS = {
    "F-A1-001": ("run", "cpu"),
    "F-A2-001": ("run", "gpu"),
    "F-A3-001": ("chat", "cpu"),
    "F-A4-001": ("chat", "gpu"),
    "F-A5-001": ("serve", "cpu"),
    "F-A6-001": ("serve", "gpu"),
}


def answer(gate: str, format: str, verdict: str = "Corroborated", **changes: Any) -> Outcome:
    """One of the gates F-A1 to F-A6 in a format."""
    modality, backend = ANSWERS[gate]
    scenario = Scenario(format=format, modality=modality, backend=backend)  # type: ignore[arg-type]
    return outcome(verdict, gate, scenario=scenario, **changes)


def conversion(gate: str, *chain: str, verdict: str = "Corroborated", **changes: Any) -> Outcome:
    """A gate about a chain of conversions."""
    return outcome(verdict, gate, scenario=Scenario(format=chain[-1], chain=chain), **changes)


def without_tokenizer() -> list[Outcome]:
    """Seven gates that one missing tokenizer closed."""
    missing = comparison(
        False,
        measure="key_present",
        place=Place(file="tiny-qwen2.gguf", key="tokenizer.ggml.tokens"),
        expected=True,
        observed=None,
        note="llama.cpp refuses to load this",
    )
    closed = {"causes": (TOKENIZER,), "comparisons": (missing,), "compared": 4}
    asked = [answer(gate, "gguf", "Falsified", **closed) for gate in ("F-A1-001", "F-A3-001", "F-A5-001")]
    chains = [
        conversion(gate, *chain, verdict="Falsified", **closed)
        for gate, chain in {
            "F-CONV-S-G": ("safetensors", "gguf"),
            "F-CONV-G-A": ("gguf", "apr"),
            "F-CONV-G-S": ("gguf", "safetensors"),
            "F-CONV-RT-001": ("gguf", "apr", "safetensors", "gguf"),
        }.items()
    ]
    return [*asked, *chains]


def qualified(outcomes: tuple[Outcome, ...], **changes: Any) -> Run:
    """The run of a qualification."""
    artifact = ArtifactRecord(
        name="tiny-qwen2",
        path="work/tiny-qwen2.gguf",
        format="gguf",
        layout="file",
        files=(FileRecord(name="tiny-qwen2.gguf", size=3_445_856, digest="blake3:" + "ab" * 32),),
    )
    fields: dict[str, Any] = {
        "playbook": PLAYBOOK,
        "artifacts": (artifact,),
        "command": ("contracts", "qualify", "tiny", "--model-path", "tiny-qwen2", "-o", "out"),
    }
    return record(outcomes, **{**fields, **changes})
