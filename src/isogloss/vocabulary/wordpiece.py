"""Byte-level WordPiece after BERT's rules: token numbers, counts and pooled vectors of texts, fast and exact."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache, cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Ragged, charge
from isogloss.compiled import numba_available, numba_loaded
from isogloss.errors import ModelError
from isogloss.vocabulary.buffers import SURROGATES, blocks, flat, fnv1a, offsets_of, ragged, share_out, shares, utf8
from isogloss.vocabulary.pooling import pool_plain
from isogloss.vocabulary.wordpiece_kernel import LONGEST_WORD, Pooling, Tables, Work

_BULK = 1_000_000
"""Characters; beyond so many, in one call or in all, importing Numba pays off (the plain path takes about 0.7 s)."""
_CACHED_WORDS = 60_000
_ASCII_WORDS = re.compile(r"[0-9a-z]+|[!-/:-@\[-`{-~]")
_ASCII_DROPPED = {i: None for i in [*range(9), 11, 12, *range(14, 32), 127]}
ADDED = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class WordPiece:
    """BERT's uncased WordPiece: cleaned, lower-cased, accents stripped, cut at blanks, punctuation and CJK characters.

    Gives exactly the tokens of the ``tokenizers`` package with ``BertNormalizer``, ``BertPreTokenizer`` and
    ``WordPiece``, without truncation, padding or special tokens around a text (one written out in a text, such as
    ``[SEP]``, is that token, as there). Half of a surrogate pair, which ``tokenizers`` refuses, is dropped.

    Small ASCII inputs are cut in plain Python, which imports nothing; bulk by a Numba kernel over UTF-8 bytes;
    all else, and everything without Numba, by ``tokenizers``. All three agree.

    Source: Wu et al. 2016, "Google's Neural Machine Translation System" (https://arxiv.org/abs/1609.08144), section 4.1
    as in Devlin et al. 2019, "BERT" (https://arxiv.org/abs/1810.04805).

    Parameters
    ----------
    tokens
        The vocabulary; a token's number is its position. Tokens that continue a word begin with ``##``.

    Raises
    ------
    ModelError
        Where ``[UNK]`` is missing or a token occurs twice.

    Examples
    --------
    >>> pieces = WordPiece(["[UNK]", "snow", "##man", "!"])
    >>> [row.tolist() for row in pieces.ids(["Snowman!", "Schnee"])]
    [[1, 2, 3], [0]]
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens: tuple[str, ...] = tuple(tokens)
        self.numbers: dict[str, int] = dict(zip(self.tokens, range(len(self.tokens)), strict=True))
        if "[UNK]" not in self.numbers or len(self.numbers) != len(self.tokens):
            raise ModelError(
                "the vocabulary cannot be used",
                "[UNK] is missing" if "[UNK]" not in self.numbers else "a token occurs twice",
                "give the vocabulary of an uncased BERT model",
            )
        self.unknown: int = self.numbers["[UNK]"]
        self.added: tuple[str, ...] = tuple(token for token in ADDED if token in self.numbers)
        self._words: dict[str, tuple[int, ...]] = {}
        self._slow_characters = 0

    @classmethod
    def load(cls, path: str | Path) -> WordPiece:
        """Read a ``vocab.txt`` (one token a line), a ``tokenizer.json``, or a folder that has one of them.

        Raises
        ------
        ModelError
            Where neither is there, or the tokenizer is not BERT's uncased one; the message says what differs.
        """
        path = Path(path)
        if path.is_dir():
            path = next((path / n for n in ("tokenizer.json", "vocab.txt") if (path / n).is_file()), path / "vocab.txt")
        if not path.is_file():
            raise ModelError("there is no vocabulary", f"{path} does not exist", "give a vocab.txt or tokenizer.json")
        content = path.read_text(encoding="utf-8")
        if path.suffix != ".json":
            return cls(content.rstrip("\n").split("\n"))
        return cls.from_plan(json.loads(content), str(path))

    @classmethod
    def from_plan(cls, plan: dict[str, Any], path: str = "the tokenizer") -> WordPiece:
        """Take the content of a ``tokenizer.json``; errors as in :meth:`load`."""
        if reason := unlike_bert(plan):
            raise ModelError(f"{path} is not an uncased BERT WordPiece", reason, "use it through tokenizers instead")
        vocab: dict[str, int] = plan["model"]["vocab"]
        tokens, numbers = list(vocab), list(vocab.values())
        if numbers != list(range(len(numbers))):
            tokens = sorted(vocab, key=vocab.__getitem__)
        if sorted(numbers) != list(range(len(numbers))):
            raise ModelError(
                f"{path} has gaps or repetitions in its numbering", f"{len(tokens):,} tokens", "renumber the vocabulary"
            )
        return cls(tokens)

    def to_json(self) -> str:
        """Return the text of a ``tokenizer.json`` for the ``tokenizers`` package."""
        plan = json.loads(self.tokenizer.to_str())
        return json.dumps(plan, ensure_ascii=False, separators=(",", ":"))

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def identity(self) -> str:
        """Hash of the rules and the vocabulary."""
        return hashlib.sha256(("wordpiece bert uncased 100\n" + "\n".join(self.tokens)).encode()).hexdigest()

    @cached_property
    def tokenizer(self) -> Any:
        """The same tokenizer as an object of the ``tokenizers`` package."""
        from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

        model = models.WordPiece(self.numbers, unk_token="[UNK]", max_input_chars_per_word=LONGEST_WORD)
        tokenizer = Tokenizer(model)
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in self.added])
        return tokenizer

    def ids(self, texts: Sequence[str], *, threads: int = 1) -> Ragged:
        """Return the token numbers of each text: ``values (T,)`` int32 and ``offsets (n + 1,)``."""
        if not self._worth_compiling(texts):
            return ragged(self._plain(texts))
        parts: list[Ragged] = []
        for block in blocks(texts):
            parts.append(self._compiled_ids(block, threads))
        lengths = np.concatenate([np.diff(part.offsets) for part in parts])
        return Ragged(np.concatenate([part.values for part in parts]), offsets_of(lengths))

    def counts(self, texts: Sequence[str], *, threads: int = 1) -> NDArray[np.int64]:
        """Return the number of tokens of each text, ``(n,)`` int64."""
        return np.diff(self.ids(texts, threads=threads).offsets)

    def pool(
        self,
        texts: Sequence[str],
        pooling: Pooling,
        *,
        threads: int = 1,
    ) -> tuple[Dense, NDArray[np.int64]]:
        """Return each text's pooled token vectors ``(n, d)`` float32, and its number of tokens ``(n,)``.

        Parameters
        ----------
        texts
            The texts.
        pooling
            Token vectors, weights and how a text's sum is finished (``pooling_of``). A text without tokens has a
            vector of zeros.
        threads
            Threads that share the work of the kernel.
        """
        rows = pooling.rows
        if not self._worth_compiling(texts):
            tokens = ragged(self._plain(texts))
            vectors, counts = pool_plain(tokens, pooling), np.diff(tokens.offsets)
        else:
            vectors, counts = np.zeros((len(texts), rows.shape[1]), np.float32), np.empty(len(texts), np.int64)
            first = 0
            for block in blocks(texts):
                last = first + len(block)
                self._compiled_pool(block, pooling, threads, vectors[first:last], counts[first:last])
                first = last
        charge(multiply_adds=int(counts.sum()) * rows.shape[1], random_reads=int(counts.sum()))
        return vectors, counts

    def _worth_compiling(self, texts: Sequence[str]) -> bool:
        """Say whether the kernel should take these texts: always once Numba is loaded, else for bulk only."""
        if not numba_available() or not texts:
            return False
        if numba_loaded():
            return True
        size = sum(map(len, texts))
        self._slow_characters += size
        return self._slow_characters > _BULK

    def _plain(self, texts: Sequence[str]) -> list[Sequence[int]]:
        """Token numbers without Numba: plain Python for a few ASCII texts, else ``tokenizers``."""
        small = len(texts) <= 64
        return [self._ascii(t) for t in texts] if small and all(map(self._simple, texts)) else self._exact(texts)

    def _simple(self, text: str) -> bool:
        return (
            text.isascii() and len(text) <= 20_000 and not ("[" in text and any(token in text for token in self.added))
        )

    def _exact(self, texts: Sequence[str]) -> list[Sequence[int]]:
        clean = [SURROGATES.sub("", text) for text in texts]
        batch = self.tokenizer.encode_batch_fast(clean, add_special_tokens=False)
        return [encoding.ids for encoding in batch]

    def _ascii(self, text: str) -> list[int]:
        """Cut an ASCII text without added tokens; words are remembered."""
        words = _ASCII_WORDS.findall(text.translate(_ASCII_DROPPED).lower())
        known = self._words
        for word in set(words).difference(known):
            if len(known) >= _CACHED_WORDS:
                known.clear()
                return self._ascii(text)
            known[word] = self._pieces(word)
        return list(chain.from_iterable(map(known.__getitem__, words)))

    def _pieces(self, word: str) -> tuple[int, ...]:
        """Cut one normalised word: the longest piece of the vocabulary from the left, again and again."""
        if len(word) > LONGEST_WORD:
            return (self.unknown,)
        found: list[int] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            for stop in range(len(word), start, -1):
                number = self.numbers.get(prefix + word[start:stop])
                if number is not None:
                    break
            else:
                return (self.unknown,)
            found.append(number)
            start = stop
        return tuple(found)

    @cached_property
    def _characters(self) -> Any:
        from isogloss.vocabulary.characters import CharacterTable

        return CharacterTable(self.tokenizer)

    @cached_property
    def _hash(self) -> tuple[Any, ...]:
        """The vocabulary's part of ``Tables``."""
        first = [(n, t.encode()) for t, n in self.numbers.items() if not t.startswith("##") or t == "##"]
        later = [(n, t[2:].encode()) for t, n in self.numbers.items() if t.startswith("##") and t != "##"]
        half = 1 << max(4, (2 * max(len(first), len(later))).bit_length())
        slots = np.zeros(2 * half, np.uint64)
        raw: list[bytes] = [b""] * len(self.tokens)
        for base, group in ((0, first), (half, later)):
            for number, token in group:
                raw[number], key = token, fnv1a(token)
                place = (key ^ key >> 32) & (half - 1)
                while slots[base + place]:
                    place = (place + 1) & (half - 1)
                slots[base + place] = key >> 32 << 32 | number + 1
        return slots, *flat(raw), max(map(len, raw))

    def _tables(self, text: NDArray[np.uint8], ascii_only: bool) -> Tables:
        from isogloss.vocabulary.wordpiece_kernel import pages_used

        characters = self._characters
        if not ascii_only:
            used = np.zeros(len(characters.pages), np.bool_)
            pages_used(text, used)
            characters.fill(np.flatnonzero(used))
        added = flat([token.encode() for token in self.added])
        numbers = np.array([self.numbers[token] for token in self.added], np.int32)
        table = (characters.pages, characters.starts, characters.lengths, characters.pool)
        parts: tuple[Any, ...] = (*self._hash, self.unknown, *table, *added, numbers)
        return Tables(*parts)

    def _compiled_ids(self, texts: Sequence[str], threads: int) -> Ragged:
        from isogloss.vocabulary.wordpiece_kernel import token_texts

        text, offsets, ascii_only = utf8(texts)
        tables = self._tables(text, ascii_only)
        ids, ends = np.empty(len(text) + 1, np.int32), np.empty(len(texts), np.int64)
        share_out(threads, offsets, lambda a, b: token_texts(tables, text, offsets, a, b, Work.room(), ids, ends))
        odd = np.flatnonzero(ends < 0)
        replaced = (
            dict(zip(odd.tolist(), self._exact([texts[i] for i in odd.tolist()]), strict=True)) if len(odd) else {}
        )
        parts = []
        for a, b in shares(threads, offsets):
            at = int(offsets[a])
            if not replaced:
                parts.append(ids[at : at + int(ends[a:b].sum())])
                continue
            for i in range(a, b):
                size = max(0, int(ends[i]))
                parts.append(np.array(replaced[i], np.int32) if i in replaced else ids[at : at + size])
                at += size
        for i, tokens in replaced.items():
            ends[i] = len(tokens)
        return Ragged(np.concatenate(parts) if parts else ids[:0], offsets_of(ends))

    def _compiled_pool(
        self, texts: Sequence[str], pooling: Pooling, threads: int, vectors: Dense, ends: NDArray[np.int64]
    ) -> None:
        """Write pooled vectors and numbers of tokens into ``vectors`` (zeros) and ``ends``."""
        from isogloss.vocabulary.wordpiece_kernel import pool_texts

        text, offsets, ascii_only = utf8(texts)
        tables, room = self._tables(text, ascii_only), int(np.diff(offsets).max(initial=0))

        def work(a: int, b: int) -> None:
            pool_texts(tables, text, offsets, a, b, Work.room(room, vectors.shape[1]), pooling, vectors, ends)

        share_out(threads, offsets, work)
        odd = np.flatnonzero(ends < 0)
        if len(odd):
            tokens = ragged(self._exact([texts[i] for i in odd.tolist()]))
            vectors[odd], ends[odd] = pool_plain(tokens, pooling), np.diff(tokens.offsets)


