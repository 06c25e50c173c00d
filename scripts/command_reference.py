"""Write docs/commands.md from the parsers; a test says when it is out of date."""

from __future__ import annotations

from pathlib import Path

from isogloss.cli.parser import build_all
from isogloss.cli.reference import markdown

if __name__ == "__main__":
    Path(__file__).parents[1].joinpath("docs", "commands.md").write_text(markdown(build_all()), encoding="utf-8")
