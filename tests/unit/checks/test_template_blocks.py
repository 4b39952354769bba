"""Templates that are whole, and templates that were cut or lost a word."""

from __future__ import annotations

import pytest

from model_contracts.checks.static.tokenizers.template_blocks import unclosed
from support.shared_models import DATA

TEMPLATE = (DATA / "tiny-qwen2" / "chat_template.jinja").read_text("utf-8")


@pytest.mark.parametrize(
    "text",
    [
        TEMPLATE,
        "",
        "{% set x %}a{% endset %}",
        "{%- set ns.a = '%}' -%}",
        "{{ '{%' }}",
        "{# {% if #}",
        "{% raw %}{% if {% endraw %}",
        "{%+ if a +%}b{% else %}c{% endif %}",
        "{% generation %}{{ x }}{% endgeneration %}",
    ],
)
def test_a_template_that_jinja_reads_is_whole(text: str) -> None:
    assert unclosed(text) is None


@pytest.mark.parametrize(
    ("text", "what", "at"),
    [
        ("a{% if x %}b", "{% if %}", 1),
        ("{% for a in b %}{% if a %}{% endfor %}", "{% endfor %}", 26),
        ("b{% endif %}", "{% endif %}", 1),
        ("{{ a", "{{", 0),
        ("{# a", "{#", 0),
        ("{% raw %}{{", "{% raw %}", 0),
    ],
)
def test_what_is_open_or_was_never_opened_is_named_with_its_place(text: str, what: str, at: int) -> None:
    assert unclosed(text) == (what, at)


def test_no_cut_of_a_template_that_jinja_still_reads_is_called_broken() -> None:
    jinja2 = pytest.importorskip("jinja2")
    environment, called = jinja2.Environment(), 0
    for end in range(len(TEMPLATE)):
        try:
            environment.parse(TEMPLATE[:end])
        except jinja2.TemplateSyntaxError:
            called += unclosed(TEMPLATE[:end]) is not None
        else:
            assert unclosed(TEMPLATE[:end]) is None, end
    assert called


def test_a_hostile_template_is_read_in_one_pass() -> None:
    assert unclosed("{{" + "'" * 1_000_000) is not None
    assert unclosed("{% if x %}" * 90_000) is not None
    assert unclosed("{" * 1_900_000) is not None
