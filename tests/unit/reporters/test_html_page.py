"""The page of a run: nothing of an artifact is markup, only our own scripts may run, and a large run stays small."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256

from model_contracts.outcome import Place, Subject
from model_contracts.reporters.html import report
from model_contracts.reporters.html.payload import COMPARISONS
from model_contracts.tables import Scatter, TensorRow, TensorTable
from support.outcomes import comparison, outcome, record

HOSTILE = "</script><script>alert(1)</script><!--\u202e&amp;{{STYLE}}"


def payload_of(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="evidence">(.*?)</script>', page, re.S)
    return json.loads(found[1])


def table(many: int) -> TensorTable:
    rows = tuple(
        TensorRow(
            tensor=f"model.layers.{at // 9}.mlp.experts.{at % 9}.down_proj.weight",
            role="ffn_down",
            layer=at // 9,
            type="Q4_K",
            shape=(4096, 1536),
            values=4096 * 1536,
            mean=0.123456789 / (at + 1),
            std=0.0211234567,
            minimum=-0.5,
            maximum=0.5,
            nan=0,
            infinite=0,
            zeros=12,
            source=f"model.layers.{at // 9}.mlp.experts.{at % 9}.down_proj.weight",
            source_type="BF16",
            relative_rmse=0.07123456789 + at / 1e6,
            cosine=0.99712345,
            row_cosine=0.99612345,
            max_error=0.0212345,
            budget=0.13,
            cosine_budget=0.02,
        )
        for at in range(many)
    )
    return TensorTable(artifact="m", path="m.gguf", against="m", rows=rows)


def test_what_an_artifact_says_is_no_markup():
    bad = comparison(holds=False, place=Place(tensor=HOSTILE), note=HOSTILE)
    subject = Subject(name=HOSTILE, path=HOSTILE, format="gguf")
    told = outcome("Falsified", comparisons=(bad,), subject=subject, title=HOSTILE)
    page = report((told,), record((told,)), (table(1).model_copy(update={"artifact": HOSTILE}),))
    assert page.count("<script") == 6  # the evidence, and our five
    assert "alert(1)</script>" not in page
    assert payload_of(page)["outcomes"][0]["comparisons"][0]["tensor"].startswith("</script><script>alert(1)")
    assert "\u202e" not in page


def test_only_our_own_scripts_may_run():
    told = outcome()
    page = report((told,), record((told,)))
    scripts = re.findall(r"<script>(.*?)</script>", page, re.S)
    allowed = re.search(r"script-src ([^\"]*)\"", page)[1].split()
    assert allowed == [f"'sha256-{b64encode(sha256(one.encode()).digest()).decode()}'" for one in scripts]
    assert "default-src 'none'" in page


def test_a_run_of_45_gates_and_3000_tensors_is_a_small_page():
    seen = comparison(holds=False, place=Place(tensor="model.layers.3.mlp.down_proj.weight"), tolerance=0.13)
    told = tuple(outcome("Falsified", f"G0-X-{at:03d}", comparisons=(seen,) * 200) for at in range(45))
    page = report(told, record(told), (table(3000),))
    assert len(page.encode()) < 3_000_000
    assert len(payload_of(page)["outcomes"][0]["comparisons"]) == COMPARISONS


def test_rows_beyond_what_a_page_holds_are_counted():
    told = outcome()
    drawn = payload_of(report((told,), record((told,)), (table(6_100),)))["tables"][0]
    assert len(drawn["columns"]["tensor"]) == 6_000
    assert drawn["leftOff"] == 100


def test_an_error_that_is_not_finite_is_text():
    row = table(1).rows[0].model_copy(update={"relative_rmse": float("inf")})
    scatter = Scatter(tensor="t", source=(0.0,), target=(1.0,))
    one = table(0).model_copy(update={"rows": (row,), "scatters": (scatter,)})
    told = outcome()
    assert payload_of(report((told,), record((told,)), (one,)))["tables"][0]["columns"]["relative_rmse"] == ["Infinity"]
