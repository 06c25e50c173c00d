"""What ``isogloss doctor`` says about a transformer's folder: files, lengths, pooling, prompts, layers, weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isogloss.arrays import Similarity
from isogloss.encoders.card_example import CardExample, card_example
from isogloss.encoders.engines.weights import TensorPlace, read_headers
from isogloss.encoders.model_plan import Choice, DenseStep, ModelPlan, NormaliseStep, PoolingMode
from isogloss.encoders.transformer import TransformerEncoder
from isogloss.encoders.variants import varied
from isogloss.errors import IsoglossError, ModelError
from isogloss.protocols import Diagnosis, EncodeReport, Role

_CORRECT = "correct 1_Pooling/config.json: other tools may follow the other one"
CARD_TOLERANCE = 0.015
"""Largest difference to a card's printed similarity: cards round, and are often made in half precision."""


def check_folder(encoder: TransformerEncoder) -> list[Diagnosis]:
    """Check what the folder says and holds; nothing is encoded except the card's example."""
    plan = encoder.plan
    return [
        check_weights(plan),
        check_lengths(plan),
        check_pooling(encoder),
        check_prompts(plan),
        check_normalisation(plan),
        check_dense(plan),
        check_sides(plan),
    ]


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def _places(plan: ModelPlan) -> dict[str, TensorPlace]:
    folders = [plan.transformer] if plan.onnx is None else []
    folders += [plan.layers.folder] if plan.layers else []
    folders += [step.folder for step in (*plan.token_steps, *plan.steps.value) if not isinstance(step, NormaliseStep)]
    return {f"{folder.name}/{name}": place for folder in folders for name, place in read_headers(folder).items()}


def check_weights(plan: ModelPlan) -> Diagnosis:
    """Read every weight once, to see that all numbers are finite."""
    try:
        places = _places(plan)
        for name, place in places.items():
            if place.dtype not in ("F64", "F32", "F16", "BF16"):
                continue
            bad = ~np.isfinite(place.read())
            if bad.any():
                short = name.partition("/")[2]
                rows = int(bad.reshape(len(bad), -1).any(1).sum()) if bad.ndim else 1
                found = f"{short} holds {int(bad.sum())} numbers that are NaN or infinite, in {rows} rows"
                return Diagnosis(
                    "weights", "problem", found, "fetch the model again; if that does not help, use another"
                )
    except ModelError as error:
        return Diagnosis("weights", "problem", f"{error.what}: {error.why}", error.fix)
    size = sum(place.length for place in places.values())
    kinds = ", ".join(sorted({place.dtype for place in places.values()})) or "in an ONNX file"
    return Diagnosis("weights", "ok", f"{len(places)} tensors, {size / 1e6:.1f} MB, {kinds}, all finite")


def check_lengths(plan: ModelPlan) -> Diagnosis:
    """List every source of the maximum length, with the winner."""
    said = dict(plan.max_length.said)
    listed = ", ".join(f"{value} {source}" for source, value in said.items())
    found = f"{plan.max_length.value} tokens, from {plan.max_length.source}; said: {listed}"
    if any("positions" in note for note in plan.notes):
        found += "; the first is above the model's positions"
        return Diagnosis("maximum length", "warning", found, "correct the file")
    if len(set(said.values())) > 1:
        fix = "give max_length wherever else you use this model: other tools may take another of these"
        return Diagnosis("maximum length", "note", f"{found}: they disagree", fix)
    return Diagnosis("maximum length", "ok", found)


def check_pooling(encoder: TransformerEncoder) -> Diagnosis:
    """Check that pooling is declared without contradiction, and reproduces the numbers of the card."""
    plan = encoder.plan
    found = f"{'+'.join(plan.pooling.value)}, from {plan.pooling.source}"
    contradiction = next((note for note in plan.notes if "contradicts itself" in note), "")
    stray = not (plan.folder / "modules.json").is_file() and any(plan.folder.glob("*_Pooling"))
    if stray:
        found += "; there is a Pooling folder, but no modules.json that names it"
        return Diagnosis("pooling", "warning", found, "fetch the model again: modules.json is missing")
    example = card_example(plan.folder)
    if example is not None:
        return _against_card(encoder, example, found, contradiction)
    if contradiction:
        return Diagnosis("pooling", "warning", f"{found}; {contradiction}", _CORRECT)
    if plan.pooling.source == "default":
        found += ": the folder does not say"
        return Diagnosis("pooling", "note", found, "compare with a server that is known to be right: isogloss verify")
    return Diagnosis("pooling", "ok", f"{found}; the card shows no numbers to compare with")


