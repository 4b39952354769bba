"""Kind `tied_embeddings`: the flag that says embedding and output head are one agrees with what is in the file."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.checks.drafts import Gap
from model_contracts.checks.gaps import packed
from model_contracts.checks.interface import (
    Comparisons,
    Examination,
    NoParameters,
    Where,
    missing_input,
    not_owed,
    static,
)
from model_contracts.outcome import Comparison, Place, Uncompared
from model_contracts.sweep.reads import same_bytes


def tied_embeddings(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare the flag with the presence of the head and, where a tied head has bytes, with the embedding's bytes."""
    view = examination.view
    if view.family is not None:
        yield from _agree(view)
        return
    if view.architecture is None:
        raise missing_input(str(view.unknown))
    yield from _without_family(view)


def _without_family(view: View) -> Comparisons:
    """What holds is said; what does not may be right for an architecture that nobody here knows."""
    if view.tied is None and view.convention == "huggingface":
        yield Uncompared(reason=f"{view.unknown}: whether its embeddings are tied where nothing says so is not known")
        return
    if view.by_canonical.get("token_embd.weight") is None:
        yield Uncompared(reason=f"{view.unknown}: which tensors are its embedding and its head is not known")
        return
    for comparison in _agree(view):
        if isinstance(comparison, Gap) or comparison.holds:
            yield comparison
        else:
            said = f"the head is {comparison.observed}, expected {comparison.expected}"
            yield Uncompared(place=comparison.place, reason=f"{view.unknown}: {said}")


def _agree(view: View) -> Iterator[Comparison | Gap]:
    embedding, head = (view.by_canonical.get(name) for name in ("token_embd.weight", "output.weight"))
    if head is None and view.headless:
        raise not_owed("a base model has no output head")
    if embedding is None:
        raise missing_input("there is no token embedding to compare with")
    tied = view.tied
    flag = view.declared.get("tie_word_embeddings")
    place = flag.place if flag else Place(tensor="output head")
    if tied is None:
        # No flag: a file without an output head is read as tied, one with a head as untied.
        if unknown := next((t for t in (head, embedding) if t and t.packed and not t.packed.shape_known), None):
            yield packed(unknown)
            return
        yield Comparison(
            measure="head_readable",
            place=Place(tensor=head.name if head else embedding.name),
            expected="an output head of the embedding's shape, or none",
            observed="none" if head is None else list(head.shape),
            holds=head is None or head.shape == embedding.shape,
        )
        return
    if not tied:
        there = head is not None and not head.placeholder
        yield Comparison(
            measure="head_present",
            place=place,
            expected="an output head, for embeddings are not tied",
            observed=head.name if head and there else None,
            holds=there,
            note=None if there else "the model would run with a random or missing head (transformers issue 43159)",
        )
        if there and head is not None and flag is not None:
            yield _untied(place, embedding, head)
        return
    yield from _tied(view, place, embedding, head)


def _untied(place: Place, embedding: Tensor, head: Tensor) -> Comparison:
    """An untied head was trained by itself: equal to the embedding in every byte, it was copied from it."""
    equal = head.dtype == embedding.dtype and head.shape == embedding.shape and same_bytes(head, embedding)
    return Comparison(
        measure="untied_head",
        place=Place(file=head.file.name, tensor=head.name),
        expected=f"other values than {embedding.name}",
        observed="equal in every byte" if equal else "other bytes",
        holds=not equal,
        count=head.elements or 1,
        note=f"{place} says that the two are not tied: the trained head was lost" if equal else None,
    )


def _tied(view: View, place: Place, embedding: Tensor, head: Tensor | None) -> Iterator[Comparison | Gap]:
    if head is None or head.placeholder:
        observed = "absent" if head is None else "an entry without bytes"
        yield Comparison(
            measure="tied_head", place=place, expected="absent or equal to the embedding", observed=observed, holds=True
        )
        return
    if unread := next((one for one in (head, embedding) if one.packed is not None and one.packed.unread), None):
        yield packed(unread)
        return
    equal = head.dtype == embedding.dtype and head.shape == embedding.shape and same_bytes(head, embedding)
    yield Comparison(
        measure="tied_head",
        place=Place(file=head.file.name, tensor=head.name),
        expected=f"the bytes of {embedding.name}",
        observed="equal" if equal else f"{head.dtype} {list(head.shape)}, different bytes",
        holds=equal,
        count=head.elements or 1,
        note=None if equal else f"{place} says tied; readers that tie ignore this head, others use it",
    )


TIED_EMBEDDINGS = static(NoParameters, tied_embeddings)
