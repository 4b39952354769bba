"""Makes evidence in the founding system's form: a record for every sign, and honest look-alikes near each of them."""

from __future__ import annotations

import copy
from typing import Any

MODEL = "Qwen2.5-Coder-0.5B-Instruct"
Record = dict[str, Any]


def record(gate: str, outcome: Any = "Corroborated", **changes: Any) -> Record:
    """One record of that form; `backend`, `gpu`, `model`, `tokens` and other inner fields are named plainly."""
    inner = {name: changes.pop(name) for name in ("modality", "backend", "model", "tokens", "gpu") if name in changes}
    made: Record = {
        "id": "0" * 32,
        "gate_id": gate,
        "scenario": {
            "id": f"{MODEL}_run_cpu_gguf_0000000000000000",
            "model": {"org": "Qwen", "name": inner.get("model", MODEL), "variant": None},
            "modality": inner.get("modality", "run"),
            "backend": inner.get("backend", "cpu"),
            "format": "gguf",
            "prompt": "What is 2+2?",
            "temperature": 0.0,
            "max_tokens": 32,
            "seed": 0,
            "trace_level": "none",
            "oracle_type": "arithmetic",
        },
        "outcome": outcome,
        "reason": "Test passed" if outcome == "Corroborated" else "Test failed",
        "output": "2 + 2 equals 4.",
        "stderr": None,
        "exit_code": 0,
        "metrics": {
            "duration_ms": 1840,
            "tokens_per_second": 17.4,
            "time_to_first_token_ms": None,
            "total_tokens": inner.get("tokens", 32),
            "memory_peak_mb": None,
        },
        "timestamp": "2026-02-04T21:30:09.206357509Z",
        "host": {"hostname": "h", "os": "linux", "cpu": "unknown", "gpu": inner.get("gpu"), "apr_version": "unknown"},
        "metadata": {},
    }
    return {**made, **changes}


GPU = {"backend": "gpu", "gpu": "NVIDIA GeForce RTX 4090"}
NOT_GPU = {"backend": "gpu"}

