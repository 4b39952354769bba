"""Owns the inside of a transformers session: a model in float32 on the CPU, asked for tokens, logits, hidden states."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_contracts.anatomy.tokenizers.special_ids import by_name
from model_contracts.artifact import Artifact
from model_contracts.formats.opening import open_artifact
from model_contracts.runtimes.interface import Refused, WrongAnswer, piece_length
from model_contracts.runtimes.session.served import Emit
from model_contracts.runtimes.text import templates
from model_contracts.runtimes.text.tokenizers import Encoder, encoder
from model_contracts.runtimes.transformers.loading import load

if TYPE_CHECKING:
    from model_contracts.runtimes.transformers.server import OpenAiServer

#: Modules whose output says nothing of its own: the head is asked as logits, the others are shared or hold no weights.
_NOT_SHOWN = ("lm_head", "rotary_emb", "act_fn")


def serve(path: str, definitions: Sequence[str] = ()) -> ServedModel:
    """Load the artifact at a path, with the folders of definitions that are open where it was asked. Raises Refused."""
    if definitions:
        from model_contracts.definitions.folders import open_all
        from model_contracts.definitions.known import use

        use(open_all(map(Path, definitions)))
    artifact = open_artifact(Path(path))
    if not artifact.readable:
        raise Refused(f"{artifact.name} is no model that can be read ({artifact.kind})")
    return ServedModel(artifact, load(artifact))


class ServedModel:
    """One model, and what it is asked."""

    QUESTIONS = ("tokens", "text", "logits", "generate", "render", "address")
    STREAMS = ("rows", "hidden_states")

    def __init__(self, artifact: Artifact, model: Any) -> None:
        self._artifact, self._model = artifact, model
        self._width = int(model.get_output_embeddings().weight.shape[0])
        self._own_encoder: Encoder | None = None
        self._server: OpenAiServer | None = None
        self.context: int | None = getattr(model.config, "max_position_embeddings", None)
        #: Held by whoever generates: one generation at a time, whoever asked for it.
        self.lock = threading.Lock()

    def about(self) -> dict[str, Any]:
        """What was loaded."""
        return {
            "vocabulary": self._width,
            "context": self.context,
            "questions": self.QUESTIONS,
            "class": type(self._model).__name__,
        }

    @property
    def _encoder(self) -> Encoder:
        if self._own_encoder is None:
            self._own_encoder = encoder(self._artifact)
        return self._own_encoder

    def tokens(self, text: str, add_special: bool) -> list[int]:
        """Token ids."""
        return self._encoder.encode(text, add_special)

    def text(self, tokens: list[int]) -> str:
        """The text of ids."""
        return self._encoder.decode(tokens)

    def logits(self, tokens: list[int], top: int | None) -> tuple[Any, tuple[Any, Any]]:
        """Ids and log-probabilities, the likeliest first, [positions, k] each."""
        import torch

        count = min(top or self._width, self._width)
        found = [piece.topk(count, dim=-1) for piece in self._pieces(tokens)]
        ids, values = torch.cat([top.indices for top in found]), torch.cat([top.values for top in found])
        return {"vocabulary": self._width}, (ids.int().numpy(), values.numpy())

    def rows(self, emit: Emit, tokens: list[int], start: int) -> None:
        """Whole rows of log-probabilities, a piece at a time."""
        position, step = 0, piece_length(self._width)
        for piece in self._pieces(tokens, start, step):
            emit(position, piece.numpy())
            position += len(piece)

    def hidden_states(self, emit: Emit, tokens: list[int]) -> None:
        """Every module's output as it comes to be."""
        import torch

        def show(name: str, output: Any) -> None:
            values = output[0] if isinstance(output, tuple) else output
            if isinstance(values, torch.Tensor) and values.ndim == 3 and values.is_floating_point():
                emit(name, values[0].float().contiguous().numpy())

        hooks = []
        for name, module in self._model.named_modules():
            short = name.removeprefix("model.")
            if short and short != "model" and not short.endswith(_NOT_SHOWN):
                hooks.append(module.register_forward_hook(lambda _, __, output, name=short: show(name, output)))
        try:
            self._check(tokens)
            self._model.base_model(input_ids=torch.tensor([tokens]), use_cache=False)
        finally:
            for hook in hooks:
                hook.remove()

    def generate(self, tokens: list[int], count: int) -> list[int]:
        """The likeliest token, again and again, until one ends the text (which is left out)."""
        with self.lock:
            return list(self.greedy(tokens, count))

    def greedy(self, tokens: list[int], count: int) -> Iterator[int]:
        """The tokens of `generate`, each as soon as it is known; the caller holds `lock`."""
        import torch

        torch.set_grad_enabled(False)  # it is a setting of the thread, and a server has threads of its own
        self._check(tokens)
        ends, cache, ids = self._ends(), None, torch.tensor([tokens])
        for _ in range(count):
            answer = self._model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
            cache = answer.past_key_values
            most, best = answer.logits[0, -1].max(dim=-1)
            if torch.isnan(most):  # one NaN is the largest of all
                raise WrongAnswer("transformers gave NaN among the logits that choose the next token")
            if int(best) in ends:
                return
            yield int(best)
            ids = best.reshape(1, 1)

    def address(self, seconds: float | None = None) -> str:
        """A server of our own on loopback (transformers' takes a framework, and loads no .apr); it is ready at once."""
        if self._server is None:
            from model_contracts.runtimes.transformers.server import OpenAiServer

            self._server = OpenAiServer(self)
        return self._server.address

    def close(self) -> None:
        """Serve nobody any more: another artifact takes this one's place."""
        if self._server is not None:
            self._server.close()

    def render(self, messages: list[Any], add_generation_prompt: bool, tools: list[Any] | None) -> str:
        """The chat template's prompt."""
        return templates.of_artifact(self._artifact, messages, add_generation_prompt, tools)

    def _pieces(self, tokens: list[int], start: int = 0, step: int | None = None) -> Iterator[Any]:
        """Log-probabilities [piece, vocabulary] after the positions from `start` on, in order."""
        import torch

        self._check(tokens)
        cache, ids = None, torch.tensor([tokens])
        step = step or piece_length(self._width)
        first = 0
        while first < len(tokens):
            last = start if first < start else min(first + step, len(tokens))
            keep = 1 if first < start else 0
            answer = self._model(
                input_ids=ids[:, first:last], past_key_values=cache, use_cache=True, logits_to_keep=keep
            )
            cache = answer.past_key_values
            if first >= start:
                yield torch.log_softmax(answer.logits[0].float(), dim=-1)
            first = last

    def _check(self, tokens: list[int]) -> None:
        rows = int(self._model.get_input_embeddings().weight.shape[0])
        outside = [token for token in tokens if not 0 <= token < rows]
        if not tokens or outside:
            raise Refused(f"the token {outside[0]} is outside {rows:,} embeddings" if outside else "no tokens")

    def _ends(self) -> frozenset[int]:
        found = set(by_name(self._artifact).get("eos_token_id", {}))
        tokenizer = self._artifact.tokenizer
        special = tokenizer.special_ids if tokenizer else {}
        return frozenset(found | {special[name][0] for name in ("eot", "eom") if name in special})
