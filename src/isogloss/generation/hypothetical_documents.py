"""Writers of documents that could answer a question: a chat server that the user names, or a model in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol

from isogloss.errors import UsageError
from isogloss.generation.endpoint import open_chat
from isogloss.seeding import derive

PROMPT = "Write a short passage, such as an encyclopaedia could hold, that answers this question.\n\n{question}"
"""What a server is asked; the paper's instructions name the kind of document that is searched."""


@dataclass(frozen=True, slots=True)
class AskedWriter:
    """A writer that asks a function for each document, such as a chat server.

    Attributes
    ----------
    ask
        From a prompt to a text, at a temperature above 0 where more than one document is wanted.
    identity
        Names the model and its settings.
    prompt
        With ``{question}`` in it.
    threads
        Requests under way at once.

    Examples
    --------
    >>> writer = AskedWriter(str.upper, identity="upper", prompt="on {question}")
    >>> writer(["cranes", "kites"], 2)
    [['ON CRANES', 'ON CRANES'], ['ON KITES', 'ON KITES']]
    """

    ask: Callable[[str], str]
    identity: str
    prompt: str = PROMPT
    threads: int = 4

    def __post_init__(self) -> None:
        _with_place(self.prompt)

    def __call__(self, questions: Sequence[str], count: int) -> list[list[str]]:
        """Return ``count`` answers for each question; an error of the function stops it."""
        prompts = [self.prompt.replace("{question}", question) for question in questions for _ in range(count)]
        with ThreadPoolExecutor(self.threads) as pool:
            answers = list(pool.map(self.ask, prompts))
        return [answers[start : start + count] for start in range(0, len(answers), count)]


def chat_writer(
    url: str, *, model: str, prompt: str = PROMPT, temperature: float = 0.7, longest: int = 200,
    key: str | None = None, threads: int = 4,
) -> AskedWriter:  # fmt: skip
    """Return a writer that asks the chat server at ``url``; nothing is sent before a query is encoded.

    Parameters
    ----------
    url, model, key
        As of :func:`~isogloss.generation.endpoint.open_chat`.
    prompt
        With ``{question}`` in it: say what kind of document is searched.
    temperature
        Of the draws (.7, as in the paper).
    longest
        Tokens of a document.
    threads
        Requests under way at once.

    Examples
    --------
    >>> writer = chat_writer("http://127.0.0.1:8000/v1", model="small", key="")
    >>> writer.ask.temperature
    0.7
    """
    chat = replace(open_chat(url, model=model, key=key), temperature=temperature, longest=longest)
    said = "\x1f".join(["chat", model, prompt, repr(temperature), str(longest)])
    return AskedWriter(chat, hashlib.sha256(said.encode()).hexdigest(), prompt, threads)


class Generator(Protocol):
    """A language model that writes, such as :class:`~isogloss.training.language_model.TrainedLanguageModel`."""

    def generate(
        self, prompts: Sequence[str], constraint: Any = None, *, longest: int, temperature: float, seed: int
    ) -> list[str]:
        """Return how each prompt goes on, without the prompt."""
        ...


@dataclass(frozen=True, slots=True)
class ModelWriter:
    """A writer that draws from a model in memory; what is drawn for a question does not depend on other questions.

    Attributes
    ----------
    model
        Goes on with prompts.
    identity
        Names the model.
    prompt
        With ``{question}`` in it.
    longest, temperature, seed
        Most tokens of a document, temperature of the draws, and their seed.
    tries
        A blank document is drawn again, up to so often.

    Examples
    --------
    With a base model of the Lab that has learned to answer::

        writer = ModelWriter(model, identity="answers", prompt="{question} ", longest=24)
        HypotheticalDocumentEncoder(encoder, writer, count=4)
    """

    model: Generator
    identity: str
    prompt: str = PROMPT
    longest: int = 64
    temperature: float = 0.7
    seed: int = 0
    tries: int = 8

    def __post_init__(self) -> None:
        _with_place(self.prompt)

    def __call__(self, questions: Sequence[str], count: int) -> list[list[str]]:
        """Return ``count`` drawn documents for each question; the same seed and question give the same ones.

        Raises
        ------
        UsageError
            Where the model writes nothing however often it is asked.
        """
        return [[self._one(question, number) for number in range(count)] for question in questions]

    def _one(self, question: str, number: int) -> str:
        prompt = self.prompt.replace("{question}", question)
        for attempt in range(self.tries):
            seed = derive(self.seed, "document", question, number, attempt)
            options: Any = {"longest": self.longest, "temperature": self.temperature, "seed": seed}
            text = self.model.generate([prompt], **options)[0].strip()
            if text:
                return text
        why = f"{self.tries} blank documents for {question[:60]!r}"
        raise UsageError("the model writes nothing", why, "raise the temperature, or use another model")


def _with_place(prompt: str) -> None:
    if "{question}" not in prompt:
        raise UsageError("the prompt has no place for the question", f"{prompt[:80]!r}", "put {question} in it")
