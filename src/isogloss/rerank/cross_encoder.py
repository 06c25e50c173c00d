"""Cross-encoders from their folders, without torch: query and document are read together and get one number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import charge
from isogloss.encoders.batching import in_order, length_batches, padded
from isogloss.encoders.engines.onnx import default_threads
from isogloss.encoders.engines.weights import digest, read_headers
from isogloss.encoders.model_folder import resolve_any, unpooled
from isogloss.encoders.model_modules import Chain, read_json, read_modules
from isogloss.encoders.model_plan import ModelPlan
from isogloss.encoders.pair_states import PairEngine
from isogloss.encoders.pooling import ACTIVATIONS, pool
from isogloss.encoders.tokenizer_file import TokenizerFile
from isogloss.encoders.transformer import TOKEN_BUDGET
from isogloss.errors import NonFiniteError, UnsupportedModelError, UsageError
from isogloss.protocols import EncodeReport
from isogloss.rerank.pair_head import load_pair_head

_SLICE = 512
_TYPED_TOKENIZERS = ("BertTokenizer", "ElectraTokenizer", "AlbertTokenizer")


class CrossEncoder:
    """A transformer that reads query and document as one input; its head gives one logit a label.

    Nogueira and Cho 2019, "Passage Re-ranking with BERT" (https://arxiv.org/abs/1901.04085). Reads folders of
    sentence-transformers' ``CrossEncoder`` of every generation, and transformers' sequence classifiers.

    Parameters
    ----------
    folder
        The model's folder.
    threads
        Batches that are read side by side; None for the processors of this process, at most 8.
    max_length
        Longest pair in tokens; None for what the folder says. Of a longer one the longer text is cut first.
    name
        Name of the model, where it is known better than from the folder.

    Attributes
    ----------
    activation_name
        The function that ``predict`` sends logits through: what the folder says, else ``"Sigmoid"`` for one label
        and ``"Identity"`` for several.

    Raises
    ------
    ModelError
        Where the folder is incomplete or contradicts itself.
    UnsupportedModelError
        Where the architecture, a module or the weights' format is not supported.

    Examples
    --------
    With a folder on the machine::

        reranker = CrossEncoder(folder)
        reranker.score("how hot is the sun", ["It is 5,500 degrees hot.", "Cats sleep."])  # (2,) raw logits
    """

    def __init__(
        self, folder: str | Path, *, threads: int | None = None, max_length: int | None = None, name: str = ""
    ) -> None:
        folder = Path(folder)
        modules = read_modules(folder)
        if [entry.kind for entry in modules] not in ([], ["Transformer"]):
            raise UnsupportedModelError(
                "this kind of cross-encoder is not supported",
                f"modules.json of {folder} says {', '.join(entry.kind for entry in modules)}",
                "use one whose transformer has a classification head",
            )  # fmt: skip
        path = modules[0].path if modules else ""
        self.plan: ModelPlan = unpooled(resolve_any(folder, max_length=max_length, name=name, chain=Chain(path)), 1)
        self.name: str = self.plan.name
        self.threads: int = threads or default_threads()
        self.window: int = self.plan.max_length.value
        self.head = load_pair_head(self.plan)
        self.labels: int = len(self.head.labels)
        self.activation_name: str = _activation(folder, read_json(folder / path / "config.json"), self.labels)
        self._typed: bool = _typed(read_json(folder / path / "tokenizer_config.json"), self.plan.model_type)
        self.activation: Callable[[Any], Any] = ACTIVATIONS[self.activation_name]

    @cached_property
    def identity(self) -> str:
        """Hash of all tensors, the tokenizer, the window, the prompt and the activation."""
        import hashlib

        plan = self.plan
        parts = [digest(read_headers(plan.transformer)), self.tokenizer.canonical(), str(self.window)]
        parts += [plan.prompt(None), str(plan.lower_case.value), self.activation_name]
        return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()

    @cached_property
    def tokenizer(self) -> TokenizerFile:
        """The tokenizer, without a cut of its own."""
        plan = self.plan
        return TokenizerFile(plan.transformer, max_length=self.window, lower_case=plan.lower_case.value)

    @cached_property
    def _cutting(self) -> Any:
        """The tokenizer with a cut that shortens the longer text of a pair first."""
        plan = self.plan
        made = TokenizerFile(plan.transformer, max_length=self.window, lower_case=plan.lower_case.value).tokenizer
        made.enable_truncation(self.window, strategy="longest_first", direction=plan.truncation_side.value)
        return made

    @cached_property
    def _engine(self) -> PairEngine:
        return PairEngine(self.plan)

    def score(self, query: str, documents: Sequence[str], *, report: EncodeReport | None = None) -> NDArray[np.float32]:
        """Return the raw logit of each document, ``(n,)``; higher is more relevant.

        Raises
        ------
        UsageError
            Where the model has several labels.
        """
        if self.labels != 1:
            raise UsageError(
                "this model does not rank",
                f"{self.name} has {self.labels} labels",
                "ask for logits, or use another one",
            )
        return self.logits([(query, document) for document in documents], report=report)[:, 0]

    def predict(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """Return what sentence-transformers' ``predict`` does: logits behind the activation.

        ``(n,)`` for one label, ``(n, labels)`` for several.
        """
        scores = np.asarray(self.activation(self.logits(pairs)), np.float32)
        return scores[:, 0] if self.labels == 1 else scores

    def logits(self, pairs: Sequence[tuple[str, str]], *, report: EncodeReport | None = None) -> NDArray[np.float32]:
        """Return the raw logits ``(n, labels)`` of pairs of a query and a document.

        Raises
        ------
        NonFiniteError
            Where the model gives NaN or infinity; the message names the pair.
        """
        out = np.zeros((len(pairs), self.labels), np.float32)
        prompt = self.plan.prompt(None)
        for start in range(0, len(pairs), _SLICE):
            block = [(prompt + query, document) for query, document in pairs[start : start + _SLICE]]
            ids, boundaries = self._tokens(block, report)
            lengths = np.array([len(one) for one in ids], np.int64)
            # the first texts of a batch are equally long, so that one row of positions serves all
            batches = [
                group[batch]
                for boundary in np.unique(boundaries)
                for group in [np.flatnonzero(boundaries == boundary)]
                for batch in length_batches(lengths[group], TOKEN_BUDGET)
            ]
            run = self._reader(ids, lengths, boundaries)
            for batch, found in zip(batches, in_order(run, batches, self.threads), strict=True):
                charge(multiply_adds=self._engine.engine.multiply_adds(len(batch), int(lengths[batch].max())))
                out[start + batch] = found
        bad = ~np.isfinite(out).all(1)
        if bad.any():
            query, document = pairs[int(bad.argmax())]
            raise NonFiniteError(f"{self.name} gives no number", f"for {query[:40]!r} and {document[:40]!r}")
        return out

    def _reader(
        self, ids: list[NDArray[np.int64]], lengths: NDArray[np.int64], boundaries: NDArray[np.int64]
    ) -> Callable[[NDArray[np.int64]], NDArray[np.float32]]:
        def read(batch: NDArray[np.int64]) -> NDArray[np.float32]:
            found = self._engine.last(padded([ids[i] for i in batch]), lengths[batch], int(boundaries[batch[0]]))
            return self.head(pool(found, lengths[batch], ["mean" if self.head.mean else "cls"]))  # (m, labels)

        return read

    def _tokens(
        self, pairs: list[tuple[str, str]], report: EncodeReport | None
    ) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
        """Return the ids of each pair, and where its second text begins."""
        whole = [(_text(query), _text(document)) for query, document in pairs]
        found = self.tokenizer.tokenizer.encode_batch(whole)
        full = np.array([len(encoding.ids) for encoding in found], np.int64)
        for i in np.flatnonzero(full > self.window):
            found[i] = self._cutting.encode(*whole[i])
        ids = [np.array(encoding.ids, np.int64) for encoding in found]
        kept = np.array([len(one) for one in ids], np.int64)
        if report is not None:
            lost = full - kept
            report.add(
                texts=len(ids), tokens=int(full.sum()), cut=int((lost > 0).sum()), lost=int(lost.sum()),
                window=self.window,
            )  # fmt: skip
        types = [np.array(encoding.type_ids, np.int64) * self._typed for encoding in found]
        return ids, np.array([int(one.argmax()) if one.any() else len(one) for one in types], np.int64)


def _text(text: str) -> str:
    """Return a text without halves of surrogate pairs, which are no characters."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _typed(said: Mapping[str, Any], model_type: str) -> bool:
    """Say whether the tokenizer tells the model which tokens are the second text's, as transformers 5 decides it."""
    names, kind = said.get("model_input_names"), str(said.get("tokenizer_class") or "")
    if names is not None:
        return "token_type_ids" in names
    if kind in ("PreTrainedTokenizerFast", "TokenizersBackend"):
        return False
    return kind.startswith(_TYPED_TOKENIZERS) if kind else model_type in ("bert", "electra", "albert")


def _activation(folder: Path, config: Mapping[str, Any], labels: int) -> str:
    """Return the name of the function behind the logits, from any generation's file."""
    card = read_json(folder / "config_sentence_transformers.json")
    older = (config.get("sentence_transformers") or {}).get("activation_fn")
    named = card.get("activation_fn") or older or config.get("sbert_ce_default_activation_function")
    if named is None:
        return "Sigmoid" if labels == 1 else "Identity"
    short = str(named).rpartition(".")[2]
    if not str(named).startswith("torch.") or short not in ACTIVATIONS:
        raise UnsupportedModelError(
            f"the activation function {named} is not supported", f"the files of {folder.name} name it",
            f"known: {', '.join(sorted(ACTIVATIONS))}, of torch.nn",
        )  # fmt: skip
    return short
