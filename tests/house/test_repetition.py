"""No ten code lines stand twice; imports, docstrings, comments and blank lines apart."""

from __future__ import annotations

import ast

WINDOW = 10


def _lines(module):
    """Code lines of the module (number, normalised text) without imports."""
    imports = set()
    for node in module.nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return [(number, text) for number, text in sorted(module.code.items()) if number not in imports]


def repetitions(modules):
    numbers, seen, found = {}, {}, []
    for module in modules:
        lines, skip = _lines(module), 0
        texts = [numbers.setdefault(text, len(numbers)) for _, text in lines]
        for i in range(len(lines) - WINDOW + 1):
            here = module.name, lines[i][0]
            first = seen.setdefault(tuple(texts[i : i + WINDOW]), here)
            if first != here and i >= skip:
                found.append(f"{here[0]}:{here[1]} repeats {first[0]}:{first[1]}")
                skip = i + WINDOW  # one line for one repetition
    return found


def test_nothing_is_written_twice(everything):
    assert "\n".join(repetitions(everything)) == ""


def _block(lines, indent="", first=0):
    return "".join(f"{indent}x{i} = call({i})\n" for i in range(first, first + lines))


def test_planted_repetitions_are_found(plant):
    files = {"text/a.py": "import os\n" + _block(10), "text/b.py": '"""Doc."""\ndef f():\n' + _block(10, "    ")}
    assert repetitions(plant(files)) == ["isogloss.text.b:3 repeats isogloss.text.a:2"]


def test_a_repetition_inside_one_file_is_found_once(plant):
    text = _block(14) + "y = 1\n" + _block(14).replace("\n", "  # a comment\n\n")
    assert len(repetitions(plant({"text/a.py": text}))) == 1


def test_nine_lines_and_imports_may_stand_twice(plant):
    imports = "from a import (\n" + "".join(f"    b{i},\n" for i in range(20)) + ")\n"
    files = {"text/a.py": imports + _block(9) + "y = 1\n", "text/b.py": imports + _block(9) + "z = 1\n"}
    assert repetitions(plant(files)) == []
