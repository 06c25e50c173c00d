"""A report as JSON with a stable, versioned schema."""

from __future__ import annotations

import json
from typing import Any

from isogloss.evaluation.report.content import Report
from isogloss.evaluation.report.finite import finite

SCHEMA = "isogloss.report/1"


def content(report: Report) -> dict[str, Any]:
    """Return a report as plain JSON data; NaN and infinities are null, and ``schema`` names the version.

    Examples
    --------
    >>> content(Report("Empty"))["schema"]
    'isogloss.report/1'
    """
    return {"schema": SCHEMA, **finite(report.to_dict())}


def render(report: Report) -> str:
    """Return a report as a JSON document."""
    return json.dumps(content(report), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
