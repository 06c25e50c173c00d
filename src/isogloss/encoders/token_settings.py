"""What a late-interaction folder says about its texts: marks, lengths, query expansion, tokens that do not count."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from isogloss.encoders.model_modules import ModuleEntry, read_json
from isogloss.errors import ModelError

_MARKERS = (
    "query_length", "document_length", "query_expansion", "do_query_expansion", "attend_to_expansion_tokens",
    "attend_to_mask_tokens", "query_prefix", "document_prefix", "skiplist_words",
)  # fmt: skip
CLASSIC_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Expansion:
    """How queries are filled up with mask tokens, whose vectors count as those of words (ColBERT's augmentation).

    Attributes
    ----------
    length
        Tokens of a query, special ones included.
    strategy
        ``"fixed"``: exactly ``length``, a longer query is cut; ``"min"``: at least.
    attend
        Whether the words attend to the mask tokens.
    token
        The token; None for the tokenizer's ``[MASK]``.
    """

    length: int = CLASSIC_LENGTH
    strategy: Literal["fixed", "min"] = "fixed"
    attend: bool = False
    token: str | None = None


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """The settings of a late-interaction model.

    Attributes
    ----------
    marks
        Texts in front of queries and documents that stand for one token of their own, before the prompt.
    query_length, document_length
        Most tokens of a query and of a document; None for the transformer's maximum.
    expansion
        Of queries, or None.
    skipped
        Tokens that do not count in the roles of ``skipped_in``.
    skipped_in
        ``"document"`` (texts without a role, too), ``"query"``.
    kept
        Token ids that alone count outside of queries; all where it is empty.
    """

    marks: tuple[tuple[str, str], ...] = ()
    query_length: int | None = None
    document_length: int | None = None
    expansion: Expansion | None = None
    skipped: tuple[str, ...] = ()
    skipped_in: tuple[str, ...] = ("document",)
    kept: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        expansion = self.expansion
        return {
            "marks": dict(self.marks), "query_length": self.query_length, "document_length": self.document_length,
            "query_expansion": expansion and {
                "strategy": expansion.strategy, "attend": expansion.attend, "token": expansion.token,
                "length": expansion.length,
            },
            "skiplist_words": list(self.skipped), "skiplist_tasks": list(self.skipped_in),
            "keep_only_token_ids": list(self.kept) or None,
        }  # fmt: skip


def read_settings(folder: Path, transformer: str, mask: ModuleEntry | None) -> TokenSettings:
    """Read the settings of any generation: sentence-transformers 6, PyLate, or Stanford's ColBERT.

    Where PyLate's folder does not say otherwise, queries are expanded to 32 tokens and punctuation does not count,
    as PyLate did.

    Parameters
    ----------
    folder
        The model's folder.
    transformer
        Folder of the transformer in it.
    mask
        The module ``MultiVectorMask``, where there is one.
    """
    card = read_json(folder / "config_sentence_transformers.json")
    if not card and "HF_ColBERT" in (read_json(folder / "config.json").get("architectures") or []):
        return _stanford(read_json(folder / "artifact.metadata"))
    settings = _pylate(card)
    own = read_json(folder / transformer / "sentence_bert_config.json")
    if "query_expansion" in own:
        settings = replace(settings, expansion=_expansion(own["query_expansion"]))
    settings = replace(
        settings, query_length=_whole(own.get("query_length", settings.query_length)),
        document_length=_whole(own.get("document_length", settings.document_length)),
    )  # fmt: skip
    if mask is not None:
        said = read_json(folder / mask.path / "config.json")
        tasks = said.get("skiplist_tasks") or ["document"]
        settings = replace(
            settings, skipped=tuple(said.get("skiplist_words") or ()),
            kept=tuple(said.get("keep_only_token_ids") or ()),
            skipped_in=(tasks,) if isinstance(tasks, str) else tuple(tasks),
        )  # fmt: skip
    return settings


def _pylate(card: Mapping[str, Any]) -> TokenSettings:
    marks = tuple(
        (role, str(card[f"{role}_prefix"] or "")) for role in ("query", "document") if f"{role}_prefix" in card
    )
    settings = TokenSettings(marks=marks, document_length=_whole(card.get("document_length")))
    if card.get("model_type") == "ColBERT":
        words = card.get("skiplist_words")
        settings = replace(settings, skipped=tuple(string.punctuation if words is None else words))
    if not any(key in card for key in _MARKERS):
        return settings
    length = _whole(card.get("query_length"))
    if "query_expansion" in card or card.get("do_query_expansion") is False:
        return replace(settings, query_length=length, expansion=_expansion(card.get("query_expansion")))
    attend = bool(card.get("attend_to_expansion_tokens", card.get("attend_to_mask_tokens")))
    return replace(settings, expansion=Expansion(length or CLASSIC_LENGTH, attend=attend))


def _stanford(said: Mapping[str, Any]) -> TokenSettings:
    marks = (("query", "query_token_id", "[unused0]"), ("document", "doc_token_id", "[unused1]"))
    return TokenSettings(
        marks=tuple((role, f"{said.get(key) or token} ") for role, key, token in marks),
        document_length=_whole(said.get("doc_maxlen")),
        expansion=Expansion(
            _whole(said.get("query_maxlen")) or CLASSIC_LENGTH, attend=bool(said.get("attend_to_mask_tokens"))
        ),
        skipped=tuple(string.punctuation) if said.get("mask_punctuation", True) else (),
    )


def _expansion(said: Mapping[str, Any] | None) -> Expansion | None:
    if said is None:
        return None
    length, strategy = said.get("length"), said.get("strategy")
    if not isinstance(length, int) or length < 1 or strategy not in ("fixed", "min"):
        raise ModelError(
            "the query expansion makes no sense", f"query_expansion is {dict(said)}",
            "give a strategy, fixed or min, and a length of at least one token",
        )  # fmt: skip
    return Expansion(length, "min" if strategy == "min" else "fixed", bool(said.get("attend")), said.get("token"))


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)
