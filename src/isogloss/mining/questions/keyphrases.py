"""The phrases that set a document apart, typed one after the other as people type them into a search box."""

from __future__ import annotations

from isogloss.mining.questions.draft import Draft, Page
from isogloss.mining.questions.vocabulary import Vocabulary

LONGEST, PHRASES = 3, 3
_FEWEST = 2


def keyphrase_questions(page: Page, vocabulary: Vocabulary) -> list[Draft]:
    """Ask with the best phrases of each sentence that has several, the sentence itself cut out.

    A phrase is a run of up to three neighbouring words that say something. Its score is the rarity of its words, each
    times the root of how many of the document's sentences have it, so that a phrase is about the document and not
    about one sentence (in the spirit of Campos and others, "YAKE! Keyword extraction from single documents using
    multiple local features", 2020, https://doi.org/10.1016/j.ins.2019.09.013).
    """
    spread: dict[str, int] = {}
    for words in page.words:
        for word in words:
            spread[word] = spread.get(word, 0) + 1
    found = []
    for number, span in enumerate(page.spans):
        if len(page.words[number]) < 2 * _FEWEST:
            continue
        phrases = _phrases(page.sentence(number), vocabulary)
        ranked = sorted(phrases, key=lambda phrase: -_score(phrase[1], spread, vocabulary))
        chosen: list[tuple[str, list[str]]] = []
        for text, words in ranked:
            if not any(set(words) & set(other) for _, other in chosen):
                chosen.append((text, words))
            if len(chosen) == PHRASES:
                break
        if sum(len(words) for _, words in chosen) >= _FEWEST:
            found.append(Draft(" ".join(text for text, _ in chosen), "keyphrase", span, (span,)))
    return found


def _score(words: list[str], spread: dict[str, int], vocabulary: Vocabulary) -> float:
    return float(sum(vocabulary.rarity(word) * spread.get(word, 0) ** 0.5 for word in words) / len(words) ** 0.5)


def _phrases(sentence: str, vocabulary: Vocabulary) -> list[tuple[str, list[str]]]:
    """Return the runs of one to three neighbouring words that say something, each with its normalised words."""
    found = []
    words = vocabulary.rules.words(sentence)
    for first in range(len(words)):
        run: list[str] = []
        for word, start, end in words[first : first + LONGEST]:
            apart = run and sentence[words[first + len(run) - 1][2] : start].strip(" -")
            if apart or not vocabulary.says_something(word):
                break
            run.append(word)
            found.append((sentence[words[first][1] : end], list(run)))
    return found