@cache
def bundled() -> WordPiece:
    """Return the bundled vocabulary: BERT's uncased one without the tokens that no text can give (about 29,000).

    Chunk budgets are counted with it. It cuts every text as all-MiniLM-L6-v2's own tokenizer does.
    """
    folder = Path(__file__).resolve().parents[1] / "encoders" / "assets" / "isogloss-static"
    return WordPiece.load(folder / "tokenizer.json")


def unlike_bert(plan: dict[str, Any]) -> str:
    """Say in what a ``tokenizer.json`` differs from BERT's uncased WordPiece; an empty string where in nothing."""
    normalizer, splitter, model = plan.get("normalizer") or {}, plan.get("pre_tokenizer") or {}, plan.get("model") or {}
    wanted = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "lowercase": True}
    checks: list[tuple[str, Any, Any]] = [
        ("model", model.get("type", "WordPiece"), "WordPiece"),
        ("unknown token", model.get("unk_token"), "[UNK]"),
        ("continuation prefix", model.get("continuing_subword_prefix"), "##"),
        ("longest word", model.get("max_input_chars_per_word"), LONGEST_WORD),
        ("normalizer", {name: normalizer.get(name) for name in wanted}, wanted),
        ("accents stripped", normalizer.get("strip_accents") is not False, True),
        ("pre-tokenizer", splitter.get("type"), "BertPreTokenizer"),
    ]
    for token in plan.get("added_tokens") or []:
        plain = not (token.get("single_word") or token.get("lstrip") or token.get("rstrip") or token.get("normalized"))
        checks.append((f"added token {token['content']}", plain and token["content"] in ADDED, True))
    return "; ".join(f"{name}: {found} (expected {expected})" for name, found, expected in checks if found != expected)
