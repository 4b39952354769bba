"""A folder of definitions, wherever it came from, shadows nothing, runs nothing and reads nothing outside."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from model_contracts.definitions.folders import RESERVED
from model_contracts.definitions.outline import outlines
from support.command import Result, check, contracts
from support.mutations import copied, safetensors_of
from support.open_world import definitions, own_contract, own_invariant
from support.shared_models import DATA

QWEN2 = DATA / "tiny-qwen2"
FAMILY = "id: own/families/f\ntitle: t\nextends: families/decoder\n"
SCHEME = (
    "id: own/schemes/s\ntitle: t\nmethods: [{}]\nlayouts: {{l: {{title: t, signs: [{}], parts: [{{names: [{}]}}]}}}}\n"
)
EVIL = "id: evil\ntitle: t\nprogram: [sh, -c, 'touch {}']\n"


def refused(*arguments: str | Path, cwd: Path | None = None, seconds: float = 10) -> str:
    """The one line of a usage error, given in time."""
    clock = time.perf_counter()
    told: Result = contracts(*arguments, cwd=cwd)
    assert (told.code, told.stdout) == (2, ""), (told.code, told.stdout, told.stderr)
    assert time.perf_counter() - clock < seconds
    (line,) = told.stderr.splitlines()
    assert line.startswith("contracts: ")
    return line


def refused_folder(folder: Path, *words: str | Path) -> str:
    return refused("check", QWEN2, "--definitions", folder, *words)


def broken(folder: Path) -> Path:
    """A model with a NaN in it."""
    model = copied(QWEN2, folder, "downloaded")

    def nan(values: object) -> None:
        values[0] = float("nan")  # type: ignore[index]

    with safetensors_of(model / "model.safetensors") as tensors:
        name = "model.layers.0.input_layernorm.weight"
        tensors[name] = tensors[name].map(nan)
    return model


WEAKER = "id: own/default\ntitle: t\nclauses: [{invariant: tensor/values, force: should}]\n"


def laced(model: Path) -> None:
    """Definitions and a project inside a downloaded folder, that would have NaN kept."""
    definitions(model, {"contracts/default.yaml": WEAKER, "invariants/one.yaml": own_invariant()})
    definitions(model / "defs", {"contracts/default.yaml": WEAKER})
    (model / "pyproject.toml").write_text('[tool.model-contracts]\ndefinitions = [".", "defs"]\n')


def test_definitions_inside_a_downloaded_folder_are_not_opened(tmp_path: Path):
    model = broken(tmp_path)
    plain = check(tmp_path / "plain", model)
    laced(model)
    for name, target, cwd in (("a", model, tmp_path), ("b", ".", model), ("c", "model.safetensors", model)):
        told = contracts("check", target, "-o", tmp_path / name, cwd=cwd)
        assert told.code == 1
        seen = check(tmp_path / f"{name}-again", model)
        assert seen.gates("Falsified", "must") == plain.gates("Falsified", "must")
        assert seen.run["definitions_digest"] == plain.run["definitions_digest"]
        assert ("lies beside the artifact" in told.stderr) == (cwd == model)


def test_a_project_around_the_working_folder_is_not_looked_for(tmp_path: Path):
    model = broken(tmp_path)
    laced(model)
    (model / "deeper").mkdir()
    told = contracts("check", "../model.safetensors", "--contract", "own/default", "--plan", cwd=model / "deeper")
    assert told.code == 2 and "expected the id of a shipped contract" in told.stderr
    linked = tmp_path / "linked"
    linked.symlink_to(model)
    told = contracts("check", "model.safetensors", "--contract", "own/default", "--plan", cwd=linked)
    assert told.code == 2 and "lies beside the artifact" in told.stderr


def test_a_pair_from_a_laced_source_opens_nothing_either(tmp_path: Path):
    model = broken(tmp_path)
    laced(model)
    told = contracts("check", QWEN2, "--against", ".", "--contract", "own/default", "--plan", cwd=model)
    assert told.code == 2 and "lies beside the artifact" in told.stderr


def test_a_named_folder_of_a_download_still_shadows_nothing(tmp_path: Path):
    model = broken(tmp_path)
    laced(model)
    told = check(tmp_path / "told", model, "--definitions", model)
    assert told.code == 1 and "G0-VALIDATE-001" in told.gates("Falsified", "must")


@pytest.mark.parametrize(
    "prefix",
    ["../up", "a/b", "Own", "OWN", "o", "o" * 25, '"own\\n"', "\u043ewn", "own\u200b", "families", "tensor"],
)
def test_a_prefix_is_a_plain_word_of_its_own(tmp_path: Path, prefix: str):
    text = f"prefix: {prefix}\ntitle: t\n"
    said = refused_folder(definitions(tmp_path / "own", {"invariants/one.yaml": own_invariant()}, text))
    assert "own/definitions.yaml:1:9" in said and "expected" in said


@pytest.mark.parametrize("prefix", ["container", "config", "golden", "default", "g0", "apr", "corpus", "recipes"])
def test_no_prefix_is_a_word_of_shipped_ids(tmp_path: Path, prefix: str):
    text = f"prefix: {prefix}\ntitle: t\n"
    said = refused_folder(definitions(tmp_path / "own", {"invariants/one.yaml": own_invariant()}, text))
    assert "a prefix that is no word of shipped ids" in said


def test_no_prefix_begins_a_shipped_gate():
    gates = [gate["id"] for one in outlines("invariant") for gate in one.get("gates")]
    first = {gate.partition("-")[0].lower() for gate in gates}
    assert {word for word in first if len(word) > 1} <= RESERVED and len(gates) > 50


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("contracts/default.yaml", WEAKER.replace("own/default", "default"), "(default is shipped: contracts/"),
        ("contracts/x.yaml", WEAKER.replace("own/default", "own/../default"), "expected the id 'own/x'"),
        ("contracts/x.yaml", WEAKER.replace("own/default", "\u043ewn/x"), "expected the id 'own/x'"),
        ("contracts/d\u0435fault.yaml", WEAKER, "a name of plain letters"),
        ("contracts/a\\b.yaml", WEAKER, "a name of plain letters"),
        ("contracts/x.yml", WEAKER, "a file that ends in .yaml"),
        ("invariants/one.yaml", own_invariant("G0-VALIDATE-001"), "(G0-VALIDATE-001 is shipped: invariants/"),
        ("invariants/one.yaml", own_invariant("OTHER-ONE-001"), "begins with OWN-"),
        ("invariants/one.yaml", own_invariant("OWN-\u0410-1"), "invariants/one.yaml:5:14: expected text that matches"),
        ("contracts/converters/c.yaml", EVIL, "it names a program"),
        ("contracts/runtimes/r.yaml", EVIL, "it names a program"),
        ("contracts/keys.yaml", "id: own/keys\n", "there is one table of keys"),
        ("contracts/tokenizers.yaml", "id: own/tokenizers\n", "there is one table of tokenizers"),
        ("contracts/audit/a.yaml", "id: own/audit/a\n", "signs are shipped"),
        ("contracts/qualification/tiers/t.yaml", "id: own/qualification/tiers/t\n", "expected one of"),
        ("contracts/families/f.yaml", FAMILY + "gguf: [llama]\n", "contracts/families/llama.yaml:"),
        ("contracts/families/f.yaml", FAMILY + "architectures: [Qwen2ForCausalLM]\n", "contracts/families/qwen2.yaml:"),
        ("contracts/families/f.yaml", FAMILY + "model_types: [qwen2]\n", "the model type 'qwen2' once"),
    ],
)  # fmt: skip
def test_nothing_is_shadowed_and_no_program_is_named(tmp_path: Path, file: str, text: str, said: str):
    folder = definitions(tmp_path / "own", {file: text})
    assert said in refused_folder(folder)


RECIPES = "id: own/recipes\ntitle: t\nrecipes: {{{}: {{types: [F32]{}}}}}\n{}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (RECIPES.format("Q4_K_M", "", ""), "the label 'q4_k_m' once (it is that of contracts/recipes.yaml:"),
        (RECIPES.format("q4_k_m", "", ""), "the label 'q4_k_m' once"),
        (RECIPES.format("MINE", ", aliases: [Q8]", ""), "the label 'q8' once"),
        (RECIPES.format("MINE", ", file_type: 7", ""), "the file type 7 once"),
        (RECIPES.format("MINE", "", "kept: [{names: ['*'], reason: all of it}]\n"), "labels only"),
        (RECIPES.format("MINE", "", "mixes: [{pattern: '.', reason: all of it}]\n"), "labels only"),
    ],
)
def test_no_label_is_taken_over_and_none_is_let_off(tmp_path: Path, text: str, said: str):
    assert said in refused_folder(definitions(tmp_path / "own", {"contracts/recipes.yaml": text}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            SCHEME.format("gptq", ".own", ".own"),
            "the quant_method 'gptq' once (it is that of contracts/schemes/gptq.yaml:",
        ),
        (SCHEME.format("own", ".qweight", ".qweight"), "the sign '.qweight' once"),
    ],
)
def test_no_scheme_is_taken_over(tmp_path: Path, text: str, said: str):
    assert said in refused_folder(definitions(tmp_path / "own", {"contracts/schemes/s.yaml": text}))


SYSTEM = "id: own/qualification/systems/s\ntitle: t\nconverter: {}\nruntimes: {{gguf: {}}}\n"
PLAYBOOK = (
    "id: own/qualification/p\ntitle: t\nmodel: {id: a/b, family: qwen2, size: 1m}\n"
    "system: own/qualification/systems/s\n"
)


@pytest.mark.parametrize(
    "names", [("../evil.yaml", "llamacpp"), ("builtin", "evil.yaml"), ("/etc/evil.yml", "llamacpp")]
)
def test_a_system_of_a_folder_names_no_program(tmp_path: Path, names: tuple[str, str]):
    mark = tmp_path / "ran"
    files = {
        "contracts/qualification/systems/s.yaml": SYSTEM.format(*names),
        "contracts/qualification/p.yaml": PLAYBOOK,
    }
    folder = definitions(tmp_path / "own", files)
    for at in ("evil.yaml", "own/evil.yaml"):
        (tmp_path / at).write_text(EVIL.format(mark))
    words = ("--model-path", QWEN2, "--definitions", folder, "-o", tmp_path / "out")
    said = refused("qualify", "own/qualification/p", *words, cwd=tmp_path)
    assert "a program comes from the command line" in said and "systems/s.yaml:" in said
    assert not mark.exists() and not (tmp_path / "out").exists()


@pytest.mark.parametrize("where", ["contracts/x.yaml", "contracts", "definitions.yaml", "contracts/families"])
def test_links_out_of_the_folder_are_refused(tmp_path: Path, where: str):
    outside = definitions(tmp_path / "outside", {"contracts/x.yaml": WEAKER, "contracts/families/f.yaml": FAMILY})
    folder = definitions(tmp_path / "own", {"invariants/one.yaml": own_invariant()})
    link = folder / where
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(outside / where)
    assert "a link that leads elsewhere" in refused_folder(folder)


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "no anchors"),
        ("id: own/x\ntitle: " + "[" * 100, "at most 64 levels"),
        ("id: own/x\ntitle: !!python/object/apply:os.system [id]\n", "no tags"),
        ("id: own/x\n" + "# x\n" * 400_000, "at most 1,048,576 bytes"),
        ("id: own/x\nid: own/x\n", "each key once"),
        ("- a\n", "a mapping"),
        ("", "a mapping"),
        ("id: own/x\n\x00", "printable text"),
    ],
)
def test_a_file_that_is_a_trap_is_refused_in_a_line(tmp_path: Path, text: str, said: str):
    assert said in refused_folder(definitions(tmp_path / "own", {"contracts/x.yaml": text}))


def test_many_files_and_deep_folders_are_bounded(tmp_path: Path):
    folder = definitions(tmp_path / "own", {f"contracts/{n}.yaml": "" for n in range(1_001)})
    assert "at most 1,000 definitions" in refused_folder(folder)
    deep = definitions(tmp_path / "deep", {"contracts/" + "d/" * 12 + "x.yaml": WEAKER})
    assert "8 folders deep" in refused_folder(deep)


def test_what_is_no_file_is_never_waited_for(tmp_path: Path):
    folder = definitions(tmp_path / "own", {"invariants/one.yaml": own_invariant()})
    os.mkfifo(folder / "invariants" / "two.yaml")
    assert "not a regular file" in refused_folder(folder)
    (folder / "definitions.yaml").unlink()
    os.mkfifo(folder / "definitions.yaml")
    assert "not a regular file" in refused_folder(folder)
    assert "a folder of definitions" in refused_folder(tmp_path / "nowhere")
    assert "a folder of definitions" in refused_folder(folder / "invariants" / "one.yaml")
    assert "definitions.yaml" in refused_folder(definitions(tmp_path / "e", {}) / "..")


def test_two_folders_of_one_prefix_and_two_files_of_one_id_name_both(tmp_path: Path):
    first = definitions(tmp_path / "first", {"invariants/one.yaml": own_invariant()})
    second = definitions(tmp_path / "second", {"invariants/one.yaml": own_invariant()})
    said = refused("check", QWEN2, "--definitions", first, "--definitions", second)
    assert f"{first}/definitions.yaml" in said and f"{second}/definitions.yaml" in said
    both = definitions(first, {"contracts/one.yaml": own_contract(name="own/one")})
    assert "invariants/one.yaml" in (said := refused_folder(both)) and "contracts/one.yaml" in said
    (first / "contracts" / "one.yaml").unlink()
    twice = definitions(first, {"invariants/two.yaml": own_invariant(name="own/two")})
    assert "invariants/one.yaml:5" in (said := refused_folder(twice)) and "invariants/two.yaml:5" in said


def test_an_own_file_names_no_file(tmp_path: Path):
    files = {"contracts/all.yaml": own_contract("../../x.yaml"), "invariants/one.yaml": own_invariant()}
    said = refused_folder(definitions(tmp_path / "own", files), "--contract", "own/all")
    assert "expected the id of a known invariant" in said
