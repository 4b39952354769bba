"""Chat templates are rendered in a sandbox: what they reach for, and how much they make, is bounded."""

from __future__ import annotations

import pytest

from model_contracts.runtimes.interface import Refused
from model_contracts.runtimes.text import templates

pytest.importorskip("jinja2", reason="jinja2 is not installed")

TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]


def test_messages_tools_and_special_tokens_reach_the_template():
    template = (
        "{{ bos_token }}{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{{ m.content }}{% endfor %}"
        "{% if tools %}{{ tools | tojson }}{% endif %}{% if add_generation_prompt %}>{% endif %}"
    )
    made = templates.render(template, TURNS, tools=[{"name": "é"}], special={"bos_token": "<s>"})
    assert made == '<s>ho[{"name": "é"}]>'


def test_today_is_one_day_for_every_run():
    assert templates.render("{{ strftime_now('%d %b %Y') }}", TURNS) == "26 Jul 2024"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ ''.__class__.__mro__ }}", "SecurityError"),
        ("{{ messages.append(1) }}", "SecurityError"),
        ("{% for x in range(10 ** 9) %}x{% endfor %}", "Range too big"),
        ("{% for x in range(99999) %}{{ 'x' * 100 }}{% endfor %}", "makes more than 4,194,304 characters"),
        ("{{ raise_exception('no system message') }}", "no system message"),
        ("{% for %}", "TemplateSyntaxError"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{% include 'x' %}", "fails"),
        ("x" * (templates.MOST_TEMPLATE + 1), "more than 1,048,576 characters"),
    ],
)
def test_a_hostile_or_broken_template_is_refused(template, said):
    with pytest.raises(Refused, match=said):
        templates.render(template, TURNS)
