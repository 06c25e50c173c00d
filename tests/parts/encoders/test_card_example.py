"""The worked examples of cards: parsed, whatever they hold, and never run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isogloss.encoders.card_example import card_example


def test_card_with_queries_and_documents(tmp_path):
    (tmp_path / "README.md").write_text(
        "```python\nqueries = ['a?', 'b?']\ndocuments = ['x', 'y', 'z']\n"
        "print(s)\n# tensor([[0.5, 0.25, -0.125],\n#         [1.0, 2.0, 3.0]])\n```"
    )
    example = card_example(tmp_path)
    assert (example.left, example.right) == (["a?", "b?"], ["x", "y", "z"])
    assert example.shown.tolist() == [[0.5, 0.25, -0.125], [1, 2, 3]]


@given(st.text(max_size=300))
def test_any_card_is_harmless(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("card")
    (folder / "README.md").write_text("```python\n" + text + "\n```", encoding="utf-8", errors="replace")
    example = card_example(folder)
    assert example is None or len(example.left) == len(example.shown)


def test_card_code_is_never_run(tmp_path):
    code = f"sentences = [__import__('pathlib').Path({str(tmp_path / 'ran')!r}).touch(), 'a']"
    (tmp_path / "README.md").write_text(f"```python\n{code}\n# [[1.0, 1.0],[1.0, 1.0]]\n```")
    assert card_example(tmp_path) is None
    assert not (tmp_path / "ran").exists()
