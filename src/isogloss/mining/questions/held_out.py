"""A sentence as a question for the rest of its document, from which it is removed (the inverse cloze task).

Lee, Chang and Toutanova, "Latent Retrieval for Weakly Supervised Open Domain Question Answering" (2019),
https://arxiv.org/abs/1906.00300, train with such pairs; here they measure.
"""

from __future__ import annotations

from isogloss.mining.questions.draft import Draft, Page, repeats
from isogloss.mining.questions.vocabulary import Vocabulary

FEWEST, MOST = 4, 25
"""Words that say something which a sentence must have, and may have."""


def sentence_questions(page: Page, vocabulary: Vocabulary) -> list[Draft]:
    """Ask with each sentence that has four to 25 words that say something; it and its repetitions are cut out.

    Examples
    --------
    >>> from isogloss.mining.questions.draft import read_page
    >>> from isogloss.protocols import Record
    >>> record = Record("a", "Composite slabs conduct heat badly. They are light.")
    >>> vocabulary = Vocabulary([record.text, "Something else."])
    >>> [draft.text for draft in sentence_questions(read_page(record, vocabulary), vocabulary)]
    ['Composite slabs conduct heat badly.']
    """
    found = []
    for number, (span, words) in enumerate(zip(page.spans, page.words, strict=True)):
        if FEWEST <= len(words) <= MOST:
            cuts = {span, *repeats(page, words)}
            found.append(Draft(page.sentence(number), "sentence", span, tuple(sorted(cuts))))
    return found
