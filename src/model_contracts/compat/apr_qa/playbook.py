"""Owns reading a playbook of the founding system as it is: to our Playbook, and by name to what is not evaluated.

Quoted booleans and numbers are read as what they mean, here and in no form of ours. Nothing is refused but a document
without a name, a version, a model and a test matrix; what is unknown, or cannot be meant, is said and left out.
Source: 117 playbooks of apr-model-qa-playbook, as of 2026-02-14.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model_contracts.compat.apr_qa.oracles import oracles
from model_contracts.compat.apr_qa.translation import Translation
from model_contracts.definitions.errors import short
from model_contracts.definitions.loading import load, tree_of
from model_contracts.definitions.typed import Text, build
from model_contracts.playbook import Playbook, Tier
from model_contracts.terminal import safe

#: Keys of a playbook, and why each is not evaluated.
NotEvaluated = tuple[tuple[str, str], ...]

_ENDINGS = (".playbook.yaml", ".playbook.yml")
_EXPECTED = {
    "expected_hidden_dim": "hidden_size",
    "expected_num_layers": "num_hidden_layers",
    "expected_num_heads": "num_attention_heads",
    "expected_num_kv_heads": "num_key_value_heads",
    "expected_vocab_size": "vocab_size",
    "expected_intermediate_dim": "intermediate_size",
}
_FORMATS = {word: word for word in ("safetensors", "apr", "gguf")}
_MODALITIES = {word: word for word in ("run", "chat", "serve")}
_BACKENDS = {word: word for word in ("cpu", "gpu")}
_FAILURE = {"collect_all": "collect-all", "stop_on_p0": "stop-on-must", "stop_on_first": "stop-on-first"}
_TIERS = {"smoke": "smoke", "mvp": "mvp", "ci": "mvp", "full": "full"}
_INVARIANTS = {f"i-{number}": f"F-CONTRACT-I{number}-001" for number in range(1, 6)}

#: What those sections ask, and what is evaluated here that comes nearest.
_SECTIONS: dict[tuple[str, ...], str] = {
    ("differential_tests", "tensor_diff"): "F-CONTRACT-I2-* and F-CONTRACT-I4-* compare every tensor instead",
    ("differential_tests", "inference_compare"): "F-GOLDEN-RULE-001 compares token ids and distributions instead",
    ("differential_tests", "fingerprint"): "F-CONTRACT-I4-* compares the values of every tensor instead",
    ("differential_tests", "validate_stats"): "F-CONTRACT-I4-* compares the statistics of every tensor instead",
    ("differential_tests", "format_validation"): "G0-FORMAT-* and G0-VALIDATE-001 look at container and values instead",
    ("trace_payload",): "a runtime is asked for answers, not for traces",
    ("ollama_parity",): "ollama is not run; another runtime is asked for by --system",
    ("kernel_profile",): "kernels inside a runtime are not timed",
    ("property_tests",): "the properties of F-CONTRACT-* are generated instead",
}
_WHYS = {
    "description": "it describes, and decides nothing",
    "model.size_category": "it describes, and decides nothing",
    "metadata": "it describes, and decides nothing",
    "metadata.author": "it describes, and decides nothing",
    "metadata.architecture": "it describes, and decides nothing; the model says what it is",
    "metadata.tags": "it describes, and decides nothing",
    "metadata.expected_mqs": "no score is given: gates decide",
    "test_matrix.scenario_count": "every prompt is asked once in every format, modality and backend",
    "profile_ci.formats": "every format is measured",
    "profile_ci.backends": "speed is measured where the runtimes run",
    "profile_ci.gates": "measured under F-PERF-* and F-PROFILE-*",
    "profile_ci.assertions.min_throughput": "the bound for the CPU is held instead",
    "profile_ci.assertions.min_throughput_gpu": "one bound of tokens a second is held, that of the CPU",
    "profile_ci.assertions.max_p50_ms": "time to first token and tokens a second are measured, no percentiles",
    "profile_ci.assertions.max_p99_ms": "time to first token and tokens a second are measured, no percentiles",
}


def is_founding(path: Path) -> bool:
    """Whether a file is such a playbook: by its name, or by the keys that it has and ours has not."""
    if path.name.endswith(_ENDINGS):
        return True
    value = tree_of(path, str(path))[0].value
    return isinstance(value, dict) and "id" not in value and value.keys() >= {"name", "model", "test_matrix"}


def load_founding_playbook(path: Path) -> tuple[Playbook, NotEvaluated]:
    """Our playbook for one of theirs, and every key of it that is not evaluated, with the reason.

    Raises DefinitionError where it is no YAML, or lacks what every such playbook has.
    """
    tree, digest = tree_of(path, str(path))
    theirs = Translation(tree)
    _required(theirs, path)
    tier = _tier(theirs)
    _model(theirs)
    _matrix(theirs)
    oracles(theirs, load(Tier, f"qualification/tiers/{tier or 'mvp'}").prompts or ())
    _failure(theirs)
    if choices := [*_invariants(theirs), *_measured(theirs)]:
        theirs.put(("gates",), choices)
    _sections(theirs)
    playbook = build(Playbook, theirs.ours)
    playbook._origin = Text(theirs.ours, digest)
    return playbook, theirs.said(_WHYS)


def _tier(theirs: Translation) -> str | None:
    asked = theirs.peek("metadata", "tier")
    tier = _TIERS.get(str(asked).lower())
    if tier is not None:
        theirs.put(("tier",), tier, "metadata", "tier")
        theirs.get("metadata", "tier")
    elif asked is not None:
        theirs.leave(f"{short(asked)} is not known; known are {', '.join(_TIERS)}", "metadata", "tier")
    return tier


def _required(theirs: Translation, path: Path) -> None:
    tree = theirs.theirs
    if not isinstance(tree.value, dict):
        tree.fail((1, 1), "a mapping with the keys of a playbook", short(tree.value))
    for key in ("name", "version", "model", "test_matrix"):
        if key not in tree.value:
            tree.fail(tree.marks[()].value, f"the key {key!r}", "no such key")
    name = _printed(theirs.text("name")) or path.name.removesuffix(_ending(path)) or "playbook"
    model = _printed(theirs.text("model", "hf_repo")).strip("/")
    for pointer, text, expected in ((("name",), name, "a name"), (("model", "hf_repo"), model, "`organisation/name`")):
        if not text or isinstance(theirs.peek(*pointer), dict | list):
            place = next(
                tree.marks[pointer[:end]] for end in range(len(pointer), -1, -1) if pointer[:end] in tree.marks
            )
            tree.fail(place.value, expected, short(theirs.peek(*pointer)))
    version = _printed(theirs.text("version") or str(theirs.peek("version")))[:40]
    theirs.put(("id",), name, "name")
    theirs.put(("title",), f"{model}, by the founding system's playbook {name} {version}", "name")
    theirs.put(("model", "id"), model, "model", "hf_repo")


def _printed(text: str | None) -> str:
    """A name as a person gave it, what no terminal shows escaped."""
    return safe(text or "").strip()[:200]


def _ending(path: Path) -> str:
    return next((ending for ending in _ENDINGS if path.name.endswith(ending)), path.suffix)


def _model(theirs: Translation) -> None:
    for key, ours in (("family", "family"), ("size_variant", "size")):
        value = theirs.get("model", key)
        if (text := theirs.text("model", key)) is not None:
            theirs.put(("model", ours), text, "model", key)
        elif value is not None:
            theirs.leave(f"expected text, found {short(value)}", "model", key)
    for key, ours in _EXPECTED.items():
        if (number := theirs.number("model", key, whole=True)) is not None:
            theirs.put(("model", "expected", ours), number, "model", key)
    if formats := theirs.words(_FORMATS, "model", "formats"):
        theirs.put(("formats",), formats, "model", "formats")
    if labels := theirs.texts("model", "quantizations"):
        theirs.put(("quantisations",), labels, "model", "quantizations")


def _matrix(theirs: Translation) -> None:
    for key, known in (("modalities", _MODALITIES), ("backends", _BACKENDS)):
        if found := theirs.words(known, "test_matrix", key):
            theirs.put((key,), found, "test_matrix", key)
    if prompts := theirs.texts("test_matrix", "prompts"):
        theirs.put(("prompts",), prompts, "test_matrix", "prompts")
    if (seed := theirs.number("test_matrix", "seed", whole=True)) is not None:
        theirs.put(("seed",), seed, "test_matrix", "seed")
    limit = theirs.number("test_matrix", "timeout_ms")
    if limit is not None and limit > 0:
        theirs.put(("limits", "answer_seconds"), limit / 1000, "test_matrix", "timeout_ms")
    elif limit is not None:
        theirs.leave("a limit above 0 is held", "test_matrix", "timeout_ms")


def _failure(theirs: Translation) -> None:
    asked = theirs.get("failure_policy")
    ours = _FAILURE.get(str(asked).lower()) if asked is not None else "stop-on-must"  # their default
    if ours is None:
        theirs.leave(f"{short(asked)} is not known; known are {', '.join(_FAILURE)}", "failure_policy")
    else:
        theirs.put(("failure",), ours, "failure_policy")


def _invariants(theirs: Translation) -> list[dict[str, Any]]:
    """What it asks for by name is a must."""
    gates = theirs.words(_INVARIANTS, "contract_tests", "invariants")
    return [{"gates": gates, "force": "must"}] if gates else []


def _measured(theirs: Translation) -> list[dict[str, Any]]:
    """Warm-up, runs and the bound of tokens a second; a playbook that sets a bound makes it a must."""
    if theirs.peek("profile_ci") is None:
        return []
    if theirs.flag("profile_ci", "enabled") is False:
        for key in theirs.peek("profile_ci"):
            theirs.get("profile_ci", key)
        return [{"gates": ["F-PERF-*", "F-PROFILE-*"], "force": "left-out", "reason": "profile_ci.enabled is false"}]
    for key, ours, least, most in (("warmup", "warmup", 0, 20), ("measure", "runs", 1, 50)):
        number = theirs.number("profile_ci", key, whole=True)
        if number is not None and not least <= number <= most:
            theirs.leave(f"{least} to {most} are measured, found {number}", "profile_ci", key)
        elif number is not None:
            theirs.put(("measured", ours), number, "profile_ci", key)
    for key in ("min_throughput_cpu", "min_throughput"):
        if theirs.peek("profile_ci", "assertions", key) is None:
            continue
        bound = theirs.number("profile_ci", "assertions", key)
        if bound is not None and bound > 0:
            theirs.put(("measured", "min_tokens_per_second"), bound, "profile_ci", "assertions", key)
            return [{"gates": ["F-PERF-001"], "force": "must"}]
        if bound is not None:
            theirs.leave("a bound above 0 is held", "profile_ci", "assertions", key)
    return []


def _sections(theirs: Translation) -> None:
    """Sections that are not evaluated: one that is switched off asks for nothing, the others are named."""
    for pointer, why in _SECTIONS.items():
        section = theirs.peek(*pointer)
        if section is None:
            continue
        off = isinstance(section, dict) and str(section.get("enabled")).strip().lower() == "false"
        gates = section.get("gates") if isinstance(section, dict) else None
        named = ", ".join(str(gate)[:60] for gate in gates[:20]) if isinstance(gates, list) else ""
        if off:
            theirs.get(*pointer)
        else:
            theirs.leave(safe(f"{named}: {why}" if named else why), *pointer)
