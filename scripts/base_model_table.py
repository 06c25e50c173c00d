"""Writes the table of the Lab's base models into docs/lab.md, from docs/evidence/base_models.json."""

from __future__ import annotations

from pathlib import Path

from isogloss.workflows.lab_builds import read_table

DOCS = Path(__file__).resolve().parents[1] / "docs"
BEGIN, END = "<!-- base models -->", "<!-- end of base models -->"


def table(rows: list[dict[str, object]]) -> str:
    """Return the rows as Markdown."""
    head = (
        "| model | seed | weights | size | processor | bits per byte | unigram | bigram | STS-B dev |\n"
        + "|---" * 9
        + "|"
    )
    lines = [head]
    for row in rows:
        measured: dict[str, float] = row["measured"]  # type: ignore[assignment]
        numbers = [f"{measured[name]:.3f}" if name in measured else "" for name in (
            "bits per byte", "unigram", "bigram", "sts-b",
        )]  # fmt: skip
        cells = [
            row["name"],
            row["seed"],
            f"{row['parameters']:,}",
            f"{row['megabytes']} MB",
            f"{row['cpu_seconds']} s",
        ]
        lines.append("| " + " | ".join(map(str, [*cells, *numbers])) + " |")
    return "\n".join(lines)


def main() -> None:
    """Replace what stands between the two marks."""
    page = DOCS / "lab.md"
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    rows = read_table(DOCS / "evidence")
    page.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
