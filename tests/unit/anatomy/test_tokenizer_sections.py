"""Sections of tokenizer.json have one form for all spellings of one behaviour."""

from __future__ import annotations

import pytest

from model_contracts.anatomy.tokenizers.tokenizer_sections import canonical, differences, prefix_of

_FRAME = {"cls": ["[CLS]", 2], "sep": ["[SEP]", 3]}
_SPECIAL = {"[CLS]": {"ids": [2]}, "[SEP]": {"ids": [3]}}
_OPEN, _CLOSE = ({"SpecialToken": {"id": name, "type_id": 0}} for name in ("[CLS]", "[SEP]"))
_A = {"Sequence": {"id": "A", "type_id": 0}}


@pytest.mark.parametrize(
    ("section", "one", "other"),
    [
        ("pre_tokenizer", {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}, {"type": "Metaspace"}),
        (
            "pre_tokenizer",
            {"type": "Metaspace", "str_rep": "▁", "add_prefix_space": False},
            {"type": "Metaspace", "prepend_scheme": "never", "split": True},
        ),
        ("pre_tokenizer", {"type": "ByteLevel", "trim_offsets": False}, {"type": "ByteLevel", "use_regex": True}),
        ("decoder", {"type": "ByteLevel", "add_prefix_space": False}, {"type": "ByteLevel", "use_regex": False}),
        ("post_processor", {"type": "ByteLevel", "trim_offsets": True}, None),
        ("normalizer", {"type": "Sequence", "normalizers": []}, None),
        ("normalizer", {"type": "Sequence", "normalizers": [{"type": "NFC"}]}, {"type": "NFC"}),
        ("normalizer", {"type": "BertNormalizer"}, {"type": "BertNormalizer", "strip_accents": None}),
        ("model", {"type": "BPE", "end_of_word_suffix": None}, {"type": "BPE", "end_of_word_suffix": ""}),
    ],
)
def test_two_spellings_have_one_form(section: str, one: object, other: object) -> None:
    assert canonical(section, one) == canonical(section, other)


def test_fixed_post_processors_are_the_templates_that_they_stand_for() -> None:
    template = {"type": "TemplateProcessing", "special_tokens": _SPECIAL, "single": [_OPEN, _A, _CLOSE]}
    expected = canonical("post_processor", template)["single"]
    for name in ("BertProcessing", "RobertaProcessing"):
        assert canonical("post_processor", {"type": name, **_FRAME})["single"] == expected
    bert, roberta = (
        canonical("post_processor", {"type": name, **_FRAME}) for name in ("BertProcessing", "RobertaProcessing")
    )
    assert bert["pair"] != roberta["pair"]


def test_what_parts_two_sections_is_found_where_it_stands() -> None:
    one, other = ({"type": "Split", "pattern": {"Regex": text}, "behavior": "Isolated"} for text in ("a", "b"))
    found = list(differences(canonical("pre_tokenizer", one), canonical("pre_tokenizer", other)))
    assert found == [(".pattern.Regex", "a", "b")]


@pytest.mark.parametrize(
    "hostile",
    [
        7,
        [],
        {"type": []},
        {"type": "Sequence", "normalizers": [7, {"type": None}]},
        {"type": "TemplateProcessing", "single": 7, "special_tokens": 7},
    ],
)
@pytest.mark.parametrize("section", ["normalizer", "post_processor", "pre_tokenizer", "decoder", "model"])
def test_no_section_ends_the_comparison(section: str, hostile: object) -> None:
    canonical(section, hostile)
    prefix_of({section: hostile})
