"""What a conversion did is named once, whole, and stands only under the gates whose comparisons speak of it."""

from __future__ import annotations

from model_contracts.outcome import Cause, Place
from model_contracts.qualification.causes import closing, of_conversion
from support.outcomes import comparison, outcome


def types(gate, expected, observed, count, **changes):
    seen = tuple(
        comparison(
            False,
            measure="tensor_type",
            place=Place(tensor=f"blk.{at}.ffn_up.weight"),
            expected=expected,
            observed=observed,
            note="nothing asked for it",
        )
        for at in range(min(count, 50))
    )
    return outcome("Falsified", gate, comparisons=seen, violated=count, compared=290, **changes)


def values(*notes):
    seen = tuple(comparison(False, measure="relative_rmse", expected=0.0, observed=1.4, note=note) for note in notes)
    return outcome("Falsified", "F-CONTRACT-I4-002", comparisons=seen, violated=len(seen))


def configuration(measure, expected, observed):
    seen = (comparison(False, measure=measure, place=Place(key=measure), expected=expected, observed=observed),)
    return outcome("Falsified", "F-CONTRACT-I3-005", comparisons=seen, violated=1)


def no_tokenizer():
    seen = (
        comparison(
            False,
            measure="tokenizer_present",
            place=Place(file="q.gguf"),
            expected="tokens of the source",
            observed=None,
        ),
    )
    return outcome("Falsified", "F-CONTRACT-I5-001", comparisons=seen, violated=1)


def found(*outcomes, **changes):
    return {cause.key: cause.statement for cause in of_conversion(outcomes, "x", "converter", "x a b", **changes)}


def cause(path):
    return Cause(key=f"converter/x/{path}", component="converter", statement=path)


def closes(known, *comparisons):
    closed = closing(outcome("Falsified", "F-CONV-S-G", comparisons=comparisons), tuple(map(cause, known)))
    return [each.key.removeprefix("converter/x/") for each in closed]


def test_every_changed_type_is_counted_though_fifty_are_listed():
    said = found(types("F-CONTRACT-I3-004", "F32", "Q4_K", 168))
    assert said == {
        "converter/x/types/quantised": (
            "x narrows element types unasked: tensor_type of 168 of 290 tensors: expected F32, observed Q4_K "
            "(nothing asked for it)"
        )
    }


def test_types_that_were_narrowed_explain_values_that_differ():
    assert list(found(types("F-CONTRACT-I3-004", "F32", "Q4_K", 3), values("rounded"))) == [
        "converter/x/types/quantised"
    ]


def test_types_that_were_widened_explain_no_value():
    assert list(found(types("F-CONTRACT-I3-004", "BF16", "F32", 3), values("transposed explains it"))) == [
        "converter/x/types/upcast",
        "converter/x/values",
    ]


def test_types_that_were_narrowed_do_not_swallow_rows_in_another_order():
    said = found(
        types("F-CONTRACT-I3-004", "F32", "Q4_K", 3),
        values("rows not permuted explains it: relative RMSE 1.43 as declared, 0.0766 so"),
    )
    assert list(said) == ["converter/x/types/quantised", "converter/x/values"]
    assert "rows not permuted explains it: relative RMSE 1.43" in said["converter/x/values"]


def test_two_explanations_of_different_tensors_are_two_causes():
    rows, norm = "rows not permuted (Q/K) explains it: 1.4 as declared", "a norm that was given +1 explains it: 1.0 so"
    seen = tuple(
        comparison(False, measure="relative_rmse", place=Place(tensor=name), note=note)
        for name, note in (("q", rows), ("k", rows), ("n", norm))
    )
    said = found(outcome("Falsified", "F-CONTRACT-I4-002", comparisons=seen, violated=3))
    assert list(said) == ["converter/x/values/as-rows-not-permuted", "converter/x/values/as-a-norm-that-was-given"]
    assert said["converter/x/values/as-rows-not-permuted"].endswith("; and so at 1 place more")
    differ = comparison(False, measure="greedy_tokens", expected=[1], observed=[2])
    known = ("values/as-rows-not-permuted", "tokenizer")
    assert closes(known, differ) == ["values/as-rows-not-permuted"]


def test_a_rival_explanation_is_in_the_statement():
    assert "transposed explains it" in found(values(None, "transposed explains it"))["converter/x/values"]


def test_ids_that_go_with_a_lost_tokenizer_are_no_cause_of_their_own():
    assert list(found(no_tokenizer(), configuration("eos_token_id", 2, None))) == ["converter/x/tokenizer"]
    assert list(found(configuration("eos_token_id", 2, None))) == ["converter/x/configuration/lost"]


def test_a_tokenizer_that_the_source_had_not_is_not_lost_by_this_conversion():
    assert found(no_tokenizer(), inherited=("tokenizer",)) == {}


def test_what_was_invented_is_named_with_all_that_was_owed():
    out_of_range = comparison(
        False,
        measure="eos_token_id",
        place=Place(file="config.json", key="eos_token_id"),
        expected="a token id below 2,000",
        observed=151645,
    )
    beyond = outcome("Falsified", "G0-TOKENIZER-004", comparisons=(out_of_range,), violated=1)
    said = found(beyond, configuration("eos_token_id", [2], 151645), configuration("sliding_window", None, 32768))
    assert said["converter/x/configuration"] == (
        "x changes or invents configuration values: eos_token_id: expected 2 (and a token id below 2,000), "
        "observed 151645; sliding_window: expected none, observed 32768"
    )


def test_a_gate_stands_under_the_causes_that_its_comparisons_speak_of():
    known = ("container", "types/quantised", "types/upcast", "tokenizer", "tokenizer/chat_template")
    bytes_differ = comparison(False, measure="tensor_bytes")
    narrowed = comparison(False, measure="tensor", expected="BF16 [2, 2]", observed="Q4_K [2, 2]")
    framed = comparison(False, measure="prompt_length", expected=31, observed=9)
    unknown = comparison(False, measure="gate", place=Place(key="F-CONTRACT-I3-001"))
    assert closes(known, bytes_differ) == ["types/quantised"]
    assert closes(known, narrowed) == ["types/quantised"]
    assert closes(known, framed) == ["tokenizer", "tokenizer/chat_template"]
    assert closes(known, unknown) == ["container"]


def test_equal_ids_that_are_answered_otherwise_are_no_matter_of_the_tokenizer():
    answered = comparison(False, measure="greedy_tokens", expected=[1], observed=[2])
    assert closes(("tokenizer", "types/quantised"), answered) == ["types/quantised"]
    assert closes(("tokenizer",), answered) == []


def test_what_may_have_any_cause_stands_under_all_of_them():
    assert closes(("container", "tokenizer"), comparison(False, measure="answer")) == ["container", "tokenizer"]
