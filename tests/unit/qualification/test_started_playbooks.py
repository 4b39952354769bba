"""`--init` writes a playbook that loads, whatever the model is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_contracts.definitions import load
from model_contracts.engine.plan import UsageError
from model_contracts.formats.interface import Unreadable
from model_contracts.playbook import Playbook
from model_contracts.qualification.starting import playbook_of
from model_contracts.terminal import safe
from support.mutations import copied
from support.shared_models import DATA

NAMES = (
    "Qwen2.5-Coder-0.5B-Instruct",
    'it\'s "quoted"',
    "modèle-日本",
    "a: b # c",
    "- {x}",
    "two\nlines",
    "\x1b[31mred",
    ".hidden",
    "null",
    "1e3",
    "x" * 200,
)


def loaded(model: Path, folder: Path, tier: str = "mvp") -> Playbook:
    """The playbook that `--init` prints, read again from a file."""
    place = folder / "started.yaml"
    place.write_text(playbook_of(model, tier), "utf-8")
    return load(Playbook, place)


@pytest.mark.parametrize(("model", "family"), [("tiny-qwen2", "qwen2"), ("tiny-llama", "llama")])
@pytest.mark.parametrize("tier", ["smoke", "mvp", "full"])
def test_a_folders_family_and_hyper_parameters_are_expected(model: str, family: str, tier: str, tmp_path: Path) -> None:
    book = loaded(DATA / model, tmp_path, tier)
    assert (book.model.id, book.model.family, book.tier) == (f"data/{model}", family, tier)
    assert book.model.expected["hidden_size"] == 256 and book.model.expected["vocab_size"] == 2000


def test_a_gguf_says_the_same_of_itself_but_for_its_vocabulary(tmp_path: Path) -> None:
    book = loaded(DATA / "tiny-qwen2-Q4_K_M.gguf", tmp_path)
    expected = loaded(DATA / "tiny-qwen2", tmp_path).model.expected
    assert book.model.expected | {"vocab_size": 2000} == expected
    assert book.model.family == "qwen2"


@pytest.mark.parametrize("name", NAMES)
def test_a_model_of_any_name_gets_a_playbook_that_loads(name: str, tmp_path: Path) -> None:
    (tmp_path / "org. with space").mkdir()
    book = loaded(copied(DATA / "tiny-qwen2", tmp_path / "org. with space", name), tmp_path)
    assert book.model.id == f"org. with space/{safe(name)}" and book.id == safe(name)


@pytest.mark.parametrize("content", [b"", b"no model at all"])
def test_what_is_no_model_gets_no_playbook(content: bytes, tmp_path: Path) -> None:
    place = tmp_path / "model.gguf"
    place.write_bytes(content)
    with pytest.raises(UsageError, match="no model that can be read"):
        playbook_of(place, "mvp")
    (tmp_path / "empty").mkdir()
    with pytest.raises(Unreadable, match="no model in this directory"):
        playbook_of(tmp_path / "empty", "mvp")
