"""Kinds of gates of a qualification. One file a kind or a few that are alike, one line a kind in this table."""

from __future__ import annotations

from model_contracts.qualification.gates.answers import ANSWERS
from model_contracts.qualification.gates.conversions import CONVERSION, QUANTISED, ROUND_TRIP, SAME_ANSWERS
from model_contracts.qualification.gates.formats import FORMAT_WRITTEN
from model_contracts.qualification.gates.measured import PEAK_MEMORY, SECONDS_TO_FIRST_TOKEN, TOKENS_PER_SECOND
from model_contracts.qualification.gates.source import SOURCE_PRESENT
from model_contracts.qualification.gates.system import DOTTED_FOLDER, TOKENIZER_GIVEN
from model_contracts.qualification.gates.tensors import CARDINALITY, NAMES_KEPT, REPEATED, SAME_BYTES, TWO_PATHS
from model_contracts.qualification.interface import GateKind

GATES: dict[str, GateKind] = {
    "answers": ANSWERS,
    "cardinality": CARDINALITY,
    "conversion": CONVERSION,
    "dotted_folder": DOTTED_FOLDER,
    "format_written": FORMAT_WRITTEN,
    "names_kept": NAMES_KEPT,
    "peak_memory": PEAK_MEMORY,
    "quantised": QUANTISED,
    "repeated": REPEATED,
    "round_trip": ROUND_TRIP,
    "same_answers": SAME_ANSWERS,
    "same_bytes": SAME_BYTES,
    "seconds_to_first_token": SECONDS_TO_FIRST_TOKEN,
    "source_present": SOURCE_PRESENT,
    "tokenizer_given": TOKENIZER_GIVEN,
    "tokens_per_second": TOKENS_PER_SECOND,
    "two_paths": TWO_PATHS,
}
