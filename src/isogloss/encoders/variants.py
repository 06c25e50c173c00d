"""What another implementation of a model may do differently, as encoders that do it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from isogloss.arrays import Dense
from isogloss.encoders.model_card import FAMILIES
from isogloss.encoders.model_plan import Choice, DenseStep, ModelPlan, PoolingMode
from isogloss.encoders.transformer import TransformerEncoder
from isogloss.encoders.vector_comparison import cosines
from isogloss.errors import IsoglossError
from isogloss.protocols import Encoder, EncodeReport, Role

_MODES: Mapping[PoolingMode, str] = {
    "cls": "the first token (cls)",
    "mean": "the mean",
    "max": "the maximum",
    "lasttoken": "the last token",
}
_LENGTHS = (64, 128, 256, 384, 512, 1024, 2048, 4096, 8192)
SCREENED = 6
"""Texts that every variant is tried on; only the best one is tried on all."""
_EXTRA_PREFIXES = ("search_query: ", "search_document: ", "classification: ", "clustering: ", "passage: ", "query: ")


@dataclass(frozen=True, slots=True)
class Variant:
    """One thing that another implementation may do differently.

    Attributes
    ----------
    kind
        Stable name of the cause: ``pooling``, ``prompt``, ``case``, ``dense``, ``truncation``.
    says
        What the other one does; ``{they}`` stands for it, ``{we}`` for the side that is varied.
    fix
        What to change, with the same two names.
    plan
        Changes to the model's plan.
    text
        Change to each text.
    role
        ``"none"``, ``"query"`` or ``"document"`` in place of the role that was asked for; empty: no change.
    """

    kind: str
    says: str
    fix: str
    plan: Mapping[str, Any] = field(default_factory=dict)
    text: Callable[[str], str] | None = None
    role: str = ""


def varied(encoder: TransformerEncoder, changes: Mapping[str, Any]) -> TransformerEncoder:
    """Return the encoder with another plan, sharing the loaded weights.

    Parameters
    ----------
    encoder
        Any transformer encoder; it stays as it is.
    changes
        Fields of :class:`~isogloss.encoders.model_plan.ModelPlan` to replace.
    """
    if not changes:
        return encoder
    _ = encoder.engine  # loaded once, then shared by the copies
    other = copy.copy(encoder)
    for name in ("tokenizer", "_steps", "identity", "probes"):
        other.__dict__.pop(name, None)
    plan = replace(encoder.plan, **changes)
    dense = [step for step in plan.steps.value if isinstance(step, DenseStep)]
    width = plan.token_width or encoder.dimensions
    other.dimensions = dense[-1].outputs if dense else width * len(plan.pooling.value)
    other.plan = replace(plan, dimensions=other.dimensions)
    other.window = plan.max_length.value
    return other


def encode_as(encoder: Encoder, variants: Sequence[Variant], texts: Sequence[str], role: Role | None) -> Dense:
    """Encode with some variants applied together; ``(n, d)`` float32, rows of NaN where that is impossible."""
    changes = {key: value for variant in variants for key, value in variant.plan.items()}
    if changes:
        encoder = varied(cast(TransformerEncoder, encoder), changes)
    for variant in variants:
        if variant.role:
            role = None if variant.role == "none" else cast(Role, variant.role)
        if variant.text is not None:
            texts = [variant.text(text) for text in texts]
    try:
        return np.asarray(encoder.encode(list(texts), role=role, report=EncodeReport()), np.float32)
    except (IsoglossError, ValueError):
        return np.full((len(texts), 1), np.nan, np.float32)


def short_variants(encoder: Encoder, role: Role | None) -> list[Variant]:
    """List what shows already on short texts: pooling, prompts, letter case, Dense layers."""
    plan = getattr(encoder, "plan", None)
    found = [*_pooling_variants(plan), *_dense_variants(plan)] if isinstance(plan, ModelPlan) else []
    found.extend(_prompt_variants(plan, role))
    lower = "{they} lower-cases texts, {we} does not"
    found.append(Variant("case", lower, "switch lower-casing off there", text=str.lower))
    return found


def _pooling_variants(plan: ModelPlan) -> list[Variant]:
    declared = " + ".join(_MODES.get(mode, mode) for mode in plan.pooling.value)
    return [
        Variant(
            "pooling",
            f"{{they}} pools by {words}, {{we}} by {declared}",
            f"set the pooling of {{they}} to {'+'.join(plan.pooling.value)} (so says {plan.pooling.source} of {{we}})",
            {"pooling": Choice((mode,), "tried")},
        )
        for mode, words in _MODES.items()
        if plan.pooling.value != (mode,)
    ]


def _dense_variants(plan: ModelPlan) -> list[Variant]:
    steps = plan.steps.value
    dense = [step for step in steps if isinstance(step, DenseStep)]
    if not dense:
        return []
    rest = tuple(step for step in steps if not isinstance(step, DenseStep))
    names = ", ".join(f"{step.inputs} to {step.outputs}" for step in dense)
    return [
        Variant(
            "dense",
            f"{{they}} skips the Dense layers that {{we}} has ({names})",
            "load every module of modules.json there",
            {"steps": Choice(rest, "tried")},
        )
    ]


def _prompt_variants(plan: ModelPlan | None, role: Role | None) -> list[Variant]:
    saved: dict[str, str] = dict(plan.prompts.value) if plan else {}
    own = saved.get(role or "", "")
    found = []
    if own:
        words = f"{{they}} leaves out the prompt {_escaped(own)} of {{we}}"
        found.append(Variant("prompt", words, f"send {_escaped(own)} in front of each text", role="none"))
    known = [prefix for _, query, document in FAMILIES for prefix in (query, document)]
    for prefix in dict.fromkeys([*saved.values(), *_EXTRA_PREFIXES, *known]):
        if prefix and prefix != own:
            words = f"{{they}} puts {_escaped(prefix)} in front of each text"
            words += f" instead of {_escaped(own)}" if own else ", {we} does not"
            fix = "use the same prompt on both sides: verify with role query or document, or take the prefix out"
            found.append(Variant("prompt", words, fix, text=prefix.__add__, role="none"))
    return found


def _escaped(prompt: str) -> str:
    return repr(prompt).replace("{", "{{").replace("}", "}}")


def long_variants(encoder: Encoder) -> list[Variant]:
    """List other ways of cutting a long text: other lengths, and from the left."""
    plan = getattr(encoder, "plan", None)
    if not isinstance(plan, ModelPlan):
        return []
    positions = plan.architecture.positions if plan.architecture else plan.max_length.value
    own = plan.max_length.value
    said = [int(value) for _, value in plan.max_length.said]
    found = [
        Variant(
            "truncation",
            f"{{they}} cuts texts at {length} tokens, {{we}} at {own}",
            f"set the maximum length of {{they}} to {own}",
            {"max_length": Choice(length, "tried")},
        )
        for length in sorted({*said, *_LENGTHS, positions})
        if 4 < length <= positions and length != own
    ]
    other = "left" if plan.truncation_side.value == "right" else "right"
    says = f"{{they}} cuts long texts on the {other}, {{we}} on the {plan.truncation_side.value}"
    side = {"truncation_side": Choice(other, "tried")}
    return [*found, Variant("truncation", says, f"cut on the {plan.truncation_side.value}", side)]


def best_variants(
    encoder: Encoder,
    theirs: Dense,
    texts: Sequence[str],
    role: Role | None,
    variants: Sequence[Variant],
    *,
    given: Sequence[Variant] = (),
    tolerance: float,
) -> tuple[tuple[Variant, ...], float]:
    """Find the one or two variants that bring the model closest to ``theirs``.

    Parameters
    ----------
    encoder
        The model.
    theirs
        ``(n, d)`` vectors of the other source.
    texts
        The texts of those vectors.
    role
        The role asked for.
    variants
        What to try, alone and then on top of the best three of another kind.
    given
        Variants that are known to apply.
    tolerance
        Lowest cosine that counts as the same.

    Returns
    -------
    tuple
        The variants (without ``given``) and the lowest cosine that they reach.
    """
    if not variants:
        return (), -1.0
    before = cosines(encode_as(encoder, given, texts, role), theirs)
    worst = np.argsort(before, kind="stable")[:SCREENED]

    def lowest(*tried: Variant) -> float:
        return _lowest(encoder, theirs[worst], [texts[i] for i in worst], role, [*given, *tried])

    found = _screen(variants, lowest, tolerance)
    # two causes must explain clearly more than one
    chosen = max(found, key=lambda item: item[0] - 0.02 * (len(item[1]) - 1))[1]
    return chosen, _lowest(encoder, theirs, texts, role, [*given, *chosen])


def _screen(
    variants: Sequence[Variant], lowest: Callable[..., float], tolerance: float
) -> list[tuple[float, tuple[Variant, ...]]]:
    """Try each variant, then pairs with the best of three kinds; stop at the first that reaches the tolerance."""
    found: list[tuple[float, tuple[Variant, ...]]] = []
    for variant in variants:
        found.append((lowest(variant), (variant,)))
        if found[-1][0] >= tolerance:
            return found
    kinds: dict[str, Variant] = {}
    for _, (variant, *_) in sorted(found, key=lambda item: -item[0]):
        kinds.setdefault(variant.kind, variant)
    for first in list(kinds.values())[:3]:
        for second in variants:
            if second.kind != first.kind:
                found.append((lowest(first, second), (first, second)))
                if found[-1][0] >= tolerance:
                    return found
    return found


def _lowest(
    encoder: Encoder, theirs: Dense, texts: Sequence[str], role: Role | None, variants: Sequence[Variant]
) -> float:
    return float(cosines(encode_as(encoder, variants, texts, role), theirs).min(initial=1.0))
