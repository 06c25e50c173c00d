"""What stands around a text when a causal language model reads it: copies, one-word prompts, examples, brackets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isogloss.errors import UsageError

_TEXT = "{text}"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What stands before, between and after the copies of a text; braces in it mean nothing.

    Attributes
    ----------
    pieces
        One more than there are copies of the text; any may be empty.

    Raises
    ------
    UsageError
        Where there is no place for the text.

    Examples
    --------
    >>> Prompt(("{", "}")).filled("a text"), Prompt.of("{text}, again: {text}").copies
    ('{a text}', 2)
    """

    pieces: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.pieces) < 2:
            raise UsageError("a prompt needs the text", f"{self.pieces} is one piece", f"put {_TEXT} where it stands")

    @classmethod
    def of(cls, template: str) -> Prompt:
        """Return the prompt of a template with ``{text}`` wherever the text stands."""
        return cls(tuple(template.split(_TEXT)))

    @property
    def copies(self) -> int:
        """How often the text stands in it."""
        return len(self.pieces) - 1

    def filled(self, text: str) -> str:
        """Return the prompt with a text in it."""
        return text.join(self.pieces)

    def behind(self, examples: Sequence[tuple[str, str]], *, close: str = "", between: str = "\n") -> Prompt:
        """Return the prompt behind examples in context: the same prompt with other texts, each with its answer.

        Brown et al. 2020, "Language Models are Few-Shot Learners" (https://arxiv.org/abs/2005.14165); for embeddings
        Jiang et al. 2024 (https://arxiv.org/abs/2307.16645) and Li et al. 2024 (https://arxiv.org/abs/2409.15700).

        Parameters
        ----------
        examples
            Text and answer.
        close
            What ends an answer, such as a quotation mark that the prompt has opened.
        between
            What stands after each example.

        Examples
        --------
        >>> Prompt.of('"{text}" is "').behind([("A dog barks.", "dog")], close='"', between=" ").filled("Rain.")
        '"A dog barks." is "dog" "Rain." is "'
        """
        shown = "".join(f"{self.filled(text)}{answer}{close}{between}" for text, answer in examples)
        return Prompt((shown + self.pieces[0], *self.pieces[1:]))


PLAIN = Prompt.of("{text}")
"""The text alone."""
TWICE = Prompt.of("{text} {text}")
"""The text twice: the tokens of the second copy have seen all of it. Springer et al. 2024, "Repetition Improves
Language Model Embeddings" (https://arxiv.org/abs/2402.15449)."""
REWRITTEN = Prompt.of("Rewrite the sentence: {text}, rewritten sentence: {text}")
"""The same for models that follow instructions; so the paper asks."""
QUERY_BRACKETS, DOCUMENT_BRACKETS = Prompt(("[", "]")), Prompt(("{", "}"))
"""Marks that part queries from documents in one model: Muennighoff 2022, "SGPT" (https://arxiv.org/abs/2202.08904)."""
ONE_WORD = Prompt.of('This sentence : "{text}" means in one word:"')
"""PromptEOL, Jiang et al. 2024, "Scaling Sentence Embeddings with Large Language Models"
(https://arxiv.org/abs/2307.16645)."""
RETRIEVAL_WORD = Prompt.of(
    'Passage: "{text}". One word in lower case by which this passage would be found in a search. The word is: "'
)
"""The next word as a key word: after Zhuang et al. 2024, "PromptReps" (https://arxiv.org/abs/2404.18424)."""

META_TASKS: dict[str, tuple[Prompt, ...]] = {
    "classification": (
        Prompt.of('Task: say what a text is about. Text: "{text}" Its topic in one word:"'),
        Prompt.of('Task: sort texts by kind. This text : "{text}" is of the kind, in one word:"'),
    ),
    "sentiment": (
        Prompt.of('Task: say how the writer feels. Text: "{text}" The feeling in one word:"'),
        Prompt.of('Task: tell praise from blame. This text : "{text}" judges, in one word:"'),
    ),
    "paraphrase": (
        Prompt.of('Task: say the same in other words. This sentence : "{text}" means in one word:"'),
        Prompt.of('Task: find sentences of equal meaning. Sentence: "{text}" Its meaning in one word:"'),
    ),
    "extraction": (
        Prompt.of('Task: find who or what a text names. Text: "{text}" What it names, in one word:"'),
        Prompt.of('Task: find the fact in a sentence. This sentence : "{text}" tells, in one word:"'),
    ),
}
"""One-word prompts from several points of view, to be averaged: Lei et al. 2024, "Meta-Task Prompting Elicits
Embeddings from Large Language Models" (https://arxiv.org/abs/2402.18458). The tasks are the paper's, the words ours."""


def all_prompts(tasks: dict[str, tuple[Prompt, ...]] | None = None) -> tuple[Prompt, ...]:
    """Return the prompts of all tasks, by default of ``META_TASKS``, in order.

    Examples
    --------
    >>> len(all_prompts())
    8
    """
    return tuple(prompt for prompts in (META_TASKS if tasks is None else tasks).values() for prompt in prompts)
