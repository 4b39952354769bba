"""The house is what docs/design.md says: imports run downward, and every family has members and holds its table."""

from __future__ import annotations

import tomllib
from pathlib import Path

import model_contracts

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "model_contracts"


def test_imports_run_downward(monkeypatch):
    from importlinter.api import read_configuration, use_cases

    monkeypatch.chdir(ROOT)
    contracts = read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
    assert len(contracts) == 8
    assert use_cases.lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None) == use_cases.SUCCESS


def layers() -> dict[Path, set[str]]:
    """The folder of each container that has layers, and the names in them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    return {
        PACKAGE.parent.joinpath(*container.split(".")): {
            part.strip() for layer in contract["layers"] for part in layer.split("|")
        }
        for contract in settings
        for container in contract.get("containers", ())
    }


def test_every_layer_that_is_named_exists():
    """A layer of a misspelt name would never be broken."""
    named = [folder / name for folder, names in layers().items() for name in names]
    assert [path for path in named if not path.is_dir() and not path.with_name(f"{path.name}.py").is_file()] == []


def test_every_module_of_the_package_is_in_a_layer():
    for folder, names in layers().items():
        modules = {path.name.removesuffix(".py") for path in folder.iterdir() if path.name[0] not in "_."}
        assert modules - {"py.typed"} - names == set()


def test_every_family_has_members():
    least = {
        "formats": 3, "checks/static/values": 5, "checks/static/tensors": 5, "checks/running": 5, "reporters": 2,
        "cli": 8, "sweep": 10, "sweep/kernels": 9, "sweep/schemes": 9, "definitions": 4, "engine": 4, "converters": 5,
        "runtimes/session": 3, "runtimes/http": 3, "runtimes/transformers": 3, "runtimes/llama_cpp": 3,
        "runtimes/command": 3, "runtimes/text": 3,
    }  # fmt: skip
    counts = {family: len(members(PACKAGE / family)) for family in least}
    assert {family: count for family, count in counts.items() if count < least[family]} == {}


def members(family: Path) -> list[Path]:
    return [path for path in family.glob("*.py") if path.name not in ("__init__.py", "interface.py")]


def test_the_command_knows_every_sub_command_and_no_other():
    from importlib import import_module

    from model_contracts.cli.main import COMMANDS

    for name, (module, _) in COMMANDS.items():
        loaded = import_module(module)
        assert loaded.__file__ == str(PACKAGE / "cli" / f"{name}.py")
        assert callable(loaded.configure) and callable(loaded.run)


def test_the_package_says_what_it_is():
    assert model_contracts.__version__[0].isdigit()
    assert model_contracts.__doc__ is not None and "imports run downward" in model_contracts.__doc__
