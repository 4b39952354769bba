"""Owns how an artifact becomes a model of transformers: its own folder, or decoded tensors in its class.

Of a folder only safetensors are read, no code in it is run, and nothing is fetched.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model_contracts.anatomy.declared.built_rope import NotDeclared, rope_factors
from model_contracts.anatomy.declared.configuration import configuration
from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact
from model_contracts.definitions.loading import load_families
from model_contracts.runtimes.interface import Refused
from model_contracts.runtimes.transformers import weights


def load(artifact: Artifact) -> Any:
    """The model in evaluation mode, float32."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    torch.set_grad_enabled(False)
    model = _of_folder(artifact) if artifact.form.beside else _of_file(artifact)
    return model.eval()


def _of_folder(artifact: Artifact) -> Any:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    weights.give_room()
    sidecar = artifact.sidecars.get("config")
    if sidecar is None:
        raise Refused(f"{artifact.name} has no config.json beside it")
    own = {"local_files_only": True, "trust_remote_code": False}
    config = AutoConfig.from_pretrained(str(sidecar.path.parent), **own)
    if len(artifact.files) == 1 and artifact.files[0].name != "model.safetensors":
        return _filled(config, _stored(artifact.files[0]))
    model, info = AutoModelForCausalLM.from_pretrained(
        str(sidecar.path.parent),
        config=config,
        use_safetensors=True,
        dtype=torch.float32,
        output_loading_info=True,
        **own,
    )
    lost = [*info["missing_keys"], *(str(item[0]) for item in info["mismatched_keys"])]
    if lost:
        raise Refused(_lost(lost))
    return model


def _stored(path: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return {name: tensor.float() for name, tensor in load_file(path).items()}


def _of_file(artifact: Artifact) -> Any:
    import torch

    view = View(artifact, load_families())
    weights.family(view)
    factors = rope_factors(view, "rope_freqs.weight")
    config = _config(view, divided=factors is not None)
    model = _filled(
        config, {name: torch.from_numpy(values) for name, values in weights.tensors(view).items()}, all_of=True
    )
    if factors is not None:
        _divide(model, torch.from_numpy(factors))
    return model


def _config(view: View, *, divided: bool) -> Any:
    """The configuration of a file's class; `divided`: the file's own factors scale its rotary frequencies."""
    from transformers import CONFIG_MAPPING, AutoConfig

    try:
        document = dict(configuration(view, of_factors=False).document)
    except NotDeclared as refused:
        raise Refused(str(refused)) from None
    for name in ("rope_scaling", "rope_parameters") if divided else ():
        scaling = document.get(name)
        if isinstance(scaling, dict) and scaling.get("rope_type", scaling.get("type")) == "llama3":
            document |= {"rope_theta": scaling["rope_theta"]} if "rope_theta" in scaling else {}
            del document[name]
    if document.get("model_type") not in CONFIG_MAPPING:
        raise Refused(f"transformers has no {document.get('model_type')}, and no code of others is run")
    return AutoConfig.for_model(**document)


def _divide(model: Any, factors: Any) -> None:
    """Divide rotary frequencies by the factors of a file. Raises Refused where they are not as many."""
    found = [
        module for _, module in model.named_modules() if isinstance(getattr(module, "inv_freq", None), type(factors))
    ]
    if not found or any(module.inv_freq.shape != factors.shape for module in found):
        there = [len(module.inv_freq) for module in found]
        raise Refused(f"rope_freqs.weight holds {len(factors)} factors for frequencies of {there}")
    for module in found:
        module.inv_freq = module.original_inv_freq = (module.inv_freq / factors).float()


def _filled(config: Any, tensors: dict[str, Any], *, all_of: bool = False) -> Any:
    """A model of the config's class that holds these tensors, under the names of published files.

    Raises Refused for one that is missing or misshapen, and with `all_of` for one that has no place in the class.
    """
    import torch
    from transformers import AutoModelForCausalLM

    known = AutoModelForCausalLM._model_mapping
    if type(config) not in known:
        raise Refused(f"transformers has no class that gives the next token for {config.model_type}")
    model, info = known[type(config)].from_pretrained(
        None, config=config, state_dict=tensors, dtype=torch.float32, output_loading_info=True
    )
    _whole(model, info)
    if all_of:
        _placed(set(info["unexpected_keys"]), tensors)
    return model


def _placed(unexpected: set[str], tensors: dict[str, Any]) -> None:
    """Raises Refused for tensors that have no place in the class under any of their names."""
    placed = {tensors[name].data_ptr() for name in tensors if name not in unexpected}
    lost = [name for name in unexpected if name in tensors and tensors[name].data_ptr() not in placed]
    if lost:
        shown = ", ".join(sorted(lost)[:4])
        raise Refused(f"the class that the file's keys declare has no place for {len(lost)} of its tensors: {shown}")


def _whole(model: Any, info: Any) -> None:
    """Raises Refused where a tensor of the class was not there, or has another shape."""
    import torch

    lost = []
    for name in info["missing_keys"]:
        if name.endswith(".o_proj.bias"):  # Llama files may leave this one bias out
            torch.nn.init.zeros_(model.get_parameter(name))
        else:
            lost.append(name)
    lost += [f"{item[0]} as {list(item[2])} (it is {list(item[1])})" for item in info["mismatched_keys"]]
    if lost:
        raise Refused(_lost(lost))


def _lost(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:4])
    return f"the artifact lacks {len(names)} of the tensors that its class has, such as {shown}"