def _against_card(encoder: TransformerEncoder, example: CardExample, found: str, contradiction: str) -> Diagnosis:
    try:
        gap = _gap(encoder, example)
        if gap <= CARD_TOLERANCE:
            found += f"; reproduces the card's example (largest difference {gap:.4f})"
            if contradiction:
                return Diagnosis("pooling", "warning", f"{found}; {contradiction}", _CORRECT)
            return Diagnosis("pooling", "ok", found)
        modes: Sequence[PoolingMode] = ("mean", "cls", "lasttoken", "max")
        others = {mode: _gap(varied(encoder, {"pooling": Choice((mode,), "tried")}), example) for mode in modes}
    except IsoglossError as error:
        return Diagnosis("pooling", "problem", f"{found}; the card's example cannot be encoded: {error.why}", error.fix)
    best = min(others, key=others.__getitem__)
    if others[best] <= CARD_TOLERANCE:
        found += f"; the card's numbers come from {best} pooling (difference {others[best]:.4f}, as declared {gap:.4f})"
        return Diagnosis("pooling", "problem", found, f"set pooling_mode to {best} in 1_Pooling/config.json")
    found += f"; no pooling reproduces the card's example (as declared the largest difference is {gap:.3f})"
    return Diagnosis("pooling", "warning", found, "the card may be of another version: fetch card and weights again")


def _gap(encoder: TransformerEncoder, example: CardExample) -> float:
    roles: tuple[Role | None, Role | None] = ("query", "document") if example.right else (None, None)
    left = encoder.encode(example.left, role=roles[0], report=EncodeReport())
    right = encoder.encode(example.right, role=roles[1], report=EncodeReport()) if example.right else left
    return float(np.abs(encoder.similarity(left, right) - example.shown).max())


def check_prompts(plan: ModelPlan) -> Diagnosis:
    """Check that prompts are declared where the model's family was trained with some."""
    if plan.warnings:
        fix = "put the prompts into config_sentence_transformers.json, or give instruction= when encoding"
        return Diagnosis("prompts", "warning", "; ".join(plan.warnings), fix)
    used = {role or "no role": text for role, text in plan.prompts.value.items() if text}
    if not used:
        return Diagnosis("prompts", "ok", "none declared, none known for this kind of model")
    listed = ", ".join(f"{role}: {text!r}" for role, text in used.items())
    return Diagnosis("prompts", "ok", f"{listed} (from {plan.prompts.source})")


def check_normalisation(plan: ModelPlan) -> Diagnosis:
    """Say whether vectors have length one, and whether their comparison needs it."""
    scaled = bool(plan.steps.value) and isinstance(plan.steps.value[-1], NormaliseStep)
    similarity = plan.similarity.value.value
    if scaled:
        return Diagnosis("normalisation", "ok", f"vectors have length one; compared by {similarity}")
    if plan.similarity.value is Similarity.DOT:
        found = "vectors keep their length and are compared by dot product: the length counts"
        return Diagnosis("normalisation", "ok", found)
    if any(isinstance(step, NormaliseStep) for step in plan.steps.value):
        found = "a normalisation comes before a Dense layer, so vectors do not have length one"
        return Diagnosis("normalisation", "note", found, "compare by cosine only")
    found = "vectors do not have length one; compared by cosine, which does not mind"
    return Diagnosis("normalisation", "ok", found)


def check_dense(plan: ModelPlan) -> Diagnosis:
    """Check that all Dense layers are in use, and that no folder of one lies there unnamed."""
    used = [step for step in (*plan.token_steps, *plan.steps.value) if isinstance(step, DenseStep)]
    stray = sorted(
        path.name
        for path in plan.folder.glob("*_Dense")
        if path.is_dir() and path.resolve() not in {step.folder.resolve() for step in used}
    )
    if stray:
        found = f"{', '.join(stray)} lies in the folder, but modules.json does not name it: it is not used"
        return Diagnosis(
            "Dense layers", "warning", found, "fetch the model again; saving or merging may have lost modules.json"
        )
    if not used:
        return Diagnosis("Dense layers", "ok", "none")
    listed = ", ".join(f"{step.inputs} to {step.outputs} ({step.activation})" for step in used)
    return Diagnosis("Dense layers", "ok", f"{len(used)} in use: {listed}")


def check_sides(plan: ModelPlan) -> Diagnosis:
    """Report the sides of padding and truncation; ours never looks at padding."""
    side = str(_json(plan.transformer / "tokenizer_config.json").get("padding_side", "right"))
    cut = plan.truncation_side.value
    found = f"padding on the {side}, long texts lose their {'end' if cut == 'right' else 'start'}"
    if side == "left" and plan.pooling.value != ("lasttoken",):
        note = "padding is masked here; a tool that takes the first or last position without a mask gets other vectors"
        return Diagnosis("padding side", "note", found, note)
    if cut == "left":
        return Diagnosis("padding side", "note", found, "other tools may cut the end instead")
    return Diagnosis("padding side", "ok", found)
