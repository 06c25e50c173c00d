"""Search by a model that writes the name of the document: the model is the index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from isogloss.errors import UsageError
from isogloss.generation.constraints import Trie
from isogloss.generation.decoding import StepModel, Written, beams
from isogloss.index.record_filter import RecordFilter
from isogloss.protocols import Record


@dataclass(frozen=True, slots=True)
class NamedHit:
    """A document that a model named.

    Attributes
    ----------
    document
        Its id.
    score
        Log-probability of its name, in nats.
    rank
        1 for the best.
    title
        Its title, or an empty string.
    """

    document: str
    score: float
    rank: int
    title: str = ""


@dataclass(frozen=True, slots=True)
class NamedDocuments:
    """The answer to one text.

    Attributes
    ----------
    query
        The text.
    hits
        At most ``k`` documents, best first.
    invalid
        Names that the model wrote and no document has; always 0 where decoding is constrained.
    """

    query: str
    hits: list[NamedHit] = field(default_factory=list)
    invalid: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain data."""
        return asdict(self)


class GenerativeSearcher:
    """Answers a text with the documents whose names a sequence-to-sequence model writes.

    Tay et al. 2022, "Transformer Memory as a Differentiable Search Index" (https://arxiv.org/abs/2202.06991); names are
    written by a beam search that may write names of documents only.

    Parameters
    ----------
    model
        Writes tokens of names, such as a :class:`~isogloss.nn.seq2seq.Seq2Seq`.
    read
        From texts to what the model's ``begin`` takes.
    documents
        With ids; the texts are not looked at, since the model has to know them.
    names
        Token sequence of each document; none begins another one (``isogloss.transforms.document_ids``).
    width
        Of the beam, at full effort; at least ``k`` are followed.
    constrained
        False lets the model write anything: names of no document are counted and left out.
    batch_size
        Texts read at once.

    Raises
    ------
    UsageError
        Where documents and names are not equally many, or names cannot be told apart.

    Examples
    --------
    With a trained model and a template to token ids::

        searcher = GenerativeSearcher(model, lambda texts: pack(prompt(query=texts)), records, names)
        searcher.search("who wrote the ninth symphony", k=3).hits[0].document
    """

    def __init__(
        self, model: StepModel, read: Callable[[Sequence[str]], Any], documents: Sequence[Record],
        names: Sequence[Sequence[int]], *, width: int = 20, constrained: bool = True, batch_size: int = 64,
    ) -> None:  # fmt: skip
        if len(documents) != len(names):
            raise UsageError("each document needs one name", f"{len(documents)} documents, {len(names)} names")
        if width < 1 or batch_size < 1:
            raise UsageError("nothing can be searched", f"a beam of {width}, {batch_size} texts at once")
        self.model, self.read, self.documents = model, read, list(documents)
        self.width, self.constrained, self.batch_size = width, constrained, batch_size
        self.trie: Trie = Trie(names)
        self.longest: int = max(len(name) for name in self.trie.sequences)
        self._filter = RecordFilter(self.documents)

    def search(self, texts: str | Sequence[str], k: int = 10, where: str | None = None, effort: float = 1.0) -> Any:
        """Return the best ``k`` documents for each text: one answer for a string, a list for several.

        Parameters
        ----------
        texts
            One or several.
        k
            Most documents of an answer.
        where
            A filter (``isogloss.index.filters``) over ids, titles, paths and metadata; it acts before ``k``.
        effort
            Share of the beam's width that is used, at least ``k``.

        Raises
        ------
        UsageError
            Where ``k`` is negative or the effort is not above 0 and at most 1.
        FilterError
            Where the filter cannot be read.
        """
        if k < 0 or not 0 < effort <= 1:
            raise UsageError(
                "this cannot be searched", f"k is {k}, effort is {effort}", "take k >= 0 and 0 < effort <= 1"
            )
        asked = [texts] if isinstance(texts, str) else list(texts)
        chosen = None if where is None else self._filter.matching(where)
        width = max(k, round(self.width * effort), 1)
        answers: list[NamedDocuments] = []
        for start in range(0, len(asked), self.batch_size):
            answers += self._some(asked[start : start + self.batch_size], k, width, chosen)
        return answers[0] if isinstance(texts, str) else answers

    def _some(self, texts: list[str], k: int, width: int, chosen: list[int] | None) -> list[NamedDocuments]:
        if not k or chosen == []:
            return [NamedDocuments(text) for text in texts]
        trie = self.trie if chosen is None else Trie([self.trie.sequences[number] for number in chosen])
        constraint = trie if self.constrained else None
        written = beams(self.model, self.read(texts), width=width, longest=self.longest, constraint=constraint)
        return [self._answer(text, found, trie, chosen, k) for text, found in zip(texts, written, strict=True)]

    def _answer(self, text: str, found: list[Written], trie: Trie, chosen: list[int] | None, k: int) -> NamedDocuments:
        numbers = [(trie.find(one.tokens), one.score) for one in found]
        named = [(number if chosen is None else chosen[number], score) for number, score in numbers if number >= 0]
        hits = [
            NamedHit(self.documents[number].id, score, rank, self.documents[number].title)
            for rank, (number, score) in enumerate(named[:k], 1)
        ]
        return NamedDocuments(text, hits, sum(number < 0 for number, _ in numbers))
