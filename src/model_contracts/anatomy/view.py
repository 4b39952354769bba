"""Owns the view of one artifact that checks share: family, canonical names, hyper-parameters, row order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from model_contracts.anatomy.families import names
from model_contracts.anatomy.families.architecture import Architecture, architecture
from model_contracts.anatomy.families.conventions import Conventions, multipliers
from model_contracts.anatomy.families.hyperparameters import Declared, Number, declared, layered, resolved
from model_contracts.anatomy.families.multimodal import of_several_parts, other_part, text_config, without_part
from model_contracts.anatomy.families.stored_names import StoredEntry, named
from model_contracts.anatomy.parts.prefixes import prefix, unwrapped
from model_contracts.anatomy.parts.recognised import Part, part
from model_contracts.anatomy.storage.recognised import Storage, storage
from model_contracts.artifact import Artifact, Tensor
from model_contracts.containers import Convention
from model_contracts.family import Families, Family, FamilyTensor

#: The family by which an artifact is read that is of none.
_DECODER = "families/decoder"


@dataclass(frozen=True)
class View:
    """One artifact, understood through the families that are shipped."""

    #: The artifact as it is stored, part by part.
    stored: Artifact
    families: Families
    #: The other side of a pair: where this side is of no shipped family, its architecture's map of names is tried too.
    beside: Artifact | None = None
    #: Tensors that stand in the place of its own of the same name: what an adapter makes of them.
    instead: Mapping[str, Tensor] = field(default_factory=dict)

    @cached_property
    def storage(self) -> Storage:
        """Its weights: which stored tensors are one, and what declares how they are packed."""
        return storage(self.stored)

    @cached_property
    def artifact(self) -> Artifact:
        """The artifact with each packed weight as one tensor of its own name and shape."""
        return self.storage.artifact if not self.instead else _with(self.storage.artifact, self.instead)

    @cached_property
    def part(self) -> Part:
        """What part of a model it is."""
        return part(self.artifact)

    @cached_property
    def architecture(self) -> Architecture | None:
        """What the artifact says it is (None: it says nothing)."""
        return architecture(self.artifact, self.families)

    @cached_property
    def family(self) -> Family | None:
        """The shipped family of that architecture; of several that bear one word in GGUF, that of the other side."""
        own = self.architecture.family if self.architecture else None
        if own is None or self.beside is None or not self.artifact.form.prefixed_keys:
            return own
        other = architecture(self.beside, self.families)
        theirs = other.family if other is not None else None
        return theirs if theirs is not None and {*theirs.gguf} & {*own.gguf} else own

    @cached_property
    def declared(self) -> dict[str, Declared]:
        """Hyper-parameters as declared, with their place."""
        return declared(self.artifact, self.base)

    @cached_property
    def numbers(self) -> dict[str, Number]:
        """Hyper-parameters, completed by defaults and by the vocabulary of the tokenizer."""
        tokenizer = self.artifact.tokenizer
        # GGUF needs no vocab_size key: llama.cpp counts the tokens. Elsewhere a tokenizer may be smaller.
        vocabulary = tokenizer.size if tokenizer is not None and self.artifact.form.counts_tokens else None
        numbers = resolved(self.base, self.declared, vocabulary, self.layered)
        if not self.artifact.form.beside and "tie_word_embeddings" not in self.declared:
            # Only config.json has a default: readers of GGUF and .apr go by the presence of the head.
            numbers.pop("tie_word_embeddings", None)
        return numbers

    @cached_property
    def layered(self) -> dict[str, tuple[Number, ...]]:
        """Hyper-parameters that are declared with one value a layer."""
        return layered(self.artifact, self.base)

    @cached_property
    def conventions(self) -> Conventions | None:
        """How the artifact's family stores weights under its convention (None: no family is known)."""
        if self.family is None:
            return None
        numbers: dict[str, Any] = dict(self.numbers) | self.layered
        numbers |= self._multipliers(self.family)
        return Conventions(self.family, self.convention, numbers, dialect=self.dialect)

    @cached_property
    def dialect(self) -> str | None:
        """The dialect of its convention that its names are of (None: of the convention itself)."""
        family = self.family
        for name, said in (family.dialects if family is not None else {}).items():
            if family is None or said is None or said.of != self.convention:
                continue
            plain, other = Conventions(family, said.of, {}), Conventions(family, said.of, {}, dialect=name)
            if any(plain.entry(one) is None and other.entry(one) is not None for one in self._of_part):
                return name
        return None

    @property
    def way(self) -> tuple[str, str | None]:
        """The convention and the dialect of it."""
        return self.convention, self.dialect

    def _multipliers(self, family: Family) -> dict[str, Any]:
        """What values are multiplied by, as the other side declares it: a GGUF holds the products and no multiplier."""
        if self.beside is None or not (named := multipliers(family)):
            return {}
        there = declared(self.beside, family)
        numbers: dict[str, Any] = dict(resolved(family, there)) | layered(self.beside, family)
        own = self.declared.keys() | self.layered.keys()
        return {name: numbers[name] for name in (named - own) & numbers.keys()}

    @cached_property
    def entries(self) -> dict[str, StoredEntry | None]:
        """What each tensor stands for in its family, in the order of the artifact."""
        if self.conventions is None:
            return dict.fromkeys(self.artifact.tensors)
        find = self._entry
        return {name: find(bare) for name, bare in self.bare.items()}

    @cached_property
    def weights(self) -> frozenset[str]:
        """The keys of the family's logical weights that the artifact holds, in whatever layer."""
        known = self.conventions
        entries = (entry for entry in self.entries.values() if entry is not None)
        return frozenset(key for entry in entries for key in (known.keys(entry) if known is not None else ()))

    @cached_property
    def layer_count(self) -> int:
        """One more than the highest layer that a tensor of the family stands in (0 where there is none)."""
        known = (entry.layer for entry in self.entries.values() if entry is not None and entry.layer is not None)
        return max((layer + 1 for layer in known), default=0)

    @cached_property
    def canonical(self) -> dict[str, str | None]:
        """Tensor name to canonical name, in the order of the artifact; the tensors of a stacked weight have one."""
        return {name: self._find(bare) for name, bare in self.bare.items()}

    @cached_property
    def prefix(self) -> tuple[str, str]:
        """What a wrapper or a training run left before every name, and which ("": nothing); adapters bear one."""
        if self.part.name == "adapter" or self.convention == "gguf":
            return "", ""
        return prefix(self._of_part, self._find if self.family is not None else None)

    @cached_property
    def _of_part(self) -> Collection[str]:
        """What the language model alone would call its tensors, in their order."""
        known = self.artifact.tensors.keys()
        return [self._alone(name) for name in known] if self._of_other_names else known

    @property
    def _of_other_names(self) -> bool:
        """Whether what is looked at would call its tensors otherwise if it were alone."""
        return self.several_parts

    def _alone(self, name: str) -> str:
        return without_part(name) if self.several_parts else name

    @cached_property
    def wrapped(self) -> dict[str, str]:
        """Names that hold a wrapper, to the wrapper (`_orig_mod`); the prefix counts as one."""
        cut, _ = self.prefix
        if cut:
            return dict.fromkeys(self.artifact.tensors, cut.removesuffix("."))
        return {name: wrapper for name in self.artifact.tensors if (wrapper := unwrapped(name)[1])}

    @cached_property
    def bare(self) -> dict[str, str]:
        """Tensor name to the name without prefix and wrappers, in the order of the artifact."""
        if self.convention == "gguf":
            return {name: name for name in self.artifact.tensors}
        return {name: self.without_prefix(name) for name in self.artifact.tensors}

    @cached_property
    def several_parts(self) -> bool:
        """Whether the language model is one part of it."""
        return self.convention == "huggingface" and of_several_parts(self.artifact.config)

    @property
    def layers_taken(self) -> int | None:
        """How many layers of an encoder run, where the output of an inner one is taken (None: all run)."""
        return None

    def other_part(self, name: str) -> str | None:
        """What part a tensor is of that no family of language models knows (None: of the language model)."""
        of_family = self.entries[name] is not None or not self.several_parts
        return None if of_family else other_part(self.bare[name])

    def without_prefix(self, name: str) -> str:
        """A name of this artifact's convention without the prefix and the wrappers that its tensors bear."""
        return name if self.convention == "gguf" else unwrapped(self._alone(name)[len(self.prefix[0]) :])[0]

    def find(self, bare: str) -> str | None:
        """The canonical name of a bare one (None: nothing knows it)."""
        return self._find(bare)

    @cached_property
    def refused(self) -> frozenset[str]:
        """Canonical names of tensors that are declared with a type nobody knows; another gate is about those."""
        return frozenset(self._find(name) or name for name in self.artifact.refused)

    @cached_property
    def _entry(self) -> Callable[[str], StoredEntry | None]:
        """What a name stands for; a weight that both conventions store alike may bear its name of the other one."""
        known = self.conventions
        if known is None:
            return lambda name: None
        other = Conventions(known.family, "gguf" if self.convention == "huggingface" else "huggingface", {})

        def find(name: str) -> StoredEntry | None:
            if (own := known.entry(name)) is not None:
                return own
            theirs = other.entry(name)
            weight = known.family.tensors.get(theirs.key) if theirs is not None else None
            return theirs if weight is not None and weight.plain else None

        return find

    @cached_property
    def _find(self) -> names.Canonical:
        if self.family is not None:
            return partial(_canonical, self.family, self._entry)
        layers = names.layer_count(self.artifact.tensors)
        return names.canonical(self._architectures(), layers, self.convention == "gguf")

    def _architectures(self) -> Iterator[str]:
        """Words that the gguf package may know: the GGUF word of the other side first, which is one of its own."""
        if self.beside is not None and isinstance(word := self.beside.metadata.get("general.architecture"), str):
            yield word
        if self.architecture is not None:
            yield self.architecture.name
        if isinstance(word := (self.artifact.config or {}).get("model_type"), str):
            yield word

    @cached_property
    def by_canonical(self) -> dict[str, Tensor]:
        """Canonical name to tensor (the first of two that mean the same)."""
        found: dict[str, Tensor] = {}
        for name, tensor in self.artifact.tensors.items():
            entry = self.entries[name]
            if (known := self.canonical[name]) is not None and (entry is None or entry.expert is None):
                found.setdefault(known, tensor)
        return found

    @cached_property
    def convention(self) -> Convention:
        """Whose way of naming and ordering tensors the artifact has; an .apr may have either (apr.md 4.3)."""
        if (fixed := self.artifact.form.convention) is not None:
            return fixed
        return "gguf" if any(name.startswith("blk.") for name in self.artifact.tensors) else "huggingface"

    @property
    def rows_interleaved(self) -> bool:
        """Whether Q and K rows of a rotary family stand in llama.cpp's order: files with GGUF names."""
        said = self.family.dialects.get(self.dialect) if self.family is not None and self.dialect is not None else None
        steps = (step for one in said.names.values() for step in one.steps) if said is not None else ()
        return self.convention == "gguf" or any(step.rows_within_heads is not None for step in steps)

    @property
    def unknown(self) -> str | None:
        """Why nothing is known of the architecture, as a sentence begins with it (None: a family knows it)."""
        if self.family is not None:
            return None
        if self.architecture is None:
            beside = "no config.json beside it" if self.artifact.config is None else "its config.json names none"
            where = beside if self.artifact.form.beside else "its metadata name none"
            return f"the artifact does not say what architecture it is ({where})"
        return f"no family is shipped for {self.architecture.words}"

    def role(self, canonical_name: str) -> FamilyTensor | None:
        """What the family says of a tensor (None: nothing)."""
        if self.family is None:
            return None
        exact = self.family.tensors.get(canonical_name)
        return exact or self.family.tensors.get(names.template(canonical_name)[0])

    @property
    def headless(self) -> bool:
        """Whether its class is a base model, which has no output head (`LlamaModel`)."""
        name = self.architecture.name if self.architecture is not None else ""
        return name.endswith("Model") and not name.endswith(("LMHeadModel", "LMModel"))

    def flag(self, key: str) -> bool:
        """Whether config.json sets a flag."""
        return text_config(self.artifact.config).get(key) is True

    @property
    def computed(self) -> tuple[str, ...]:
        """Ends of the names of buffers that readers compute."""
        return self.base.computed

    @property
    def tied(self) -> bool | None:
        """Whether the artifact says that embedding and output head are one (None: it says nothing)."""
        value = self.numbers.get("tie_word_embeddings")
        return value if isinstance(value, bool) else None

    @property
    def base(self) -> Family:
        """What the artifact is read by: its family; where it is of none, what decoders share."""
        return self.family or self.families.called(_DECODER)


def _with(held: Artifact, instead: Mapping[str, Tensor]) -> Artifact:
    """The same artifact with other tensors of those names; names that it does not have come last."""
    more = [tensor for name, tensor in instead.items() if name not in held.tensors]
    containers = [
        replace(container, tensors=tuple(instead.get(tensor.name, tensor) for tensor in container.tensors))
        for container in held.containers
    ]
    if containers and more:
        containers[-1] = replace(containers[-1], tensors=(*containers[-1].tensors, *more))
    return replace(held, containers=tuple(containers), read_tokenizer=lambda: held.tokenizer)


def _canonical(family: Family, find: Callable[[str], StoredEntry | None], name: str) -> str | None:
    entry = find(name)
    if entry is not None:
        return named(entry.key, entry.layer)
    return name if name in family.converter_only else None
