"""Owns the oracle of arithmetic: the prompt asks a sum, and its result stands in the answer as a number of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from pydantic import Field

from model_contracts.inference.oracles.interface import MOST_CHARACTERS, Answer, Held, Oracle, Skipped, Where
from model_contracts.outcome import Comparison, Record

_DIGITS = r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?"
#: Not within a word or another number: 4 is neither in 42 nor in x4, 4.5, 4th; it is in "2+2=4." and "(4)".
_NUMBER = re.compile(rf"(?<![\w.,])(?<!\w-)(?:(?<![\w)])-)?(?:{_DIGITS})(?![\w]|[.,][0-9])")
_OPERATORS = {"+": "+", "-": "-", "\u2212": "-", "*": "*", "\u00d7": "*", "x": "*", "/": "/", "\u00f7": "/"}
_SIGN = r"[+\-\u2212*\u00d7x/\u00f7]"
_SUM = re.compile(rf"(?<![\w.,])(?:{_DIGITS})(?:\s*{_SIGN}\s*(?:{_DIGITS}))+(?![\w]|[.,][0-9])")
_MOST_DIGITS, _MOST_TERMS, _MOST_NUMBERS = 40, 16, 4096


class Arithmetic(Record):
    """What is expected; without it, the sum that the prompt asks (numbers and + - * /, * and / first)."""

    expected: float | None = None
    tolerance: float = Field(0, ge=0, description="Of the number, absolute.")


def held(answer: Answer, parameters: Arithmetic, where: Where) -> Iterator[Held]:
    """The number of the answer that is nearest to the result. The sum itself, said again, is no answer."""
    asked = [found[0] for found in _SUM.finditer(answer.prompt[:MOST_CHARACTERS])]
    if parameters.expected is not None:
        expected: Fraction | None = Fraction(str(parameters.expected))
    elif len({re.sub(r"\s", "", one) for one in asked}) == 1:
        expected = result(asked[0])
    else:
        expected = None
    if expected is None:
        yield Skipped("missing_input", f"the prompt asks {len(asked)} sums and the oracle names no number to expect")
        return
    text = answer.text[:MOST_CHARACTERS]
    for one in asked:
        again = r"\s*".join(map(re.escape, re.sub(r"\s", "", one)))
        text = re.sub(rf"(?<![\w.,]){again}(?![\w]|[.,][0-9])", " ", text)
    numbers = list(_numbers(text))
    nearest = min(numbers, key=lambda number: abs(number - expected), default=None)
    apart = None if nearest is None else float(abs(nearest - expected))
    yield Comparison(
        measure="arithmetic",
        expected=_plain(expected),
        observed=None if nearest is None else _plain(nearest),
        holds=apart is not None and apart <= parameters.tolerance,
        tolerance=parameters.tolerance,
        smallest_passing_tolerance=apart,
        count=max(1, len(numbers)),
        bound_from=where("tolerance"),
        note=f"the nearest of {len(numbers)} numbers" if len(numbers) > 1 else None if numbers else "it says no number",
    )


def result(text: str) -> Fraction | None:
    """What a sum makes; None for one that is too long, or divides by nothing."""
    parts = re.findall(rf"{_DIGITS}|{_SIGN}", text)
    if len(parts) > 2 * _MOST_TERMS or any(len(part) > _MOST_DIGITS for part in parts):
        return None
    terms = [_fraction(parts[0])]
    for sign, number in zip(parts[1::2], map(_fraction, parts[2::2]), strict=True):
        operator = _OPERATORS[sign]
        if operator == "*":
            terms[-1] *= number
        elif operator == "/":
            if number == 0:
                return None
            terms[-1] /= number
        else:
            terms.append(number if operator == "+" else -number)
    return sum(terms, Fraction())


def _numbers(text: str) -> Iterator[Fraction]:
    for at, found in enumerate(_NUMBER.finditer(text)):
        if at >= _MOST_NUMBERS:
            return
        if len(found[0]) <= _MOST_DIGITS:
            yield _fraction(found[0])


def _fraction(text: str) -> Fraction:
    return Fraction(text.replace(",", ""))


def _plain(number: Fraction) -> int | float:
    return int(number) if number.denominator == 1 and abs(number) < 1 << 53 else float(number)


ORACLE = Oracle(Arithmetic, held, "a sum has one result")
