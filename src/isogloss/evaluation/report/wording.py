"""Scores, differences and costs in words, the same in every form of a report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from string import ascii_uppercase

from isogloss.evaluation.report.content import Cost, Questions, Report, outcome, smallest_visible
from isogloss.evaluation.results import Comparison, Difference, Interval

NOTHING = "–"
"""What stands where nothing was measured."""

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]+")


def line(text: str) -> str:
    r"""Return a text on one line, without control characters and halves of characters.

    Examples
    --------
    >>> line("a\nb\x00c")
    'a b c'
    """
    return _UNSEEN.sub(" ", text)


def number(value: float | None, digits: int = 3) -> str:
    """Return a score without the zero before its point; a dash where there is no number.

    Examples
    --------
    >>> [number(x) for x in (0.4264, 1.0, -0.0441, 0.0, 12.34567, float("nan"), None)]
    ['.426', '1.000', '-.044', '.000', '12.346', '–', '–']
    """
    if value is None or value != value or abs(value) == float("inf"):
        return NOTHING
    text = f"{value + 0.0:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return re.sub(r"^(-?)0\.", r"\1.", text)


def signed(value: float | None, digits: int = 3) -> str:
    """Return a difference with its sign.

    Examples
    --------
    >>> [signed(x) for x in (0.056, -0.001, 0.0)]
    ['+.056', '-.001', '.000']
    """
    text = number(value, digits)
    return text if text[0] in "-–" or not text.strip(".0") else f"+{text}"


def interval(one: Interval | None) -> str:
    """Return an interval.

    Examples
    --------
    >>> interval(Interval(0.311, 0.378))
    '[.311, .378]'
    """
    low, high = (number(one.low), number(one.high)) if one is not None else (NOTHING, NOTHING)
    return "" if low == high == NOTHING else f"[{low}, {high}]"


def p_value(p: float) -> str:
    """Return a p value; never 0.

    Examples
    --------
    >>> [p_value(x) for x in (0.00002, 0.0123, 0.2, 1.0, float("nan"))]
    ['p < .001', 'p = .012', 'p = .20', 'p = 1.0', 'p unknown']
    """
    if p != p:
        return "p unknown"
    if p < 0.001:
        return "p < .001"
    return f"p = {number(p, 3 if p < 0.1 else 2 if p < 0.995 else 1)}"


def difference(one: Difference) -> str:
    """Return a paired difference with its interval and corrected p.

    Examples
    --------
    >>> difference(Difference("a", "b", 0.056, Interval(0.028, 0.084), 0.0001, 0.0002, 0.04))
    '+.056 [+.028, +.084] p < .001'
    """
    if number(one.value) == NOTHING:
        return NOTHING
    low, high = signed(one.interval.low), signed(one.interval.high)
    return f"{signed(one.value)} [{low}, {high}] {p_value(one.corrected)}"


def amount(value: float | None) -> str:
    """Return a cost with three figures at most below 1,000 and whole above.

    Examples
    --------
    >>> [amount(x) for x in (None, 0.01234, 5.678, 384.0, 12345.6)]
    ['–', '0.0123', '5.68', '384', '12,346']
    """
    if value is None or value != value or abs(value) == float("inf"):
        return NOTHING
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def costs(cost: Cost) -> tuple[str, str, str]:
    """Return documents a second, bytes a document and milliseconds a question."""
    return amount(cost.documents_per_second), amount(cost.bytes_per_document), amount(cost.milliseconds_per_query)


def tie_letters(comparison: Comparison) -> dict[str, str]:
    """Return for each system the letters of its tie groups: systems that share a letter cannot be told apart.

    Examples
    --------
    >>> tie_letters(Comparison("ndcg@10", [], [], [["a", "b"], ["b", "c"]], 100, 0))
    {'a': 'A', 'b': 'A B', 'c': 'B'}
    """
    letters: dict[str, list[str]] = {}
    for place, group in enumerate(comparison.ties):
        for system in group:
            letters.setdefault(system, []).append(_letter(place))
    return {system: " ".join(names) for system, names in letters.items()}


def _letter(place: int) -> str:
    return ascii_uppercase[place] if place < 26 else f"{ascii_uppercase[place % 26]}{place // 26}"


def counted(n: int, singular: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "question"), counted(1400, "question")
    ('1 question', '1,400 questions')
    """
    return f"{n:,} {singular if n == 1 else singular + 's'}"


def units(comparison: Comparison) -> int:
    """Return how many units (questions, documents) were drawn; 0 where there is no score."""
    return max((score.groups for score in comparison.scores), default=0)


