"""The standard library's documentation as Markdown files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from isogloss.errors import CorpusError
from isogloss.workflows.demo import export_docs

SOURCE = '''"""A module.

# not a heading
---
"""
import os
os.environ["ISOGLOSS_RAN"] = "1"

def visible(a, *, b=1):
    """Do it."""

def _hidden():
    """Not shown."""

class Box:
    """A box."""

    async def open(self, very_long_argument_name, another_long_argument_name, a_third_one):
        """Open the box."""

    def close(self):
        pass

def box():
    """Not the class."""
'''


@pytest.fixture
def library(tmp_path: Path) -> Path:
    root = tmp_path / "lib"
    (root / "pack" / "test").mkdir(parents=True)
    (root / "pack" / "__init__.py").write_text(SOURCE)
    (root / "pack" / "plain.py").write_text("x = 1\n")
    (root / "pack" / "broken.py").write_text("def (:\n")
    (root / "pack" / "test" / "test_x.py").write_text('"""Not shown."""\n')
    (root / "pack" / "_private.py").write_text('"""Not shown."""\n')
    return root


def test_one_file_a_module_class_and_function_with_headings(library: Path, tmp_path: Path) -> None:
    report = export_docs(tmp_path / "out", library=library)
    assert (report.files, report.entries) == (4, 5)
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == {
        "pack.md": "# pack\n\nA module.\n\n\\# not a heading\n\\---\n",
        "pack.visible.md": "# `pack.visible(a, *, b=1)`\n\nDo it.\n",
        "pack.Box.md": "# `pack.Box`\n\nA box.\n\n## `pack.Box.open(...)`\n\nOpen the box.\n",
        "pack.box-2.md": "# `pack.box()`\n\nNot the class.\n",
    }


def test_sources_are_parsed_and_never_run(library: Path, tmp_path: Path) -> None:
    import os

    export_docs(tmp_path / "out", library=library)
    assert "ISOGLOSS_RAN" not in os.environ
    assert "pack" not in sys.modules


def test_files_that_are_right_are_not_touched(library: Path, tmp_path: Path) -> None:
    export_docs(tmp_path / "out", library=library)
    file = tmp_path / "out" / "pack.md"
    before = file.stat().st_mtime_ns
    export_docs(tmp_path / "out", library=library)
    assert file.stat().st_mtime_ns == before
    file.write_text("changed")
    export_docs(tmp_path / "out", library=library)
    assert file.read_text().startswith("# pack")


def test_the_running_pythons_library_is_a_real_corpus(tmp_path: Path) -> None:
    report = export_docs(tmp_path / "out")
    assert report.files > 1500
    assert report.entries > 3000
    assert json.__doc__ is not None
    assert json.__doc__.strip().splitlines()[0] in (tmp_path / "out" / "json.md").read_text()
    assert (tmp_path / "out" / "json.dumps.md").read_text().startswith("# `json.dumps(")


def test_a_python_without_sources_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isogloss.workflows.demo.sysconfig.get_paths", lambda: {"stdlib": str(tmp_path / "nothing")})
    with pytest.raises(CorpusError, match="add a folder of your own"):
        export_docs(tmp_path / "out")
    assert not (tmp_path / "out").exists()