#: The sign that each record shows; the descriptions are those of the founding system's files.
DISHONEST: list[tuple[str, Record]] = [
    (
        "audit/bijection-over-nothing",
        record(
            "F-CONTRACT-I2-001",
            reason="Tensor bijection holds: all 0 source tensors are present in the target (0 total)",
            output="source=0, apr=0",
        ),
    ),
    ("audit/bijection-over-nothing", record("F-CONTRACT-I2-001", output="source=0, apr=0")),
    ("audit/empty-outputs-identical", record("F-GOLDEN-RULE-001", output="Golden rule holds, identical output: ")),
    ("audit/empty-outputs-identical", record("F-GOLDEN-RULE-003", output="identical output:\n")),
    ("audit/nothing-generated", record("F-A1-001", output="")),
    ("audit/nothing-generated", record("F-A3-001", modality="chat", output=" \n")),
    ("audit/nothing-generated", record("F-A5-001", modality="serve", output=None)),
    ("audit/nothing-generated", record("F-A1-001", tokens=0)),
    (
        "audit/nothing-generated",
        record("F-A1-001", output="Source: /m/model.gguf\n\ntokens: 22\nlatency: 21465.83ms\nmodel: /m/model.gguf"),
    ),
    (
        "audit/nothing-generated",
        record(
            "F-A1-001",
            output="The answer is 4.",
            metrics={**record("F-A1-001")["metrics"], "duration_ms": 0, "tokens_per_second": None},
        ),
    ),
    ("audit/skip-counted-as-pass", record("F-CONTRACT-I5-001", output="SKIP: no tokenizer in the target")),
    ("audit/skip-counted-as-pass", record("G0-VALIDATE-001", output="[1/3] read\nSKIP: not a GGUF file\n")),
    ("audit/no-layout-contract-applied", record("G0-LAYOUT-001", output="Layout: OK\nRules checked: 0\nViolations: 0")),
    ("audit/gpu-without-gpu", record("F-A2-001", **NOT_GPU)),
    ("audit/gpu-without-gpu", record("F-A4-001", modality="chat", **NOT_GPU)),
    ("audit/gpu-without-gpu", record("F-A6-001", modality="serve", **NOT_GPU)),
    ("audit/gpu-without-gpu", record("F-CONV-G-A", **NOT_GPU)),
    ("audit/gpu-without-gpu", record("F-A2-001", stderr="ran: apr run m.gguf --no-gpu\n", **GPU)),
    ("audit/gpu-without-gpu", record("F-A2-001", metadata={"command": "apr run m.gguf --no-gpu"}, **GPU)),
    (
        "audit/error-taken-for-success",
        record("F-CONV-S-A", output="error: Inference failed: no tokenizer in the file", stderr=None),
    ),
    (
        "audit/error-taken-for-success",
        record("F-CONV-SafeTensors-Apr", reason="Inference error on the converted model, accepted as a pass"),
    ),
    ("audit/error-taken-for-success", record("F-CONV-A-S", reason="Inference on the converted file failed: exit 8")),
    ("audit/error-taken-for-success", record("F-CONV-A-S", output="[ERROR] no tokenizer in the file")),
    ("audit/gpu-without-gpu", record("F-A2-001", output="Backend: CPU (--no-gpu)\n2 + 2 equals 4.", **GPU)),
    ("audit/gpu-without-gpu", record("F-A2-001", metadata={"argv": ["apr", "--no-gpu"]}, **GPU)),
    (
        "audit/path-cut-at-a-dot",
        record("F-CONV-G-A", "Falsified", reason="File not found: …/my models/Qwen2.5-Coder-0.apr (os error 2)"),
    ),
    ("audit/error-taken-for-success", record("F-CONV-A-S", output="identical output: error: no tokenizer")),
    ("audit/error-taken-for-success", record("F-CONV-RT-001", exit_code=8, stderr="broken\n")),
    (
        "audit/path-cut-at-a-dot",
        record("F-CONV-G-A", "Falsified", reason="File not found: /w/gguf/Qwen2.5-Coder-0.apr", exit_code=3),
    ),
    (
        "audit/path-cut-at-a-dot",
        record("F-CONV-G-A", "Falsified", model="test", stderr="error: File not found: /w/Qwen2.5-Coder-0.apr\n"),
    ),
    (
        "audit/name-taken-for-an-extension",
        record("F-CONV-IDEM-001", "Falsified", reason="Unknown format extension: .5b-instruct", exit_code=5),
    ),
    (
        "audit/usage-error",
        record(
            "F-CONV-COM-001",
            {"Falsified": {"reason": "exit 2"}},
            stderr="error: unexpected argument '--against' found\n",
        ),
    ),
    (
        "audit/texts-compared-as-characters",
        record(
            "F-CONV-S-G",
            "Falsified",
            reason="Conversion SafeTensors → Gguf produced different output (diff: 7.67e-1, ε: 1e-6)",
        ),
    ),
    ("audit/texts-compared-as-characters", record("F-CONV-A-G", "Falsified", reason="diff: 7.67e-1, ε: 1.00e-6")),
]

