"""Evidence every name of which is one text: what an artifact may put into a report."""

from __future__ import annotations

from hypothesis import strategies as st

from model_contracts.outcome import (
    ArtifactRecord,
    Evidence,
    Excuse,
    Figures,
    FileRecord,
    Judgement,
    Place,
    Run,
    Subject,
    Uncompared,
    WaiverRecord,
)
from support.outcomes import comparison, outcome, record

WORST = (
    "evil` [x](http://a.b) ![y](z) <img src=q onerror=w> </details><script> | a\\| @user #12 www.c.d \n```\n# KEPT\n"
    "::error::x%0A\r\n::set-output name=a::b ##[add-mask]c ]]> <!-- --> &lt; "
    "\x00\x1b[2J\u202e\u200b\udcff\ufffe\U0010ffff"
)
TEXTS = st.text(
    st.one_of(
        st.sampled_from("`|<>&[]()!*_#@:%\\\n\r\t\"' -=,;~$^{}\x00\x1b\x7f\x85\u2028\u202e\u200b\ufeff\udcff\ufffe"),
        st.characters(),
    ),
    min_size=1,
    max_size=60,
)


def evidence(name: str) -> tuple[Evidence, Run]:
    """A fault, a warning, a gate that is not proven, an excused one and one that holds, on files of that name."""
    against = Subject(name=name, path=f"/s/{name}", format=name, digest=name)
    subject = Subject(name=name, path=name, format=name, digest=name, against=against)
    place = Place(file=name, tensor=name, key=name, row=3)
    seen = comparison(
        False, measure=name, place=place, expected=name, observed={name: [name]}, note=name, bound_from=name
    )
    about = {"reason": name, "title": name, "subject": subject, "invariant": name, "contract": name}
    gaps = (Uncompared(place=place, reason=name),)
    excuse = Excuse(by="waiver", source=name, reason=name, owner=name, expires="2030-01-01")
    outcomes = (
        outcome("Falsified", "G-A-1", comparisons=(seen,), fault="corrupt", **about),
        outcome("Falsified", "G-A-2", comparisons=(seen,), force="should", **about),
        outcome("Skipped", "G-A-3", **about),
        outcome("Skipped", "G-A-4", skip_cause="incomplete", uncompared=gaps, **about),
        outcome("Falsified", "G-A-5", comparisons=(seen,), excused=excuse, **about),
        outcome("Crashed", "G-A-6", **about),
        outcome("Corroborated", "G-A-7", **about),
        outcome("Skipped", "G-A-8", skip_cause="not_owed", **about),
    )
    figures = Figures(tensors=1, mean_relative_rmse=0.1, worst_relative_rmse=0.2, worst_tensor=name)
    files = (FileRecord(name=name, size=1, digest=name),)
    facts = [{name: name}, {name: name}, {name: "another"}]
    artifacts = tuple(
        ArtifactRecord(
            name=name,
            path=name + str(at) if at else name,
            format=name,
            layout="file",
            files=files,
            label=name,
            release=name,
            figures=figures,
            facts=facts[at],
            fingerprint=name,
        )
        for at in range(3)
    )
    waiver = WaiverRecord(
        gate=name, subject=name, reason=name, owner=name, expires=name, source=name, state="expired", why=name
    )
    run = record(
        outcomes,
        artifacts=artifacts,
        command=("contracts", "check", name),
        not_evaluated={name: name},
        version=name,
        started=name,
        definitions_digest=name,
        judged=Judgement(on="2029-01-01", waivers=(waiver,), notes=(name,)),
    )
    return outcomes, run
