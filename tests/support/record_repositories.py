"""Records small repositories as diffusers and sentence-transformers write them: JSON, and names and shapes of tensors.

Run by hand: `PYTHONPATH=src:tests python -m support.record_repositories`, where diffusers and sentence-transformers are
installed. Tests read what it wrote to tests/data/repositories; values are made from names.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from support.shared_models import DATA


def pipeline(folder: Path) -> None:
    """A Stable Diffusion pipeline of two blocks, in two variants."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    unet = UNet2DConditionModel(
        block_out_channels=(4, 8), layers_per_block=1, sample_size=8, in_channels=4, out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16, norm_num_groups=2, attention_head_dim=2,
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(4, 8), down_block_types=("DownEncoderBlock2D",) * 2, latent_channels=4, norm_num_groups=2,
        up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = CLIPTextModel(
        CLIPTextConfig(vocab_size=82, max_position_embeddings=8, bos_token_id=80, eos_token_id=81, **sizes)
    )
    letters = [chr(code) for code in range(33, 73)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: at for at, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    whole = StableDiffusionPipeline(
        vae=vae, text_encoder=text, unet=unet, scheduler=DDIMScheduler(), safety_checker=None, feature_extractor=None,
        tokenizer=CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt")),
    )  # fmt: skip
    whole.save_pretrained(folder / "out")
    whole.to(torch.float16).save_pretrained(folder / "out", variant="fp16")


def sentence_model(folder: Path) -> None:
    """A BERT of one layer, its mean, two dense layers and a norm, as sentence-transformers 6 writes it."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Dense, Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    sizes = {"hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertModel(BertConfig(vocab_size=32, max_position_embeddings=16, **sizes)).save_pretrained(folder / "bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"{chr(97 + at)}" for at in range(26))]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder / "bert")
    parts = [Transformer(str(folder / "bert"), max_seq_length=16), Pooling(8, pooling_mode="mean")]
    parts += [Dense(8, 6), Dense(6, 4, bias=False), Normalize()]
    SentenceTransformer(modules=parts, device="cpu").save(str(folder / "out"))


def taken(folder: Path) -> dict[str, Any]:
    """Every JSON file as it is, and of every file of weights the names, types and shapes."""
    from safetensors import safe_open

    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".json":
            found[name] = json.loads(path.read_text())
        elif path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                parts = {one: file.get_slice(one) for one in file.keys()}  # noqa: SIM118
                found[name] = {one: [part.get_dtype(), list(part.get_shape())] for one, part in parts.items()}
    return found


def main() -> None:
    """Write a record of each."""
    (DATA / "repositories").mkdir(exist_ok=True)
    for made in (pipeline, sentence_model):
        with TemporaryDirectory() as place:
            made(Path(place))
            text = json.dumps(taken(Path(place) / "out"), sort_keys=True)
            (DATA / "repositories" / f"{made.__name__}.json").write_text(text)


if __name__ == "__main__":
    main()
