"""Encoders over causal models: of the workshop, and of transformers from a folder."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contract_parts import Made


def _lab(**settings: Any) -> Any:
    """The model of the other causal encoder's builder, behind the seam."""
    from isogloss.nn.heads import CausalHead, TokenPredictor
    from isogloss.training.causal_models import LabCausal

    place = Path(__file__).with_name("causal_reading.py")
    spec = importlib.util.spec_from_file_location("causal_reading_builder", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module._reader(**settings)
    predictor = TokenPredictor(made.reader.body, CausalHead(16))
    predictor.body.embeddings.word.weight.data.mul_(20)  # type: ignore[union-attr, operator]
    return LabCausal(predictor.eval(), made.tokenizer, begin=0, window=96)


def _folder(folder: Path) -> Any:
    """A tiny random GPT-2 with the same tokens, written and opened again."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from isogloss.training.local_causal import open_causal

    tokenizer = _lab().tokenizer
    config = GPT2Config(vocab_size=tokenizer.get_vocab_size(), n_embd=16, n_layer=2, n_head=2, n_positions=96,
                        bos_token_id=0, eos_token_id=0)  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = GPT2LMHeadModel(config)
    for weights in model.parameters():
        weights.data.mul_(8 if weights.ndim > 1 else 1)
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return open_causal(folder)


def _dense(folder: Path) -> Made:
    from isogloss.training.causal_prompts import TWICE, Prompt
    from isogloss.training.causal_readings import StateReading
    from isogloss.training.prompted_encoder import PromptedEncoder

    model, mean = _folder(folder / "model"), StateReading("mean")
    say = Prompt.of("Say {text} now")
    others: list[dict[str, Any]] = [
        {"reading": StateReading("weighted")}, {"reading": StateReading("mean", 1)}, {"prompts": TWICE},
        {"query_prompts": say}, {"prompts": (TWICE, say)}, {"bidirectional": True}, {"window": 95},
        {"normalise": False},
    ]  # fmt: skip
    made = [PromptedEncoder(model, **{"reading": mean} | one) for one in ({}, {}, *others)]
    return Made(made[0], made[1], (*made[2:], PromptedEncoder(_lab(), reading=mean)))


def _sparse(folder: Path) -> Made:
    from isogloss.training.causal_prompts import Prompt
    from isogloss.training.next_words import NextWordEncoder, WordChoice

    ask = Prompt.of("{text} In one word: ")
    choices: list[dict[str, Any]] = [{"own": False}, {"pieces": "first"}, {"language": None}, {"top": 3}, {"scale": 10},
                                       {"centred": True}]  # fmt: skip
    others = [NextWordEncoder(_lab(), ask, choice=WordChoice(**one)) for one in choices]
    asked = NextWordEncoder(_lab(), Prompt.of("{text} means "))
    return Made(NextWordEncoder(_lab(), ask), NextWordEncoder(_lab(), ask), (*others, asked))


encoders: dict[str, Callable[[Path], Made]] = {
    "training.prompted_encoder.PromptedEncoder": _dense,
    "training.next_words.NextWordEncoder": _sparse,
}
