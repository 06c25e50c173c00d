"""A masked language model that is also an encoder: sentence vectors from its states, nats of tokens that are hidden."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from isogloss.encoders.tokenizer_file import TokenizerFile
from isogloss.errors import UsageError
from isogloss.nn.heads import TokenPredictor
from isogloss.nn.packing import Packed, pack
from isogloss.nn.sentence import SentenceModel
from isogloss.objectives.token_targets import IGNORED
from isogloss.seeding import generator
from isogloss.training.corpus_batches import Hiding
from isogloss.training.language_model import alike
from isogloss.training.trained_encoder import TrainedEncoder

Ids = NDArray[np.int64]
MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def hiding(tokenizer: object, *, share: float = 0.15, only_masks: bool = False) -> Hiding:
    """Return BERT's way of hiding tokens (https://arxiv.org/abs/1810.04805) for a tokenizer with BERT's marks.

    Parameters
    ----------
    tokenizer
        A ``tokenizers.Tokenizer``.
    share
        Share of the tokens that is hidden.
    only_masks
        Put a mask for every hidden token, as a test does; else 80 % masks, 10 % random and 10 % unchanged tokens.

    Raises
    ------
    UsageError
        Where it has no mask.

    Examples
    --------
    >>> from tokenizers import Tokenizer, models
    >>> hiding(Tokenizer(models.WordLevel({"[MASK]": 0, "a": 1}, unk_token="a"))).mask
    0
    """
    numbers = {mark: tokenizer.token_to_id(mark) for mark in MARKS}  # type: ignore[attr-defined]
    if numbers["[MASK]"] is None:
        raise UsageError("this tokenizer cannot hide tokens", "it has no [MASK]", "train a causal model with it")
    special = tuple(number for number in numbers.values() if number is not None)
    size: int = tokenizer.get_vocab_size()  # type: ignore[attr-defined]
    masked, random = (1.0, 0.0) if only_masks else (0.8, 0.1)
    return Hiding(
        mask=numbers["[MASK]"], vocabulary=size, special=special, share=share, masked=masked, random=random
    )  # fmt: skip


class MaskedModel(TrainedEncoder):
    """A body with its masked-language-model head, as an encoder (mean of the last states) and a language model.

    ``partial`` says that ``nll`` predicts a part of each text only. ``predictor`` and ``model`` share the body.

    Parameters
    ----------
    predictor
        Body and :class:`~isogloss.nn.heads.MaskedHead`.
    tokenizer
        Cuts texts at the model's window.
    name
        Of the model.
    """

    partial = True

    def __init__(self, predictor: TokenPredictor, tokenizer: TokenizerFile, *, name: str = "masked-model") -> None:
        super().__init__(SentenceModel(predictor.body), tokenizer, name=name)  # type: ignore[arg-type]
        self.predictor = predictor.eval()
        self.hiding = hiding(tokenizer.tokenizer, only_masks=True)

    def nll(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the nats of the hidden tokens of each text and the bytes that they stand for, ``(n,)`` each.

        Every 15 % of a window's tokens are hidden at once, chosen by the text alone: models with one tokenizer predict
        the same tokens. Nats of this kind are not those of a causal model.
        """
        texts = list(texts)
        rows, sizes, owners = self.windows(texts)
        nats, covered = np.zeros(len(texts)), np.zeros(len(texts), np.int64)
        for batch in alike([len(row) for row in rows]):
            true = pack([rows[i] for i in batch])
            hidden, targets = self.hidden([rows[i] for i in batch], [texts[owners[i]] for i in batch])
            judged = targets != IGNORED  # (T,)
            losses = self._losses(Packed(hidden, true.offsets), targets, judged)  # (m,)
            owner = np.repeat(owners[batch], true.lengths.numpy())[judged.numpy()]
            np.add.at(nats, owner, losses)
            np.add.at(covered, owner, np.concatenate([sizes[i] for i in batch])[judged.numpy()])
        return nats, covered

    def windows(self, texts: list[str]) -> tuple[list[Ids], list[Ids], Ids]:
        """Return tokens and bytes of each window with its marks, and the number of its text."""
        first, last = self.tokenizer.before, self.tokenizer.after
        room = self.window - first - last
        around = np.array(self.tokenizer.tokenizer.encode("").ids, np.int64)
        rows, sizes, owners = [], [], []
        encodings = self.tokenizer.tokenizer.encode_batch(texts, add_special_tokens=False)
        for number, (encoding, text) in enumerate(zip(encodings, texts, strict=True)):
            ids = np.array(encoding.ids, np.int64)
            size = np.array([len(text[a:b].encode("utf-8", "surrogatepass")) for a, b in encoding.offsets], np.int64)
            for start in range(0, len(ids), room):
                part = slice(start, start + room)
                rows.append(np.concatenate([around[:first], ids[part], around[first:]]))
                sizes.append(np.pad(size[part], (first, last)))
                owners.append(number)
        return rows, sizes, np.array(owners, np.int64)

    def hidden(self, rows: list[Ids], texts: list[str]) -> tuple[Tensor, Tensor]:
        """Return tokens with masks and targets, ``(T,)`` each; each window's draw follows from its text and tokens."""
        parts = []
        for row, text in zip(rows, texts, strict=True):
            seed = hashlib.blake2b(text.encode("utf-8", "surrogatepass") + row.tobytes(), digest_size=4).digest()
            draw = generator(int.from_bytes(seed, "little"), "hidden")
            parts.append(self.hiding(row, np.array([0, len(row)], np.int64), draw))
        ids, targets = (np.concatenate(one) for one in zip(*parts, strict=True))
        return torch.from_numpy(ids), torch.from_numpy(targets)

    def _losses(self, packed: Packed, targets: Tensor, judged: Tensor) -> NDArray[np.float64]:
        training = self.predictor.training
        self.predictor.eval()
        try:
            with torch.no_grad():
                logits = self.predictor(packed, judged).float()  # (m, V)
                losses = functional.cross_entropy(logits, targets[judged], reduction="none")  # (m,)
        finally:
            self.predictor.train(training)
        self._charge(1, len(packed.ids))
        return losses.double().numpy()


def parameters_of(module: nn.Module) -> int:
    """Return the number of weights of a module.

    Examples
    --------
    >>> parameters_of(nn.Linear(2, 3))
    9
    """
    return sum(one.numel() for one in module.parameters())