def visible(comparison: Comparison) -> str:
    """Say the smallest difference that these questions can show; empty where nothing is compared.

    Examples
    --------
    >>> one = Difference("minilm", "words", 0.05, Interval(0.02, 0.08), 0.01, 0.01, 0.04)
    >>> visible(Comparison("ndcg@10", [], [one], [], 100, 0))
    'smallest difference that 0 questions can show at 80 % power: .040 (minilm vs words)'
    """
    found = smallest_visible(comparison)
    if found is None:
        return ""
    least, most = found
    text = f"smallest difference that {counted(units(comparison), 'question')} can show at 80 % power: "
    first = f"{number(least.visible)} ({line(least.system)} vs {line(least.control)})"
    if least is most or number(least.visible) == number(most.visible):
        return text + first
    return f"{text}{first} to {number(most.visible)} ({line(most.system)} vs {line(most.control)})"


def conclusion(comparison: Comparison) -> str:
    """Say in a sentence what a comparison shows, by its tie groups.

    Examples
    --------
    >>> from isogloss.evaluation.results import Score
    >>> scores = [Score(n, v, Interval(v - .1, v + .1), 50, 50) for n, v in (("a", .5), ("b", .4), ("c", .1))]
    >>> conclusion(Comparison("ndcg@10", scores, [], [["a", "b"], ["c"]], 100, 0))
    'By ndcg@10, a and b share the first place and cannot be told apart on these 50 questions; c is worse.'
    """
    names = [score.system for score in comparison.scores]
    if not names:
        return "Nothing was scored."
    metric, n = line(comparison.metric), counted(units(comparison), "question")
    if len(names) == 1:
        score = comparison.scores[0]
        return f"{line(names[0])} reaches {number(score.value)} {interval(score.interval)} {metric} on {n}."
    first = comparison.ties[0] if comparison.ties else names[:1]
    rest = [name for name in names if name not in first]
    if len(first) == 1:
        tail = f"; {_worse(rest)}" if len(rest) <= 3 else ""
        return f"By {metric}, {line(first[0])} is the best of {len(names)} systems on these {n}{tail}."
    tail = f"; {_worse(rest)}" if rest else ""
    return f"By {metric}, {_names(first)} share the first place and cannot be told apart on these {n}{tail}."


def _worse(names: Sequence[str]) -> str:
    return f"{_names(names)} {'is' if len(names) == 1 else 'are'} worse"


def sentence(text: str) -> str:
    """Return a line as a sentence: a capital in front, a stop at the end.

    Examples
    --------
    >>> sentence("made from titles"), sentence("Really?"), sentence("")
    ('Made from titles.', 'Really?', '')
    """
    text = line(text).strip()
    return text[:1].upper() + text[1:] + ("" if not text or text[-1] in ".!?:" else ".")


def short(name: str, most: int = 60) -> str:
    """Return a name on one line, cut where it is longer than a sentence can carry.

    Examples
    --------
    >>> short("rrf(words,minilm)"), short("x" * 30, most=4)
    ('rrf(words,minilm)', 'xxx…')
    """
    name = line(name)
    return name if len(name) <= most else name[: most - 1] + "…"


def _names(names: Sequence[str], most: int = 4) -> str:
    shown = [short(name) for name in names[:most]]
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def verdict_of(one: Difference) -> str:
    """Say what a difference shows: better, worse, or how much it could be at most."""
    found = outcome(one)
    if found != "tied":
        return found
    return f"not told apart (between {signed(one.interval.low)} and {signed(one.interval.high)})"


def source(questions: Questions | None) -> str:
    """Say where the questions came from, with the warning that belongs to made ones."""
    if questions is None:
        return ""
    text = counted(questions.count, "question")
    if questions.documents:
        text += f", {counted(questions.documents, 'document')}"
    return f"{text}; synthetic: optimistic for words copied from the text" if questions.synthetic else text


def shares(counts: Mapping[str, int]) -> str:
    """Return counts by kind, the largest first.

    Examples
    --------
    >>> shares({"title": 3, "sentence": 9})
    'sentence 9, title 3'
    """
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{line(name)} {count:,}" for name, count in ordered)


def cut_shares(cut: Mapping[str, Mapping[str, float]]) -> str:
    """Say what share of the texts was cut, by role; empty where nothing is known.

    Examples
    --------
    >>> cut_shares({"document": {"texts": 1400, "share": 0.296}, "query": {"texts": 225, "share": 0.0}})
    'document 29.6 %, query 0.0 %'
    """
    return ", ".join(f"{role} {100 * counts['share']:.1f} %" for role, counts in cut.items() if counts.get("texts"))


def heading(report: Report) -> str:
    """Return the title of a report, never empty."""
    return line(report.title).strip() or "Evaluation"
