"""Late-interaction models from their folders: one vector a token, compared by MaxSim."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterable
from copy import copy
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Ragged, Similarity
from isogloss.encoders.batching import in_order, length_batches
from isogloss.encoders.engines.architectures import Weights
from isogloss.encoders.engines.unseen_rows import UnseenRowsEngine
from isogloss.encoders.engines.weights import read_headers
from isogloss.encoders.model_folder import resolve_any, unpooled
from isogloss.encoders.model_modules import ModuleEntry, read_chain, read_json, read_modules
from isogloss.encoders.model_plan import Choice, DenseStep, ModelPlan, NormaliseStep
from isogloss.encoders.shaped_transformer import RotaryEncoder, encoder_of
from isogloss.encoders.surface import EncoderSurface, as_texts
from isogloss.encoders.token_settings import TokenSettings, read_settings
from isogloss.encoders.tokenizer_file import TokenizerFile
from isogloss.encoders.transformer import TOKEN_BUDGET, TransformerEncoder
from isogloss.errors import ModelError, NonFiniteError, TruncationWarning
from isogloss.protocols import EncodeReport, Role


class LateInteractionEncoder(EncoderSurface):
    """A trained late-interaction model: token vectors, projected, scaled to length one, some of them left out.

    Khattab and Zaharia 2020, "ColBERT" (https://arxiv.org/abs/2004.12832): queries and documents begin with marks of
    their own, queries are filled up with mask tokens whose vectors count, punctuation of documents does not. Reads
    folders of sentence-transformers' ``MultiVectorEncoder``, of PyLate, and of Stanford's ColBERT.

    Parameters
    ----------
    base
        The transformer with its token steps.
    settings
        Marks, lengths, expansion, tokens that do not count.

    Examples
    --------
    With a folder on the machine::

        encoder = open_tokens(folder)
        encoder.encode(["who built it"], role="query")[0].shape  # (32, 128): as long as queries are
    """

    kind: Literal["words", "dense", "tokens"] = "tokens"
    speed: Literal["fast", "slow"] = "slow"
    similarity = Similarity.MAXSIM

    def __init__(self, base: TransformerEncoder, settings: TokenSettings) -> None:
        self.base, self.settings = _blind_where_unseen(base, settings), settings
        self.plan: ModelPlan = base.plan
        self.name, self.languages, self.window = base.name, base.languages, base.window
        self.dimensions: int = base.plan.token_width
        known = self._tokenizer(None).tokenizer.get_vocab(with_added_tokens=True)
        self._skipped = np.array(sorted(known[word] for word in settings.skipped if word in known), np.int64)
        self._filler = self._expansion_id(known)

    def _expansion_id(self, known: dict[str, int]) -> int:
        expansion = self.settings.expansion
        if expansion is None:
            return 0
        file = self.plan.transformer / "tokenizer_config.json"
        said = json.loads(file.read_text("utf-8")) if file.is_file() else {}
        token = expansion.token
        for key in () if token else ("mask_token", "eos_token"):
            found = said.get(key)
            token = token or (found.get("content") if isinstance(found, dict) else found)
        token = token or "[MASK]"
        if token not in known:
            raise ModelError(
                f"queries cannot be filled up with {token}", f"the tokenizer of {self.name} does not know it",
                "name another token in query_expansion, or switch it off",
            )  # fmt: skip
        return known[token]

    @cached_property
    def _tokenizers(self) -> dict[Role | None, TokenizerFile]:
        return {}

    def _tokenizer(self, role: Role | None) -> TokenizerFile:
        """Return the tokenizer of a role: cut at its length, its mark one token."""
        if role not in self._tokenizers:
            plan, settings = self.plan, self.settings
            length = {"query": settings.query_length, "document": settings.document_length}.get(role or "")
            if role == "query" and settings.expansion is not None:
                floor = settings.expansion.length
                length = floor if settings.expansion.strategy == "fixed" else length and max(length, floor)
            made = TokenizerFile(
                plan.transformer, max_length=length or self.window, lower_case=plan.lower_case.value,
                side=plan.truncation_side.value,
            )  # fmt: skip
            _register(made.tokenizer, [mark for _, mark in settings.marks])
            self._tokenizers[role] = made
        return self._tokenizers[role]

    def tokenizer_json(self) -> str:
        """Return the tokenizer as JSON: each mark that it knows is one token, there is no cut and no padding."""
        return str(self._tokenizer(None).tokenizer.to_str())

    @cached_property
    def identity(self) -> str:
        """Hash of the transformer's identity (weights, steps, prompts) and of the settings."""
        parts = [self.base.identity, json.dumps(self.settings.to_dict(), sort_keys=True), self.similarity.value]
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()

    def encode(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> Ragged:
        """Return the token vectors of each text: values ``(T, d)`` float32, ragged over the texts.

        ``role`` chooses prompt, mark, length, expansion and which tokens count; ``instruction`` stands for prompt and
        mark. A text longer than its role allows is cut; the report counts it.
        """
        texts = as_texts(inputs)
        prompt = self.plan.prompt(role) if instruction is None else instruction
        tokenizer = self._tokenizer(role)
        tokens = tokenizer([prompt + text for text in texts])
        lengths = np.array([len(ids) for ids in tokens.ids], np.int64)
        expansion = self.settings.expansion if role == "query" else None
        whole = np.maximum(lengths, expansion.length) if expansion else lengths
        found: list[Any] = [np.zeros((0, self.dimensions), np.float32)] * len(texts)
        batches = length_batches(whole, TOKEN_BUDGET)
        run = partial(self._vectors, tokens.ids, whole, whole if expansion and expansion.attend else lengths)
        for batch, vectors in zip(batches, in_order(run, batches, self.base.threads), strict=True):
            for row, i in zip(vectors, batch, strict=True):
                found[i] = row[: whole[i]][self._counting(tokens.ids[i], int(whole[i]), role)]
                self._check(found[i], int(i), texts[i])
        self._count(tokens.full, lengths, tokenizer.max_length, report)
        if not found:
            return Ragged(np.zeros((0, self.dimensions), np.float32), np.zeros(1, np.int64))
        return Ragged.from_list(found)

    def _vectors(
        self, ids: list[NDArray[np.int64]], whole: NDArray[np.int64], seen: NDArray[np.int64], batch: NDArray[np.int64]
    ) -> Dense:
        """Return the vectors ``(m, L, d)`` of a batch, those of the mask tokens among them."""
        filled = np.full((len(batch), int(whole[batch].max())), self._filler, np.int64)  # (m, L)
        for row, i in zip(filled, batch, strict=True):
            row[: len(ids[i])] = ids[i]
        return self.base.token_vectors(filled, seen[batch])

    def _counting(self, ids: NDArray[np.int64], whole: int, role: Role | None) -> NDArray[np.bool_]:
        """Return which of a text's tokens count, ``(whole,)``; mask tokens are no words and are never skipped."""
        count = np.ones(whole, np.bool_)
        if (role or "document") in self.settings.skipped_in and len(self._skipped):
            count[: len(ids)] &= ~np.isin(ids, self._skipped)
        if role != "query" and self.settings.kept:
            count[: len(ids)] &= np.isin(ids, np.array(self.settings.kept))
        return count

    def _check(self, vectors: Dense, i: int, text: str) -> None:
        if not np.isfinite(vectors).all():
            raise NonFiniteError(f"{self.name} gave a vector that is not finite", f"text {i}: {text[:80]!r}")

    def _count(
        self, full: NDArray[np.int64], lengths: NDArray[np.int64], window: int, report: EncodeReport | None
    ) -> None:
        own, lost = report if report is not None else EncodeReport(), full - lengths
        own.add(texts=len(full), tokens=int(full.sum()), cut=int((lost > 0).sum()), lost=int(lost.sum()), window=window)
        if report is None and own.cut:
            warnings.warn(own.sentence(), TruncationWarning, stacklevel=3)


def _blind_where_unseen(base: TransformerEncoder, settings: TokenSettings) -> TransformerEncoder:
    """Return the base so that mask tokens beyond every window mix nothing, where queries can have such tokens.

    Mask tokens that are not attended to see the words alone; in layers with a window those far behind see none.
    """
    arch, expansion = base.plan.architecture, settings.expansion
    near = min([window for window in arch.rotary.windows if window], default=0) if arch and arch.rotary else 0
    if not near or expansion is None or expansion.attend or expansion.length - 1 <= near:
        return base
    if type(base) is not RotaryEncoder or arch is None:
        return base  # one in training attends as torch does
    changed = copy(base)
    weights = Weights(read_headers(base.plan.transformer), arch).used()
    vars(changed)["engine"] = UnseenRowsEngine(arch, weights)
    return changed


def _register(tokenizer: Any, marks: Iterable[str]) -> None:
    """Make a mark that the vocabulary knows one token wherever it stands; others stay text."""
    from tokenizers import AddedToken

    known = tokenizer.get_vocab(with_added_tokens=True)
    for mark in marks:
        for form in (mark, *mark.split()[:1]):
            if form in known:
                if tokenizer.encode(form, add_special_tokens=False).tokens != [form]:
                    tokenizer.add_special_tokens([AddedToken(form, normalized=False, special=True)])
                break


def open_tokens(
    folder: str | Path, *, threads: int | None = None, max_length: int | None = None, name: str = ""
) -> LateInteractionEncoder:
    """Open a late-interaction folder of sentence-transformers 6, of PyLate, or of Stanford's ColBERT.

    Parameters
    ----------
    folder
        The model's folder.
    threads
        Batches that are encoded side by side.
    max_length
        Most tokens of a text without a role; lengths of queries and documents are the model's.
    name
        Name of the model, where it is known better than from the folder.

    Raises
    ------
    ModelError
        Where the folder is incomplete or contradicts itself.
    UnsupportedModelError
        Where its architecture, a module or the weights' format is not supported.
    """
    folder = Path(folder)
    modules = read_modules(folder)
    mask = next((entry for entry in modules if entry.kind == "MultiVectorMask"), None)
    chain = read_chain(folder, [entry for entry in modules if entry.kind != "MultiVectorMask"])
    settings = read_settings(folder, chain.transformer, mask)
    plan = resolve_any(folder, max_length=max_length, name=name, chain=chain, similarity=Similarity.MAXSIM)
    plan = _with_marks(_finished(plan, modules, mask), settings)
    plan = unpooled(plan, plan.token_width)
    return LateInteractionEncoder(encoder_of(plan, threads=threads), settings)


def _finished(plan: ModelPlan, modules: list[ModuleEntry], mask: ModuleEntry | None) -> ModelPlan:
    """Add what older folders leave unsaid: Stanford's projection, and vectors of length one."""
    if not modules:
        place = read_headers(plan.transformer).get("linear.weight")
        if place is None:
            raise ModelError("the model has no projection", "there is no tensor linear.weight", "fetch it again")
        outputs, inputs = place.shape
        step = DenseStep(plan.transformer, inputs, outputs, bias=False, activation="Identity")
        return replace(plan, token_steps=(step, NormaliseStep()))
    pylate = read_json(plan.folder / "config_sentence_transformers.json").get("model_type") == "ColBERT"
    return replace(plan, token_steps=(*plan.token_steps, NormaliseStep())) if pylate and not mask else plan


def _with_marks(plan: ModelPlan, settings: TokenSettings) -> ModelPlan:
    """Put the marks in front of the prompts, once."""
    prompts = dict(plan.prompts.value)
    for role, mark in settings.marks:
        prompts[role] = mark + prompts[role].removeprefix(mark)
    return replace(plan, prompts=Choice(prompts, plan.prompts.source, plan.prompts.said))
