"""A model card: YAML front matter with a model index, and the scores with their intervals in the text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from isogloss.evaluation.report import wording
from isogloss.evaluation.report.content import SystemTask
from isogloss.evaluation.report.finite import finite
from isogloss.evaluation.report.markdown import escape, table
from isogloss.evaluation.report.mteb_result import metric_key

PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*")
_WORDS_OF_YAML = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"])
_SHORT = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\x00": "\\0"}


def front_matter(model: str, tasks: Sequence[SystemTask], card: Mapping[str, Any] | None = None) -> str:
    """Return the YAML block of a card, between its lines of dashes.

    Parameters
    ----------
    model
        Name of the model.
    tasks
        Its results; each metric that is a number is one entry.
    card
        Other keys of the card (``language``, ``license``, ``base_model`` ...); those given here replace our own.

    Examples
    --------
    >>> from isogloss.evaluation.results import TaskResult
    >>> from isogloss.evaluation.sample import Sample
    >>> result = TaskResult("sts-b", "sts", "spearman", {"spearman": Sample.of([0.5])})
    >>> print(front_matter("small", [SystemTask("small", result)], {"license": "mit", "tags": []}))
    ---
    library_name: sentence-transformers
    pipeline_tag: sentence-similarity
    tags: []
    license: mit
    model-index:
    - name: small
      results:
      - task:
          type: sts
          name: sts
        dataset:
          name: sts-b
          type: sts-b
          split: test
        metrics:
        - type: spearman
          value: 0.5
          name: spearman
    ---
    """
    results = [entry for entry in (_entry(task) for task in tasks) if entry["metrics"]]
    content: dict[str, Any] = {
        "library_name": "sentence-transformers",
        "pipeline_tag": "sentence-similarity",
        "tags": ["sentence-transformers", "feature-extraction", "isogloss"],
        **(card or {}),
    }
    if results:
        content["model-index"] = [{"name": model, "results": results}]
    return "---\n" + "\n".join(_block(content, 0)) + "\n---"


def render(model: str, tasks: Sequence[SystemTask], card: Mapping[str, Any] | None = None) -> str:
    """Return a whole card: front matter, and a table of the main scores with intervals."""
    rows = []
    for task in tasks:
        result = task.result
        value = result.samples[result.main].value() if result.main in result.samples else None
        interval = wording.interval(task.intervals.get(result.main)) or wording.NOTHING
        rows.append([result.task, result.kind, result.main, wording.number(value), interval])
    body = [f"# {escape(model)}", "## Evaluation"]
    if rows:
        body.append(table(["data", "kind", "metric", "score", "95 % interval"], rows, right=[3]))
        body.append("Intervals are bootstraps over the groups of each data set; measured with Isogloss.")
    else:
        body.append("Nothing was measured.")
    return "\n\n".join([front_matter(model, tasks, card), *body]) + "\n"


def _entry(task: SystemTask) -> dict[str, Any]:
    result, details = task.result, task.result.details
    data = {
        "name": result.task,
        "type": str(details.get("hub_name", result.task)),
        "split": str(details.get("split", "test")),
    }
    if details.get("revision"):
        data["revision"] = str(details["revision"])
    scores = finite(result.scores())
    ordered = sorted((name for name in scores if scores[name] is not None), key=lambda name: name != result.main)
    metrics = [{"type": metric_key(name), "value": scores[name], "name": name} for name in ordered]
    return {"task": {"type": result.kind, "name": result.kind}, "dataset": data, "metrics": metrics}


def _block(value: Any, depth: int) -> list[str]:
    """Return YAML lines of a mapping or a list, indented by ``depth``."""
    pad = "  " * depth
    if isinstance(value, Mapping):
        lines = []
        for key, item in value.items():
            if isinstance(item, (Mapping, list, tuple)) and item:
                below = depth if isinstance(item, (list, tuple)) else depth + 1
                lines += [f"{pad}{quoted(str(key))}:", *_block(item, below)]
            else:
                lines.append(f"{pad}{quoted(str(key))}: {_scalar(item)}")
        return lines
    lines = []
    for item in value:
        if isinstance(item, (Mapping, list, tuple)) and item:
            first, *rest = _block(item, depth + 1)
            lines += [f"{pad}- {first.lstrip()}", *rest]
        else:
            lines.append(f"{pad}- {_scalar(item)}")
    return lines


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, (Mapping, list, tuple)):
        return "{}" if isinstance(value, Mapping) else "[]"
    if isinstance(value, float):
        text = repr(value)
        return text if "e" not in text or "." in text else text.replace("e", ".0e")  # YAML wants the point
    return str(value) if isinstance(value, int) else quoted(str(value))


def quoted(text: str) -> str:
    r"""Return a text as a YAML scalar: plain where nothing can be mistaken, else in double quotes.

    Examples
    --------
    >>> quoted("minilm"), quoted("no"), quoted('a: "b"'), quoted("1.0")
    ('minilm', '"no"', '"a: \\"b\\""', '"1.0"')
    """
    if PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML:
        return text
    return '"' + "".join(_character(char) for char in text) + '"'


def _character(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    code = ord(char)
    if 0xD800 <= code < 0xE000:
        return "\ufffd"  # half a character, which YAML cannot say
    if char.isprintable() and code not in (0xFEFF, 0xFFFE, 0xFFFF):
        return char
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
