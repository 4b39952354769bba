"""The runtimes on real files: the same weights give the same numbers, whatever container and whichever runtime."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from model_contracts.runtimes import runtime
from model_contracts.runtimes.interface import Crashed, Limits, Refused
from support import warm_children
from support.command import contracts
from support.shared_models import APR_FILES, DATA, MODELS, needs_apr_files, needs_models, shared

LIMITS = Limits(seconds=60, start_seconds=120)
TEXTS = (
    "What is 2+2?",
    "def f(x):\n    return x + 12345\n",
    "<|im_start|>user\nhéllo, wörld 日本 🎉<|im_end|>\n",
    "  two  spaces\tand\r\n\r\nlines 1234567890",
    "it's 3 o'clock, WE'LL see",
)
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2+2?"}]


def needs(name: str):
    here = runtime(name).installed()
    return pytest.mark.skipif(not here.available, reason=f"{name} is not installed: {here.how_to_get}")


@pytest.fixture(scope="module", autouse=True)
def started_as_anybody_starts_them():
    """No child of these tests is forked from one that has imported its runtime."""
    with warm_children.left_out():
        yield


@pytest.fixture(scope="module")
def torch_session():
    """One process for every artifact: to import transformers takes longer than all else here."""
    with runtime("transformers").open(DATA / "tiny-llama", LIMITS) as session:
        yield session


def rows(session, tokens: list[int]):
    return np.concatenate(list(session.rows(tokens)))


def divergence(p, q) -> float:
    return float((np.exp(p.astype(np.float64)) * (p.astype(np.float64) - q)).sum(axis=1).mean())


def test_the_command_says_what_is_here_and_how_to_get_the_rest():
    shown = contracts("runtimes")
    assert shown.code == 0
    assert [line.split()[0] for line in shown.stdout.splitlines()[:4]] == ["RUNTIME", "transformers", "llamacpp", "apr"]
    told = {entry["runtime"]: entry for entry in json.loads(contracts("runtimes", "--format", "json").stdout)}
    assert told["llamacpp"]["formats"] == ["gguf"]
    assert told["transformers"]["how_to_get"] == "pip install 'model-contracts[transformers]'"
    assert all(entry["available"] or entry["how_to_get"] in shown.stdout for entry in told.values())


@needs("transformers")
@needs_models
@pytest.mark.parametrize(
    ("folder", "file"), [("tiny-qwen2", "tiny-qwen2-bf16.gguf"), ("tiny-llama", "tiny-llama-f16.gguf")]
)
def test_a_gguf_gives_the_numbers_of_its_source(torch_session, folder, file):
    torch_session.reopen(MODELS / folder)
    tokens = [torch_session.tokens(text) for text in TEXTS]
    expected = rows(torch_session, [*chain.from_iterable(tokens)])
    prompt = torch_session.render(MESSAGES)
    torch_session.reopen(MODELS / file)
    assert [torch_session.tokens(text) for text in TEXTS] == tokens
    assert np.abs(rows(torch_session, [*chain.from_iterable(tokens)]) - expected).max() < 1e-5
    assert torch_session.render(MESSAGES) == prompt


@needs("transformers")
@needs_apr_files
def test_an_apr_gives_the_numbers_of_its_source(torch_session):
    torch_session.reopen(MODELS / "tiny-qwen2")
    tokens = [torch_session.tokens(text) for text in TEXTS]
    expected = rows(torch_session, [*chain.from_iterable(tokens)])
    torch_session.reopen(APR_FILES / "q.apr")
    assert [torch_session.tokens(text) for text in TEXTS] == tokens
    assert np.abs(rows(torch_session, [*chain.from_iterable(tokens)]) - expected).max() < 1e-5
    torch_session.reopen(APR_FILES / "q-int4.apr")
    assert divergence(expected, rows(torch_session, [*chain.from_iterable(tokens)])) > 1e-3, (
        "and a quantised one does not"
    )


@needs("transformers")
def test_hidden_states_pass_one_at_a_time_and_the_head_follows(torch_session):
    torch_session.reopen(DATA / "tiny-llama")
    tokens = torch_session.tokens(TEXTS[0])
    seen = [(name, values.shape) for name, values in torch_session.hidden_states(tokens)]
    assert seen[0] == ("embed_tokens", (len(tokens), 256))
    assert [name for name, _ in seen if name.count(".") == 1] == ["layers.0", "layers.1", "layers.2"]
    assert seen[-1] == ("norm", (len(tokens), 256))
    states = torch_session.hidden_states(tokens)
    assert next(states)[0] == "embed_tokens"
    states.close()
    made = torch_session.generate(tokens, 4)
    assert made[0] == torch_session.logits(tokens, top=1).ids[-1][0]
    assert torch_session.text(tokens) == TEXTS[0]


@needs("transformers")
def test_rows_from_a_position_on_are_the_last_of_all_rows(torch_session):
    torch_session.reopen(DATA / "tiny-llama")
    tokens = torch_session.tokens(TEXTS[1])
    assert (
        np.abs(np.concatenate(list(torch_session.rows(tokens, start=5))) - rows(torch_session, tokens)[5:]).max() < 1e-4
    )


@needs("transformers")
@needs_apr_files
def test_what_cannot_be_asked_is_refused(torch_session):
    torch_session.reopen(APR_FILES / "weights-only.gguf")
    with pytest.raises(Refused, match="weights-only has no tokenizer"):
        torch_session.tokens("x")
    with pytest.raises(Refused, match="the token 2000 is outside 2,000 embeddings"):
        torch_session.logits([1, 2000])
    assert torch_session.logits([1, 2]).positions == 2, "its weights run all the same"


@needs("llamacpp")
@needs("transformers")
@needs_models
@pytest.mark.parametrize("file", ["tiny-llama-f16.gguf", "tiny-qwen2-bf16.gguf"])
def test_llama_cpp_and_transformers_agree(torch_session, file):
    torch_session.reopen(MODELS / file)
    with runtime("llamacpp").open(MODELS / file, LIMITS) as session:
        for text in TEXTS:
            assert session.tokens(text) == torch_session.tokens(text)
            assert session.text(session.tokens(text)) == text
        tokens = session.tokens("".join(TEXTS))
        expected, observed = rows(torch_session, tokens), rows(session, tokens)
        assert divergence(expected, observed) < 1e-5
        first, second = np.sort(expected, axis=1)[:, -1:-3:-1].T
        clear = first - second > 0.1
        assert clear.sum() > 20 and (expected.argmax(axis=1) == observed.argmax(axis=1))[clear].all()
        # llama.cpp rounds what meets a BF16 weight to BF16; F16 and F32 files stay within 0.01.
        assert np.abs(expected - observed).max() < (0.01 if "f16.gguf" in file and "bf16" not in file else 0.1)
        assert session.generate(tokens[:9], 6) == torch_session.generate(tokens[:9], 6)
        assert session.render(MESSAGES) == torch_session.render(MESSAGES)
        top = session.logits(tokens, top=3)
        assert (top.ids[:, 0] == observed.argmax(axis=1)).all()


@needs("llamacpp")
@needs("transformers")
@pytest.mark.parametrize("folder", ["tiny-qwen2", "tiny-llama"])
def test_a_float32_conversion_agrees_to_three_decimals(torch_session, tmp_path: Path, folder):
    target = tmp_path / "model-F32.gguf"
    done = contracts("convert", DATA / folder, target, "--dtype", "F32")
    assert done.code == 0, done.stderr
    torch_session.reopen(DATA / folder)
    tokens = torch_session.tokens("".join(TEXTS))
    with runtime("llamacpp").open(target, LIMITS) as session:
        assert session.tokens("".join(TEXTS)) == tokens
        assert np.abs(rows(session, tokens) - rows(torch_session, tokens)).max() < 1e-3


@needs("llamacpp")
@needs_apr_files
def test_what_llama_cpp_refuses_is_told_in_its_own_words():
    with pytest.raises(Refused, match=r"does not load q-from-st.gguf") as caught:
        runtime("llamacpp").open(APR_FILES / "q-from-st.gguf", LIMITS)
    assert "has offset 0, expected 2048000" in caught.value.tail
    with pytest.raises(Refused, match=r"llama.cpp reads GGUF, and tiny-qwen2 is safetensors"):
        runtime("llamacpp").open(DATA / "tiny-qwen2", LIMITS)


@needs("llamacpp")
def test_llama_cpp_serves_on_loopback():
    with runtime("llamacpp").open(DATA / "tiny-llama-Q8_0.gguf", LIMITS) as session:
        from model_contracts.runtimes.http.loopback import post

        body = json.dumps({"content": TEXTS[0]}).encode()
        assert post(f"{session.address()}/tokenize", body)["tokens"] == session.tokens(TEXTS[0])


@needs("transformers")
@pytest.mark.parametrize("name", ["tiny-qwen2", "tiny-llama-Q8_0.gguf", "q.apr"])
def test_transformers_serves_whatever_it_loaded_and_the_server_before_it_is_gone(torch_session, name):
    from model_contracts.runtimes.http.loopback import post

    torch_session.reopen(shared(APR_FILES / name) if name.endswith(".apr") else DATA / name)
    address = torch_session.address()
    asked = {"prompt": TEXTS[0], "max_tokens": 6}
    told = post(f"{address}/v1/completions", json.dumps(asked).encode())
    tokens = torch_session.tokens(TEXTS[0], add_special=True)
    made = torch_session.generate(tokens, 6)
    assert told["choices"][0]["text"] == torch_session.text(made)
    assert told["usage"] == {"prompt_tokens": len(tokens), "completion_tokens": 6, "total_tokens": len(tokens) + 6}
    chat = json.dumps({"messages": MESSAGES, "max_tokens": 2}).encode()
    if name.endswith(".apr"):
        with pytest.raises(Refused, match="answers 501"):  # it carries no template
            post(f"{address}/v1/chat/completions", chat)
    else:
        told = post(f"{address}/v1/chat/completions", chat)
        assert told["usage"]["prompt_tokens"] == len(torch_session.tokens(torch_session.render(MESSAGES)))
    torch_session.reopen(DATA / "tiny-llama")
    with pytest.raises(Crashed, match="does not answer /health"):
        post(f"{address}/health", None)
