"""Owns how an artifact becomes a model of transformers: its own folder, or decoded tensors in its class.

Of a folder only safetensors are read, no code in it is run, and nothing is fetched.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    from transformers import AutoConfig

    view = View(artifact, load_families())
    family = weights.family(view)
    config = AutoConfig.for_model(family.model_types[0], **weights.configuration(view))
    model = _filled(config, {name: torch.from_numpy(values) for name, values in weights.tensors(view)})
    factors = weights.frequency_factors(view)
    if factors is not None:
        rotary = model.model.rotary_emb
        if rotary.inv_freq.shape != factors.shape:
            raise Refused(f"rope_freqs.weight holds {len(factors)} factors for {len(rotary.inv_freq)} frequencies")
        rotary.inv_freq = rotary.original_inv_freq = rotary.inv_freq / torch.from_numpy(factors)
    return model


def _filled(config: Any, tensors: dict[str, Any]) -> Any:
    """A model of the config's class that holds these tensors. Raises Refused for one that is missing or misshapen."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.initialization import no_init_weights

    with no_init_weights():
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, trust_remote_code=False)
    wanted = model.state_dict()
    tied = config.tie_word_embeddings and "lm_head.weight" not in tensors
    lost = [name for name in wanted if name not in tensors and not (tied and name == "lm_head.weight")]
    for name in [name for name in lost if name.endswith(".o_proj.bias")]:  # Llama files may leave this one bias out
        tensors[name] = torch.zeros(wanted[name].shape)
        lost.remove(name)
    lost += [
        f"{name} as {list(wanted[name].shape)} (it is {list(tensor.shape)})"
        for name, tensor in tensors.items()
        if name in wanted and wanted[name].shape != tensor.shape
    ]
    if lost:
        raise Refused(_lost(lost))
    model.load_state_dict(tensors, strict=False, assign=True)
    if tied:
        model.tie_weights()
    return model


def _lost(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:4])
    return f"the artifact lacks {len(names)} of the tensors that its class has, such as {shown}"