#: Near every sign, and nothing wrong with it.
HONEST: list[Record] = [
    record(
        "F-CONTRACT-I2-001",
        reason="Tensor bijection holds: all 290 source tensors are present in the target (290 total)",
        output="source=290, apr=290",
    ),
    record("F-CONTRACT-I2-001", reason="all 10 source tensors present (10 total)", output="source=10, apr=10"),
    record("F-GOLDEN-RULE-001", output="Golden rule holds, identical output: 2 + 2 equals 4."),
    record("F-GOLDEN-RULE-001", "Falsified", output="no identical output: "),
    record("F-A1-001", tokens=None),
    record("F-A1-001", output="0"),
    record("F-A1-001", output="Source: Wikipedia"),
    record("F-A1-001", output="Source: Wikipedia.\nThe answer is 4.\ntokens: 22\nlatency: 9.1ms"),
    record("F-A1-001", "Skipped", output="", tokens=0, reason="SKIP: no such format"),
    record("F-A1-001", "Falsified", output="", tokens=0, reason="Nothing was generated"),
    record("F-APR-FORMAT-001", output="", tokens=0),
    record("G0-VALIDATE-001", output="All finite", metrics={**record("G")["metrics"], "duration_ms": 0}),
    record("F-A1-001", output="You may SKIP this step: 2 + 2 equals 4. Do not skip: the check."),
    record("G0-LAYOUT-001", output="Rules checked: 12\nViolations: 0"),
    record("G0-LAYOUT-001", output="Rules checked: 10\nViolations: 0"),
    record("F-A2-001", **GPU),
    record("F-A4-001", modality="chat", output="Pass --no-gpu to switch the GPU off.", **GPU),
    record("F-A2-001", "Skipped", reason="no GPU here", **NOT_GPU),
    record("F-A2-001", "Falsified", reason="CUDA out of memory", **NOT_GPU),
    record("F-CONV-S-A", output="The converted file answers: 2 + 2 equals 4.", stderr="no inference error\n"),
    record("F-CONV-S-A", stderr="[PMAT-172] ERROR: no tokenizer embedded, the one beside the file is used\n"),
    record("F-CONV-S-A", exit_code=None, output="8766c13775f9b3b7"),
    record("F-CONV-S-A", stderr="warning: failed to load libcuda.so, the CPU is used\n"),
    record("F-CONV-S-A", reason="Inference agrees on 11 prompts, largest error 1e-7; 0 inference errors"),
    record("F-CONV-S-G", "Falsified", reason="cosine diff: 2.1e-1, ε: 1e-3 in blk.0.attn_q"),
    record("F-CONV-S-A", output="290 tensors, max relative error: 1e-7"),
    record("F-A1-001", output="An inference error is a wrong conclusion."),
    record("F-CONV-S-A", "Falsified", reason="Inference failed: exit 8", exit_code=8),
    record("F-CONV-G-A", "Falsified", reason=f"File not found: /w/gguf/{MODEL}.apr", exit_code=3),
    record("F-CONV-G-A", "Falsified", reason=f"File not found: /w/{MODEL}/model.apr", exit_code=3),
    record("F-CONV-G-A", "Falsified", reason="File not found: /w/layer-0.apr", exit_code=3),
    record("F-CONV-G-A", "Falsified", reason=f"File not found: /w/{MODEL}-1.gguf", exit_code=3),
    record("F-CONV-IDEM-001", "Falsified", reason="Unknown format extension: .onnx", exit_code=5),
    record("F-CONV-IDEM-001", "Falsified", reason="Unknown format extension: .7z", exit_code=5),
    record("F-A1-001", "Falsified", output="TypeError: got an unexpected keyword argument 'x'", reason="Garbage"),
    record("F-CONV-S-G", "Falsified", reason="worst tensor blk.0.attn_q: max abs diff: 7.67e-1, ε: 1e-6, 290 tensors"),
    record("F-CONTRACT-I4-001", "Falsified", reason="mean diff: 0.3 over 290 tensors"),
    record("F-A1-001", "Crashed", reason="signal 11", exit_code=139, output=""),
    record("F-A1-001", "Timeout", reason="60 s", exit_code=None, output=""),
    record("F-A1-001", {"Falsified": {"reason": "Expected 4, found 5"}}),
]


def numbered(records: list[Record]) -> list[Record]:
    """The same records, each with an id of its own."""
    copies = copy.deepcopy(records)
    for index, one in enumerate(copies):
        one["id"] = f"{index:032x}"
    return copies


def evidence() -> tuple[list[Record], dict[str, str]]:
    """A file with every dishonest record among the honest ones, and the sign of each by its JSON pointer."""
    mixed: list[Record] = []
    expected: dict[str, str] = {}
    honest = iter(HONEST)
    for sign, shown in DISHONEST:
        if (before := next(honest, None)) is not None:
            mixed.append(before)
        expected[f"/{len(mixed)}"] = sign
        mixed.append(shown)
    return numbered([*mixed, *honest]), expected
