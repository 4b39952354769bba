"""Makes playbooks in the founding system's form, from what is known of them."""

from __future__ import annotations

PROMPTS = (
    "What is 2+2?",
    "What is 7 * 8?",
    "Compute 100 - 37.",
    "What is 15+27?",
    "def fibonacci(n):",
    "fn main() {",
    "Write a function that reverses a list.",
    "Write a haiku about the sea.",
    "Explain what a hash table is.",
    "Translate 'good morning' into French.",
    "Hello!",
)

#: The MVP playbook of the model whose qualification was the reason for this tool.
MVP = """# quoted, as they are
name: qwen2.5-coder-0.5b-mvp
version: "1.0.0"
model:
  hf_repo: "Qwen/Qwen2.5-Coder-0.5B-Instruct"
  formats: [safetensors, apr, gguf]
  quantizations: [q4_k_m]
  size_category: tiny
test_matrix:
  modalities: [run, chat, serve]
  backends: [cpu, gpu]
  scenario_count: 1
  seed: 42
  timeout_ms: 60000
  prompts:
PROMPTS
gates:
  g1_model_loads: "true"
  g2_basic_inference: "true"
  g3_no_crashes: "true"
  g4_output_quality: "true"
oracles:
  - type: arithmetic
    tolerance: "1e-5"
  - type: garbage
    max_repetition_ratio: "0.3"
    min_unique_chars: 5
failure_policy: collect_all
contract_tests:
  invariants: ["I-2", "I-3"]
profile_ci:
  enabled: "true"
  warmup: 1
  measure: "2"
  assertions:
    min_throughput_cpu: "5"
""".replace("PROMPTS", "\n".join(f'    - "{prompt}"' for prompt in PROMPTS))

#: Every key of the form that is known.
FULL = """name: qwen2-7b-full
version: "2.1.0"
description: everything
model:
  hf_repo: Qwen/Qwen2.5-7B-Instruct
  formats: [safetensors, APR, gguf, onnx]
  quantizations: [q4_k_m, q5_k_m, q6_k, q8_0, f16, f32, q5_0, q4_0, q3_k_m, q2_k, q9_z]
  size_category: large
  family: qwen2
  size_variant: 7b
  expected_hidden_dim: 3584
  expected_num_layers: "28"
  expected_num_heads: 28
  expected_num_kv_heads: 4
  expected_vocab_size: 152064
  expected_intermediate_dim: 18944
test_matrix:
  modalities: [run, chat, serve, dream]
  backends: [cpu, gpu]
  scenario_count: 100
  seed: "42"
  timeout_ms: "600000"
gates: {g1_model_loads: "true", g2_basic_inference: true, g3_no_crashes: "false", g4_output_quality: "true"}
oracles:
  - {type: arithmetic, tolerance: 1e-5}
  - {type: garbage, max_repetition_ratio: 0.3, min_unique_chars: "5", loudness: 11}
  - {type: code_syntax, languages: [python, rust, cobol]}
  - {type: response, min_relevance: 0.5}
  - {type: composite}
failure_policy: stop_on_first
contract_tests:
  invariants: ["I-2", "I-3", "I-4", "I-5", "I-9"]
profile_ci:
  enabled: "true"
  warmup: 3
  measure: 10
  formats: [gguf]
  backends: [cpu]
  gates: [F-PROFILE-001]
  assertions: {min_throughput: 4.0, min_throughput_cpu: 5.0, min_throughput_gpu: 50.0, max_p50_ms: 500, max_p99_ms: 900}
differential_tests:
  tensor_diff: {enabled: "true", gates: [F-ROSETTA-DIFF-001, F-ROSETTA-DIFF-002], filter: "embed,lm_head,layers.0"}
  inference_compare: {enabled: true, gates: [F-ROSETTA-INF-001], prompt: hi, max_tokens: 10, tolerance: "1e-5"}
  fingerprint: {enabled: "true", gates: [F-ROSETTA-FP-001], stats: [mean, std]}
  validate_stats: {enabled: "true", gates: [F-ROSETTA-STATS-001], reference: st, tolerance: {layernorm: 0.1}}
  format_validation: {enabled: "false", gates: [F-APR-FORMAT-001], checks: [magic]}
trace_payload: {enabled: "true", gates: [F-TRACE-PAYLOAD-001]}
ollama_parity: {enabled: "true", gates: [F-OLLAMA-001, F-OLLAMA-002]}
kernel_profile: {enabled: "false"}
property_tests:
  - {name: round trip, cases: 100}
metadata: {author: somebody, tier: full, architecture: qwen2, tags: [coder], expected_mqs: 900}
state_machine: {states: [a, b]}
"""
