"""Learned sparse encoders from their folders: one weight a word of the vocabulary, most of them zero."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import CSR, Dense, Similarity
from isogloss.encoders.batching import in_order, length_batches, padded
from isogloss.encoders.engines.weights import digest, read_headers
from isogloss.encoders.model_folder import read_prompts, read_similarity, resolve_any, unpooled
from isogloss.encoders.model_modules import ModuleEntry, need_json, read_chain, read_json, read_modules
from isogloss.encoders.model_plan import ModelPlan
from isogloss.encoders.shaped_transformer import encoder_of
from isogloss.encoders.surface import EncoderSurface, as_texts
from isogloss.encoders.tokenizer_file import TokenizerFile
from isogloss.encoders.transformer import TOKEN_BUDGET, TransformerEncoder
from isogloss.encoders.word_head import WordHead, load_word_head
from isogloss.errors import ModelError, NonFiniteError, TruncationWarning, UnsupportedModelError
from isogloss.protocols import EncodeReport, Role

_NO_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class SparsePooling:
    """From logits of words to weights: over a text's tokens the ``max`` or the ``sum`` of ``log(1 + relu(logit))``.

    Formal et al. 2021, "SPLADE v2" (https://arxiv.org/abs/2109.10086; the sum is the first SPLADE's,
    https://arxiv.org/abs/2107.05720). With ``twice`` the logarithm is taken once more, as inference-free models do
    (https://arxiv.org/abs/2411.04403).
    """

    strategy: Literal["max", "sum"] = "max"
    twice: bool = False

    def __call__(self, logits: Dense) -> Dense:
        """Return the weights ``(V,)`` of one text for the logits ``(T, V)`` of its tokens.

        Examples
        --------
        >>> np.expm1(SparsePooling()(np.array([[-1.0, 2.0], [-3.0, 1.0]], np.float32))).round(4).tolist()
        [0.0, 2.0]
        """
        if self.strategy == "max":  # the functions rise, so the largest logit has the largest weight
            logits = logits.max(0, keepdims=True)
        weights = np.log1p(np.maximum(logits, 0))
        return np.asarray((np.log1p(weights) if self.twice else weights).sum(0), np.float32)


class LearnedSparseEncoder(EncoderSurface):
    """A masked language model whose guesses at every token, pooled, are the text's weights of words.

    Reads sentence-transformers' folders of ``Transformer`` (or ``MLMTransformer``) and ``SpladePooling``.

    Parameters
    ----------
    base
        The transformer.
    pooling
        How the tokens' logits are pooled.
    similarity
        How vectors are compared.

    Examples
    --------
    With a folder on the machine::

        encoder = open_sparse(folder)
        encoder.encode(["a small dog"]).shape  # (1, 30522)
    """

    kind: Literal["words", "dense", "sparse"] = "sparse"
    speed: Literal["fast", "slow"] = "slow"

    def __init__(
        self, base: TransformerEncoder, pooling: SparsePooling, *, similarity: Similarity = Similarity.DOT
    ) -> None:
        self.base, self.pooling, self.similarity = base, pooling, similarity
        self.plan: ModelPlan = base.plan
        self.name, self.languages, self.window = base.name, base.languages, base.window
        self.head: WordHead = load_word_head(base.plan)
        self.dimensions: int = len(self.head.table)

    @cached_property
    def identity(self) -> str:
        """Hash of the transformer's identity, all tensors of its folder (the head's among them) and the pooling."""
        parts = [self.base.identity, digest(read_headers(self.plan.transformer)), self.pooling.strategy]
        parts += [str(self.pooling.twice), self.similarity.value]
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()

    def encode(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> CSR:
        """Return the weights of words, ``(n, V)`` float32, those that are zero left out; parameters as usual."""
        texts = as_texts(inputs)
        prompt = self.plan.prompt(role) if instruction is None else instruction
        tokens = self.base.tokenizer([prompt + text for text in texts])
        lengths = np.minimum(tokens.full, self.window)
        rows: list[Dense] = [np.zeros(0, np.float32)] * len(texts)
        columns: list[NDArray[np.int64]] = [np.zeros(0, np.int64)] * len(texts)
        batches = length_batches(lengths, TOKEN_BUDGET)
        run = partial(self._weights, tokens.ids, lengths)
        for batch, found in zip(batches, in_order(run, batches, self.base.threads), strict=True):
            for i, weights in zip(batch, found, strict=True):
                if not np.isfinite(weights).all():
                    what = f"{self.name} gave weights that are not finite"
                    raise NonFiniteError(what, f"text {int(i)}: {texts[i][:80]!r}")
                columns[i] = np.flatnonzero(weights).astype(np.int64)
                rows[i] = weights[columns[i]]
        _count(tokens.full, lengths, self.window, report)
        return _csr(columns, rows, self.dimensions)

    def _weights(
        self, ids: list[NDArray[np.int64]], lengths: NDArray[np.int64], batch: NDArray[np.int64]
    ) -> list[Dense]:
        states = self.base.token_vectors(padded([ids[i] for i in batch]), lengths[batch])  # (m, L, d)
        real = np.arange(states.shape[1]) < lengths[batch][:, None]  # (m, L)
        logits = self.head(states[real])  # (T, V)
        ends = np.cumsum(lengths[batch])
        return [self.pooling(logits[end - length : end]) for end, length in zip(ends, lengths[batch], strict=True)]


class WeightedTokensEncoder(EncoderSurface):
    """Each distinct token of a text with a weight of its own, whatever the text: the query's side of cheap models.

    Geng et al. 2024 (https://arxiv.org/abs/2411.04403) score queries so, with inverse document frequencies. Reads
    sentence-transformers' ``SparseStaticEmbedding``.

    Parameters
    ----------
    tokenizer
        Gives the tokens, without special ones.
    weights
        ``(V,)`` float32, one a token.
    prompts
        Texts in front of the input, for ``"query"``, ``"document"`` and ``""``.
    similarity
        How vectors are compared.
    name
        Of the model.
    tokenizer_settings
        Content of ``tokenizer_config.json``, written again when the model is saved.
    """

    kind: Literal["words", "dense", "sparse"] = "sparse"
    speed: Literal["fast", "slow"] = "fast"
    languages: frozenset[str] | None = None

    def __init__(
        self, tokenizer: TokenizerFile, weights: Dense, *, prompts: dict[str, str] | None = None,
        similarity: Similarity = Similarity.DOT, name: str = "weighted tokens",
        tokenizer_settings: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.tokenizer, self.weights, self.similarity, self.name = tokenizer, weights, similarity, name
        self.prompts = prompts or {}
        self.tokenizer_settings = tokenizer_settings or {}
        self.dimensions: int = len(weights)
        self.window: int = tokenizer.max_length if tokenizer.max_length < _NO_LIMIT else 0

    @cached_property
    def identity(self) -> str:
        """Hash of weights, tokenizer, prompts, window and similarity."""
        parts = [self.tokenizer.canonical(), json.dumps(sorted(self.prompts.items())), str(self.window)]
        total = hashlib.sha256("\x1f".join([*parts, self.similarity.value]).encode("utf-8", "surrogatepass"))
        total.update(np.ascontiguousarray(self.weights).tobytes())
        return total.hexdigest()

    def encode(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> CSR:
        """Return the weights of each text's tokens, ``(n, V)`` float32; parameters as usual."""
        prompt = self.prompts.get(role or "", "") if instruction is None else instruction
        texts = [prompt + text for text in as_texts(inputs)]
        found = self.tokenizer.bare(texts)
        full = np.array([len(ids) for ids in found], np.int64)
        cut = np.minimum(full, self.window) if self.window else full
        columns = [np.unique(ids[:length]) for ids, length in zip(found, cut, strict=True)]
        columns = [one[self.weights[one] != 0] for one in columns]
        _count(full, cut, self.window, report)
        return _csr(columns, [self.weights[one] for one in columns], self.dimensions)


def _count(full: NDArray[np.int64], kept: NDArray[np.int64], window: int, report: EncodeReport | None) -> None:
    own, lost = report if report is not None else EncodeReport(), full - kept
    own.add(texts=len(full), tokens=int(full.sum()), cut=int((lost > 0).sum()), lost=int(lost.sum()), window=window)
    if report is None and own.cut:
        warnings.warn(own.sentence(), TruncationWarning, stacklevel=3)


def _csr(columns: Sequence[NDArray[np.int64]], rows: Sequence[Dense], width: int) -> CSR:
    offsets = np.zeros(len(columns) + 1, np.int64)
    np.cumsum([len(one) for one in columns], out=offsets[1:])
    indices = np.concatenate(columns) if len(columns) else np.zeros(0, np.int64)
    values = np.concatenate(rows) if len(rows) else np.zeros(0, np.float32)
    return CSR(offsets, indices.astype(np.int64), values.astype(np.float32), width)


def open_sparse(
    folder: str | Path, *, threads: int | None = None, max_length: int | None = None, name: str = "",
    modules: Sequence[ModuleEntry] | None = None,
) -> LearnedSparseEncoder | WeightedTokensEncoder:  # fmt: skip
    """Open a sparse model: ``[Transformer, SpladePooling]`` or ``[SparseStaticEmbedding]``.

    Parameters
    ----------
    folder
        The model's folder.
    threads
        Batches that are encoded side by side.
    max_length
        Longest input in tokens; None for what the folder says.
    name
        Name of the model, where it is known better than from the folder.
    modules
        The modules, where the caller has read them (a branch of a router); else those of ``modules.json``.

    Raises
    ------
    ModelError
        Where the folder is incomplete or contradicts itself.
    UnsupportedModelError
        Where a module is not supported.
    """
    folder = Path(folder)
    modules = read_modules(folder) if modules is None else modules
    kinds = [entry.kind for entry in modules]
    if kinds == ["SparseStaticEmbedding"]:
        return _weighted_tokens(folder, modules[0].path, max_length, name)
    if kinds not in (["Transformer", "SpladePooling"], ["MLMTransformer", "SpladePooling"]):
        raise UnsupportedModelError(
            "the order of modules is not supported", f"modules.json of {folder} says {', '.join(kinds)}",
            "use a sparse model of Transformer and SpladePooling, or of SparseStaticEmbedding",
        )  # fmt: skip
    chain = read_chain(folder, [ModuleEntry("Transformer", modules[0].path)])
    similarity = read_similarity(folder, Similarity.DOT)
    plan = resolve_any(folder, max_length=max_length, name=name, chain=chain, similarity=similarity)
    plan = unpooled(plan, plan.architecture.vocabulary if plan.architecture else 0)
    base = encoder_of(plan, threads=threads)
    return LearnedSparseEncoder(base, _pooling(folder / modules[1].path), similarity=similarity)


def _pooling(folder: Path) -> SparsePooling:
    said = need_json(folder / "config.json")
    strategy, activation = str(said.get("pooling_strategy", "max")), str(said.get("activation_function", "relu"))
    if strategy not in ("max", "sum") or activation not in ("relu", "log1p_relu"):
        raise UnsupportedModelError(
            "this sparse pooling is not supported", f"{folder.name} says {strategy}, {activation}",
            "known: max or sum, of relu or log1p_relu",
        )  # fmt: skip
    return SparsePooling("max" if strategy == "max" else "sum", activation == "log1p_relu")


def _weighted_tokens(folder: Path, path: str, max_length: int | None, name: str) -> WeightedTokensEncoder:
    place = folder / path
    if str(need_json(place / "config.json").get("path") or "").endswith(".json"):
        raise UnsupportedModelError(
            "weights of tokens in a JSON file are not supported", f"{place.name}/config.json names one",
            "open it once with sentence-transformers and save it: the weights become model.safetensors",
        )  # fmt: skip
    weights = read_headers(place).get("weight")
    settings = read_json(place / "tokenizer_config.json")
    length = max_length or settings.get("model_max_length") or _NO_LIMIT
    tokenizer = TokenizerFile(place, max_length=min(int(length), _NO_LIMIT))
    vocabulary = tokenizer.tokenizer.get_vocab_size(with_added_tokens=True)
    if weights is None or len(weights.shape) != 1 or weights.shape[0] < vocabulary:
        found = "there is none" if weights is None else f"it is {weights.shape}, the tokenizer has {vocabulary} tokens"
        raise ModelError("tokens and weights do not belong together", f"tensor weight: {found}", "fetch it again")
    return WeightedTokensEncoder(
        tokenizer, np.array(weights.read()), prompts=read_prompts(folder, name), name=name or folder.resolve().name,
        similarity=read_similarity(folder, Similarity.DOT), tokenizer_settings=settings,
    )  # fmt: skip
