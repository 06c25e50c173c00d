"""Cross-encoders written as folders that sentence-transformers reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isogloss.encoders.folder_writing import copy_transformer, write_json, written_aside
from isogloss.encoders.model_modules import read_json
from isogloss.rerank.cross_encoder import CrossEncoder


def save_cross_encoder(reranker: CrossEncoder, folder: str | Path, *, card: str = "") -> Path:
    """Write a cross-encoder as a folder without ``modules.json``, which every generation reads as one.

    The activation is written where each generation looks for it: into ``config.json`` and into
    ``config_sentence_transformers.json``.

    Parameters
    ----------
    reranker
        The cross-encoder; its weights are copied as they are stored.
    folder
        Where to; must not be there, or be empty.
    card
        Text of ``README.md``; none is written where it is empty.

    Raises
    ------
    UsageError
        Where ``folder`` is there and not empty.

    Examples
    --------
    With a folder on the machine::

        save_cross_encoder(CrossEncoder(folder), "copy")
    """
    part = "linear" if reranker.activation_name == "Identity" else "activation"
    activation = f"torch.nn.modules.{part}.{reranker.activation_name}"

    def fill(place: Path) -> None:
        copy_transformer(reranker.plan, place, reranker.tokenizer.tokenizer.to_str())
        config = read_json(reranker.plan.transformer / "config.json")
        config["sentence_transformers"] = {"activation_fn": activation}
        config.pop("sbert_ce_default_activation_function", None)
        write_json(place / "config.json", config)
        prompt = reranker.plan.prompt(None)
        prompts: dict[str, str] = {"default": prompt} if prompt else {}
        said: dict[str, Any] = {"activation_fn": activation, "model_type": "CrossEncoder", "prompts": prompts}
        said |= {"default_prompt_name": "default" if prompt else None}
        write_json(place / "config_sentence_transformers.json", said)
        if card:
            (place / "README.md").write_text(card, "utf-8")

    return written_aside(Path(folder), fill)
