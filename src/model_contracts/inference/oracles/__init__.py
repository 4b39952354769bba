"""What an answer is held to: one file an oracle. Nothing here decides which of them an answer owes: a playbook does.

for found in hold("garbage", {"max_repetition": 0.9}, Answer(text, prompt=prompt, cut=True), where):
    ...   # a Comparison, or a Skipped that says what was not compared and why
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from pydantic import JsonValue

from model_contracts.inference.oracles.interface import Answer as Answer
from model_contracts.inference.oracles.interface import Held as Held
from model_contracts.inference.oracles.interface import Oracle as Oracle
from model_contracts.inference.oracles.interface import Skipped as Skipped
from model_contracts.inference.oracles.interface import Where as Where

_MODULES = {
    "garbage": "model_contracts.inference.oracles.garbage",
    "arithmetic": "model_contracts.inference.oracles.arithmetic",
    "code_syntax": "model_contracts.inference.oracles.code_syntax",
    "expected_tokens": "model_contracts.inference.oracles.expected_tokens",
}


class _Oracles(Mapping[str, Oracle]):
    """Oracles by name, each imported when it is asked for."""

    def __getitem__(self, name: str) -> Oracle:
        found: Oracle = import_module(_MODULES[name]).ORACLE
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


#: Name to the type of its parameters and its function.
ORACLES: Mapping[str, Oracle] = _Oracles()


def hold(name: str, parameters: Mapping[str, JsonValue], answer: Answer, where: Where | None = None) -> Iterator[Held]:
    """An answer held to an oracle; `where("max_repetition")` says which line a parameter came from.

    Raises KeyError for a name that ORACLES lacks, and pydantic's ValidationError for parameters that it does not take.
    """
    oracle = ORACLES[name]
    given: dict[str, Any] = dict(parameters)
    asked = oracle.parameters.model_validate(given)

    def source(*pointer: str | int) -> str:
        return where(*pointer) if where is not None and pointer and pointer[0] in given else oracle.source

    return oracle.held(answer, asked, source)
