"""Owns what may be done to every value of a tensor: the names, their inverses, and their words for a report."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

#: A name, the name of its exact inverse (None: there is none), and whether it takes a value.
STEPS: dict[str, tuple[str | None, bool]] = {
    "add": ("add", True),
    "scale": ("unscale", True),
    "unscale": ("scale", True),
    "neg_exp": ("log_neg", False),
    "log_neg": ("neg_exp", False),
    "ternarise": (None, False),  # -s, 0 or s, with s the mean of the magnitudes of the whole tensor
    "ternary": (None, True),  # -s, 0 or s, with s given, for what is nearest to -1, 0 and 1
}
_MAY_BE_EXACT = ("add", "scale", "unscale")


@dataclass(frozen=True, slots=True)
class ValueStep:
    """One elementwise step; `exact` declares that no value is rounded, as where a BF16 norm + 1 is kept as F32.

    Raises ValueError for a name that is not known, a value where none belongs, none where one does, and for `exact`
    on what rounds always.
    """

    name: str
    value: float | None = None
    exact: bool = False

    def __post_init__(self) -> None:
        if self.name not in STEPS:
            raise ValueError(f"Apply: expected one of {', '.join(STEPS)}, found {str(self.name)[:80]!r}")
        wanted = STEPS[self.name][1]
        number = type(self.value) in (int, float) and -1e300 < (self.value or 0) < 1e300 and isfinite(self.value or 0)
        if (wanted and not number) or (not wanted and self.value is not None):
            expected = "a finite number" if wanted else "no value"
            raise ValueError(f"Apply {self.name}: expected {expected}, found {type(self.value).__name__!s}")
        if self.name.endswith("scale") and not self.value:
            raise ValueError(f"Apply {self.name}: expected a number other than 0, found 0")
        if self.exact and self.name not in _MAY_BE_EXACT:
            raise ValueError(f"Apply {self.name}: expected exact to be false, for it rounds, found true")

    @property
    def inverse(self) -> ValueStep | None:
        """The step that undoes this one; None where nothing does. A sum that was exact is undone exactly."""
        name = STEPS[self.name][0]
        if name is None:
            return None
        return ValueStep(name, -self.value if self.name == "add" and self.value is not None else self.value, self.exact)


def joined(steps: tuple[ValueStep, ...], more: tuple[ValueStep, ...]) -> tuple[ValueStep, ...]:
    """Steps and further ones after them; a step and its inverse side by side cancel, whichever is declared exact."""
    found = list(steps)
    for step in more:
        back = step.inverse
        if found and back is not None and (found[-1].name, found[-1].value) == (back.name, back.value):
            found.pop()
        else:
            found.append(step)
    return tuple(found)


def undone(step: ValueStep) -> tuple[str, str, str]:
    """How a report says that a step was left out, was done twice, and was done the other way round."""
    value = f"{step.value:g}" if step.value is not None else ""
    if step.name == "add" and (step.value or 0) < 0:
        value = value.lstrip("-")
        return f"{value} not subtracted", f"{value} subtracted twice", f"{value} added instead of subtracted"
    return {
        "add": (f"{value} not added", f"{value} added twice", f"{value} subtracted instead of added"),
        "scale": (f"not multiplied by {value}", f"multiplied by {value} twice", f"divided by {value} instead"),
        "unscale": (f"not divided by {value}", f"divided by {value} twice", f"multiplied by {value} instead"),
        "neg_exp": ("-exp(x) not taken", "-exp(x) taken twice", "log(-x) taken instead of -exp(x)"),
        "log_neg": ("log(-x) not taken", "log(-x) taken twice", "-exp(x) taken instead of log(-x)"),
        "ternarise": ("not ternarised", "ternarised twice", ""),
        "ternary": ("not ternarised", "ternarised twice", ""),
    }[step.name]
