"""Owns the examples that stand under `--help` of each command; every one of them is understood by the command."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "check": (
        "contracts check model.gguf",
        "contracts check model-Q4_K_M.gguf --against Qwen/Qwen2.5-0.5B -o evidence",
        "contracts check quants/ --against source --report html=page.html",
        "contracts check model.safetensors --baseline known --waivers waivers.yaml",
        "contracts check --changed-since origin/main --report github",
        "contracts check model.safetensors -o evidence --resume",
    ),
    "qualify": ("contracts qualify playbook.yaml --model-path Qwen/Qwen2.5-0.5B --no-gpu -o evidence",),
    "convert": ("contracts convert Qwen/Qwen2.5-0.5B model.gguf --dtype BF16",),
    "init": ("contracts init model.safetensors", "contracts init model.gguf -o release.yaml"),
    "golden": ("contracts golden record Qwen/Qwen2.5-0.5B -o golden.json",),
    "inspect": ("contracts inspect model.gguf --tensors",),
    "stats": ("contracts stats model-Q4_K_M.gguf --against source --sort relative_rmse",),
    "report": (
        "contracts report evidence",
        "contracts report evidence --format html",
        "contracts report evidence --against yesterday",
    ),
    "baseline": ("contracts baseline evidence",),
    "replay": ("contracts replay evidence",),
    "evidence": ("contracts evidence validate evidence.json run.json", "contracts evidence audit evidence.json"),
    "list": ("contracts list gates",),
    "families": ("contracts families", "contracts families draft model.safetensors"),
    "lint": ("contracts lint contracts.yaml",),
    "explain": ("contracts explain F-CONTRACT-I4-002", "contracts explain 'not proven'"),
    "runtimes": ("contracts runtimes --format json",),
    "diff": ("contracts diff old.gguf new.gguf", "contracts diff old.gguf new.gguf --level values"),
    "doctor": ("contracts doctor",),
    "completion": ("source <(contracts completion bash)", "contracts completion fish | source"),
    "schema": ("contracts schema evidence",),
}


def shown(command: str) -> str | None:
    """The examples of a command as `--help` ends with them; None where there are none."""
    found = EXAMPLES.get(command)
    return "examples:\n" + "\n".join(f"  {line}" for line in found) if found else None
