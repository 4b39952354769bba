"""Whatever a name is, Markdown shows it and obeys nothing of it."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from model_contracts.reporters.markdown import code, fenced, prose, table, value
from model_contracts.terminal import safe

READER = MarkdownIt("commonmark").enable("table")
#: What Markdown is made of, so that generated text meets it often.
TEXTS = st.text(st.sampled_from("`|\\[]()<>!*_~#@&:;/.-+=$\n\t \"'aw1é") | st.characters(codec=None), max_size=40)
#: What GitHub makes a link, a mention or a reference of in text that is not code.
LINKED = re.compile(r"://|www\.|@|#\d|^gh-\d", re.I)


def inline(text):
    """Kinds and contents of what stands in the only paragraph of a text."""
    kinds = [token.type for token in READER.parse(text)]
    assert kinds == ["paragraph_open", "inline", "paragraph_close"]
    return [(token.type, token.content) for token in READER.parse(text)[1].children or ()]


@settings(database=None, deadline=None)
@given(TEXTS)
@example("a `b` [c](http://d.e) <img src=x> ![y](z) ~~f~~ @user #12 www.g.h a@b.c GH-7 &lt; :tada: $x$")
@example("\\`a\\|b\\")
def test_a_sentence_is_words_and_code_that_read_as_they_were_given(text):
    seen = inline("Note: " + prose(text))
    assert {kind for kind, _ in seen} <= {"text", "code_inline"}
    shown = "".join(content for _, content in seen).removeprefix("Note:").strip()
    given = safe(text).strip() or ""
    assert re.sub(" +", " ", shown) == re.sub(" +", " ", given)
    assert [content for kind, content in seen if kind == "text" and LINKED.search(content)] == []


@settings(database=None, deadline=None)
@given(TEXTS)
@example("a\\|b`c``|")
def test_a_name_stays_in_its_cell(text):
    shown = READER.parse("\n".join(table(("a", "b"), [(code(text), value(text))])))
    cells = [token for token in shown if token.type == "inline"]
    assert len(cells) == 4, "two of the head and two of one row"
    kinds = {(child.type, child.content) for cell in cells[2:] for child in cell.children or ()}
    assert {kind for kind, _ in kinds} <= {"text", "text_special", "code_inline"}


@settings(database=None, deadline=None)
@given(TEXTS)
@example("```\n# a heading\n```")
def test_a_command_cannot_end_its_block(text):
    (block,) = READER.parse("\n".join(fenced(text)))
    assert (block.type, block.content) == ("fence", safe(text) + "\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("28 of 51 tensors (Q4_K) were written", "28 of 51 tensors (`Q4_K`) were written"),
        ("the .apr isn't 3.5 % of run/cpu, S→A.", "the .apr isn't 3.5 % of run/cpu, S→A."),
        ("see blk.0.attn_k.weight:", "see `blk.0.attn_k.weight`:"),
        ("a\x1b[1mb", r"`a\x1b[1mb`"),
    ],
)
def test_words_that_mean_nothing_to_markdown_are_left_alone(text, shown):
    assert prose(text) == shown


@pytest.mark.parametrize(
    ("observed", "shown"),
    [
        (True, "true"),
        (None, "nothing"),
        (1234, "1,234"),
        (0.5, "0.5"),
        ("a`b", "``a`b``"),
        ([1, "|"], "`[1, `&#124;`]`"),
    ],
)
def test_a_number_stands_as_it_is_and_a_text_as_code(observed, shown):
    assert value(observed) == shown
