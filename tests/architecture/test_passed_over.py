"""What a check owes and passes over is told: each silent `continue` and early `return` that is left has its reason."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from support.source_trees import tree_of

CHECKS = Path(__file__).resolve().parents[2] / "src" / "model_contracts" / "checks"

#: Function to how many silent ways out it has, and why nothing that is owed is lost by them.
REMAINING: dict[str, tuple[int, str]] = {
    "chat_template.one_template": (1, "the first home of a template is what the others are compared with"),
    "chat_templates.same_rendering": (1, "no conversation was rendered in time: what was owed was told of"),
    "claimed_types._fallbacks": (1, "no tensor fell back: there is no share to tell"),
    "claimed_types._bits_per_weight": (1, "a figure is published for large models only; types are compared one by one"),
    "continuations.same_framing": (1, "no side says a number in that way; a prompt of which none does is told of"),
    "declared_parts._prediction": (1, "no layer of multi-token prediction is declared"),
    "declared_parts._per_layer": (1, "the key is no array, or no number of layers is declared to hold it to"),
    "declared_rest.compare_rest": (1, "neither side declares it"),
    "declared_rest._without_counterpart": (1, "it is null, or a part of a sentence model that is compared itself"),
    "declared_values.compare_value": (1, "the table says why nothing is lost where one side alone declares it"),
    "declared_values._undeclared": (1, "it only serves to make values that are compared"),
    "declared_values._lost": (2, "the number of tokens stands for it, or other keys that it is made of are compared"),
    "declared_values._invented": (3, "it is switched off, is carried along, or what is made of it is compared"),
    "hyperparameters._layers": (1, "no layer has a name, or none is declared: what is owed is told of"),
    "distributions._run": (2, "the verdict is settled by what was run, or a framing has no more prompts"),
    "distributions.compare": (1, "the source has no chat template: there is no chat framing"),
    "elementwise._compare": (1, "the slope of a constant tensor is not defined; five other measures are"),
    "elementwise._finite": (1, "every value is finite on both sides"),
    "golden_agreement.golden_answers": (1, "the prompts came out otherwise, which was told: answers to others differ"),
    "golden_rule._first_departing": (1, "nobody asked where it departs, or nothing does"),
    "golden_rule.same_prompt_tokens": (1, "the source has no chat template: there is no chat framing"),
    "headers.unknown_dtype_refused": (1, "no header was generated in time: what was owed was told of"),
    "hyperparameters._against_embedding": (1, "no embedding with two axes: the caller tells that it is missing"),
    "gaps.unread": (1, "it was read, or has no bytes or no values"),
    "marked_tokens._marked": (1, "the text is no marker"),
    "marked_tokens._bytes": (1, "only SentencePiece vocabularies have byte tokens"),
    "pair_special_ids._every_end": (1, "one end of sequence is compared by its id; a GGUF has room for one"),
    "rows_in_use.rows_in_use": (1, "no tokenizer says which rows are in use; the share of dead rows is compared"),
    "sentence_parts._folders": (1, "a part that is missing was told of, and the transformer is the model itself"),
    "sentence_parts._width": (1, "the part before it does not say how wide its vectors are"),
    "sentence_parts._longest": (1, "no part follows the transformer, or it has no positions that were learnt"),
    "family_shapes._of_family": (1, "of the towers, or of layers that predict ahead: compared with those"),
    "family_tensors._unknown": (1, "of layers that predict ahead: compared with those"),
    "pair_towers._projector": (1, "the source's towers are of no family: every tensor of theirs tells it"),
    "pair_towers._family_values": (1, "the GGUF does not declare it: what it owes, its sizes tell"),
    "pair_towers._flags": (1, "the GGUF has no such flag"),
    "sentence_parts.parts_kept": (1, "a folder keeps its parts in folders of their own"),
    "special_ids._generation": (1, "it is no end of sequence"),
    "coverage._promised": (1, "no configuration is there, which another comparison tells"),
    "coverage._covered": (1, "the method leaves layers out by design, or packs nothing"),
    "coverage._named": (1, "the module stays as it is, or is not there, which the family's tensors tell"),
    "coverage._stays": (2, "no family knows the module, or it is one that the scheme packs"),
    "coverage._cache": (1, "no configuration promises scales of a cache"),
    "engines._asked": (2, "the fact speaks of other layouts, or of a setting that nothing declares"),
    "parts._shapes": (1, "a part that is missing is told of by the companions; others have no shape to hold to"),
    "parts._state": (2, "the layout keeps no state, or the state says nothing of that member"),
    "scales._scales": (1, "the part is no scale, or is missing, which the gate of parts tells"),
    "scales._global": (1, "it is a largest magnitude, of which neither side of 1 is wrong"),
    "sizes.size_of_values": (1, "no value of it is finite, which the gate of values tells"),
    "scales._beside": (1, "it is no scale, or holds nothing"),
    "siblings._group": (2, "the part is no number that fused layers share, or one layer alone has it"),
    "tables.tables_of": (1, "the part is no table, or is missing, which the gate of parts tells"),
    "zeros.zeros_of": (1, "the part is missing, which the gate of parts tells"),
    "zeros._shared": (1, "the weight holds no order, or names groups that are not there, which is told of"),
    "zeros.orders_of": (2, "the weight holds no order, or another gate tells that its bytes are not there"),
    "tokenizer_flags._types": (1, "published files keep no token types"),
    "tokenizer_flags._flag": (1, "no side declares it and both readers assume the same"),
    "tokenizer_flags._pre_tokenizer": (
        3,
        "compared as a section, cut by marks and scores, or .apr has no place for it",
    ),
    "tokenizer_pair._scores": (2, "the kind has no scores, or its merges are held to them by another gate"),
    "tokenizer_sections.same_treatment": (2, "between published files each section is compared by itself"),
    "tokenizer_sections._options": (1, ".apr has no place for them"),
    "tokenizer_sections._settings": (
        2,
        "one of them is no folder, or neither has the key: readers assume one thing of both",
    ),
    "tokenizer_sections._template": (1, "the post-processor puts nothing around a text"),
    "tokenizer_texts._compared": (1, "no text was tried in time: what was owed was told of"),
    "values_alive.values_alive": (2, "parts of packed weights, and tensors that were told of as a whole"),
    "values_alive._subnormal": (1, "a normal number is among the values"),
    "family_tensors._of_family": (1, "what may be absent is not owed"),
    "family_tensors._experts": (1, "the layer has none: the weight itself is told as missing"),
    "values_alive._experts": (1, "it is no stack of experts"),
    "values_finite.values_finite": (2, "it has no value, or holds packed integers"),
}


def silent(tree: ast.AST) -> Iterator[str]:
    """The generator functions that go on or end early without a word, once for each place."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for function in functions:
        own = list(_own(function))
        if not any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own):
            continue
        for node in (function, *own):
            for body in (getattr(node, part, []) for part in ("body", "orelse")):
                if isinstance(body, list) and any(_way_out(one) for one in body):
                    told = any(isinstance(n, ast.Yield | ast.YieldFrom) for one in body for n in ast.walk(one))
                    if not told:
                        yield function.name


def _own(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.Lambda):
            yield child
            yield from _own(child)


def _way_out(node: ast.AST) -> bool:
    return isinstance(node, ast.Continue) or (isinstance(node, ast.Return) and node.value is None)


def found() -> Counter[str]:
    counts: Counter[str] = Counter()
    for path in sorted(CHECKS.rglob("*.py")):
        module = path.name.removesuffix(".py")
        counts.update(f"{module}.{name}" for name in silent(tree_of(path)))
    return counts


def test_nothing_is_passed_over_in_silence_but_for_a_reason_that_stands_here() -> None:
    assert dict(found()) == {name: count for name, (count, _) in REMAINING.items()}
    assert all(reason.strip() for _, reason in REMAINING.values())


def test_a_new_silent_way_out_would_be_seen_and_a_told_one_is_none() -> None:
    quiet = "def check(x):\n    for t in x:\n        if not t:\n            continue\n        yield t\n"
    told = quiet.replace("            continue", "            yield Uncompared(t)\n            continue")
    early = "def check(x):\n    if not x:\n        return\n    yield x\n"
    assert list(silent(ast.parse(quiet))) == list(silent(ast.parse(early))) == ["check"]
    assert list(silent(ast.parse(told))) == []
