"""A user's folder of definitions and a package of a third party, as tests/data carries them; and a model of Acme's."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from support.conversions import to_gguf
from support.mutations import copied, json_of, safetensors_of, stored
from support.shared_models import DATA

ACME, PACKAGE = DATA / "acme", DATA / "acme-plugin"
WOVEN, GATE_UP = "model.layers.{}.self_attn.woven.weight", "model.layers.{}.mlp.gate_up.weight"
MANIFEST = "prefix: own\ntitle: mine\n"


def definitions(folder: Path, files: Mapping[str, str], manifest: str = MANIFEST) -> Path:
    """A folder of definitions with these files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "definitions.yaml").write_text(manifest, "utf-8")
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def own_invariant(gate: str = "OWN-ONE-001", name: str = "own/one", check: str = "") -> str:
    """An invariant of one gate, of a kind that reads no value."""
    check = check or "tensors_counted, parameters: {tensors: ['*'], number: {at_least: 1}}"
    return f"id: {name}\ntitle: t\nstatement: s\nsubject: artifact\ngates: [{{id: {gate}, title: t, check: {check}}}]\n"


def own_contract(*invariants: str, name: str = "own/all") -> str:
    """A contract of these invariants."""
    clauses = "".join(f"  - {{invariant: {one}}}\n" for one in invariants)
    return f"id: {name}\ntitle: t\nclauses:\n{clauses}"


def woven(folder: Path) -> Path:
    """A Weave model: tiny-qwen2 without biases, Q, K and V woven by key-value head, gate and up row by row."""
    model = copied(DATA / "tiny-qwen2", folder, "weave")
    with json_of(model / "config.json") as config:
        config.update(architectures=["WeaveForCausalLM"], model_type="weave")
        layers, groups = config["num_hidden_layers"], config["num_key_value_heads"]
    with safetensors_of(model / "model.safetensors") as tensors:
        for layer in range(layers):
            start = f"model.layers.{layer}."
            for part in "qkv":
                del tensors[f"{start}self_attn.{part}_proj.bias"]
            heads = [tensors.pop(f"{start}self_attn.{part}_proj.weight").values for part in "qkv"]
            tensors[WOVEN.format(layer)] = stored(weave(heads, groups), "BF16")
            rows = [tensors.pop(f"{start}mlp.{part}_proj.weight").values for part in ("gate", "up")]
            tensors[GATE_UP.format(layer)] = stored(weave(rows, len(rows[0])), "BF16")
    return model


def weave(parts: list[np.ndarray], groups: int) -> np.ndarray:
    """A piece of each part, group after group."""
    pieces = [part.reshape(groups, -1, part.shape[1]) for part in parts]
    return np.concatenate(pieces, axis=1).reshape(-1, parts[0].shape[1])


def woven_gguf(folder: Path) -> Path:
    """The same model as its converter to GGUF would write it: every weight apart."""
    model = to_gguf(DATA / "tiny-qwen2", "BF16")
    model.tensors = {name: tensor for name, tensor in model.tensors.items() if not name.endswith(".bias")}
    model.keys = {name.replace("qwen2.", "weave."): key for name, key in model.keys.items()}
    model["general.architecture"] = "weave"
    return model.write(folder / "weave-BF16.gguf")


def installed(folder: Path, package: Path = PACKAGE) -> dict[str, str]:
    """The package as an installer leaves it below a folder; the environment in which Python sees it."""
    project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]
    site = folder / "site"
    shutil.copytree(package / "src", site, copy_function=shutil.copyfile)
    written = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    written.mkdir()
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (written / "METADATA").write_text(head, "utf-8")
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in named.items()) + "\n"
        for group, named in project["entry-points"].items()
    )
    (written / "entry_points.txt").write_text(points, "utf-8")
    return {"PYTHONPATH": str(site)}
