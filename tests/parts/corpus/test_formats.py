"""Formats: headings at their offsets, titles, damaged files, and that every reader is found without being imported."""

import gzip
import io
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.formats import format_of, formats, named_format
from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.read import read
from isogloss.corpus.readers.markdown import markdown_headings
from isogloss.corpus.readers.rst import rst_headings
from isogloss.protocols import Record, Skip


def document(body, form, **options):
    data = body if isinstance(body, bytes) else body.encode()
    (item,) = read("-", options=ReadOptions(format=form, **options), stream=io.BytesIO(data))
    return item


def pdf(*pages, title="", outline=()):
    """Write a small PDF by hand: one content stream a page."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for text in pages:
        lines = " ".join(f"({line}) Tj 0 -14 Td" for line in text.split("\n"))
        stream = f"BT /F1 12 Tf 50 700 Td {lines} ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        content = len(objects)
        font = "<< /Font << /F1 3 0 R >> >>"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {content} 0 R /Resources {font} >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    out, places = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF"
    data = f"{out}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()
    if not title and not outline:
        return data
    import pypdf

    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    writer.add_metadata({"/Title": title, "/Author": "A. Writer"})
    parent = None
    for name, page, nested in outline:
        item = writer.add_outline_item(title=name, page_number=page, parent=parent if nested else None)
        parent = parent if nested else item
    stream = io.BytesIO()
    writer.write(stream)
    return stream.getvalue()


def test_readers_are_found_by_their_files_and_imported_when_needed():
    assert {"text", "markdown", "rst", "html", "delimited", "jsonl", "json_values", "parquet", "pdf", "docx"} <= set(
        formats()
    )
    assert format_of("a/b.CSV.gz") is formats()["delimited"]
    assert format_of("README") is formats()["text"]
    assert format_of("x.jpg") is None
    assert named_format("ndjson") is formats()["jsonl"]
    code = (
        "import sys; from isogloss.corpus.formats import formats; from isogloss.corpus.read import read; formats();"
        "print([m for m in sys.modules if m.split('.')[0] in "
        "('pyarrow', 'pypdf', 'docx', 'selectolax', 'charset_normalizer', 'numba', 'scipy', 'py3langid')"
        " or m.startswith('isogloss.corpus.readers.')])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_formats_are_readers(tmp_path):
    (tmp_path / "a.md").write_text("# A\n\nx")
    (tmp_path / "b.md").write_text("")
    reader = named_format("md")
    assert [item.id for item in reader(str(tmp_path / "a.md"), "docs/a.md")] == ["docs/a.md"]
    assert [item.reason for item in reader(str(tmp_path / "b.md"), "b.md")] == ["empty"]


def test_suffixes_belong_to_one_reader():
    known = [suffix for form in formats().values() for suffix in form.suffixes]
    assert len(known) == len(set(known))
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in known)
    assert all(form.version for form in formats().values())


MARKDOWN = """---
title: "The guide"
year: 1911
draft: true
tags: [a, b]
---
Intro

# One *bold* `code` ##

```python
# no heading
```

    # no heading either

Two [link](http://x.y)
---

- item
---

~~~
## no
```
## no
~~~

###### Six {#anchor}
####### seven marks
#nospace

text over
two lines
===
"""


def test_markdown_headings_front_matter_and_fences():
    record = document(MARKDOWN, "md")
    names = [(level, name) for _, level, name in record.headings]
    assert names == [(1, "One bold code"), (2, "Two link"), (6, "Six")]
    assert [record.text[start:].split("\n")[0] for start, _, _ in record.headings] == [
        "# One *bold* `code` ##",
        "Two [link](http://x.y)",
        "###### Six {#anchor}",
    ]
    assert record.title == "The guide"
    assert record.metadata == {"year": 1911, "draft": True, "tags": "[a, b]"}
    assert record.text.startswith("Intro")


def test_markdown_headings_equal_a_full_parser():
    markdown_it = pytest.importorskip("markdown_it")
    text = "# A\n\ntext\n\n## B ##\n\n```\n# x\n```\n\nC\n=\n\n> # quoted\n\n   ### D\n\n"
    text += "~~~~\n~~~\n# y\n~~~~\n\nE\n---\n#\n##### F\n"
    tokens = markdown_it.MarkdownIt().parse(text)
    expected = [
        (int(token.tag[1]), tokens[i + 1].content)
        for i, token in enumerate(tokens)
        if token.type == "heading_open" and token.level == 0 and tokens[i + 1].content
    ]
    assert [(level, name) for _, level, name in markdown_headings(text)] == expected


RST = """=====
Guide
=====

.. note:: not a title

First
-----

A table::

    a    b
    ---- ----

==== ====
a    b
==== ====

:py:mod:`os` and ``more``
~~~~~~~~~~~~~~~~~~~~~~~~~

Second
------
"""


def test_rst_headings():
    found = rst_headings(RST)
    assert [(level, name) for _, level, name in found] == [
        (1, "Guide"),
        (2, "First"),
        (3, "os and more"),
        (2, "Second"),
    ]
    assert [RST[start:].split("\n")[0] for start, _, _ in found][1:] == ["First", ":py:mod:`os` and ``more``", "Second"]
    assert document(RST, "rst").title == "Guide"


def test_rst_headings_equal_docutils():
    core = pytest.importorskip("docutils.core")
    nodes = pytest.importorskip("docutils.nodes")
    text = "A\n=\n\nx\n\nB\n-\n\ny\n\n* item\n\nC\n'''\n\nD\n-\n\nE\n=\n\nz\n"
    tree = core.publish_doctree(text, settings_overrides={"doctitle_xform": False, "report_level": 5})
    expected = []
    for title in tree.findall(nodes.title):
        depth, node = 0, title
        while node.parent is not None:
            depth += isinstance(node.parent, nodes.section)
            node = node.parent
        expected.append((depth, title.astext()))
    assert [(level, name) for _, level, name in rst_headings(text)] == expected


HTML = """<!doctype html><html lang="en"><head><title> My &amp; page </title><style>p {}</style>
<meta name="author" content="A. Writer"><script>var x = "<p>no</p>"</script></head><body>
<nav><a href="/">Home</a></nav><h1>Top <a href="#top">¶</a></h1><p>Some <b>bold</b> text,
  wrapped.<br>Next line.</p><ul><li>one<li>two</ul>
<table><tr><th>a<th>b</tr><tr><td>1</td><td>2 &lt; 3</td></tr></table>
<pre>x = 1
  y = 2</pre><div><h2>Second</h2>tail<template>no</template></div></body></html>"""


def test_html_text_headings_and_title():
    record = document(HTML, "html")
    assert record.title == "My & page"
    assert record.metadata == {"author": "A. Writer", "html_lang": "en"}
    assert record.text == (
        "Top ¶\n\nSome bold text, wrapped.\nNext line.\n\n- one\n- two\n\na | b\n1 | 2 < 3\n\n"
        "x = 1\n  y = 2\n\nSecond\n\ntail"
    )
    assert record.headings == [(0, 1, "Top"), (record.text.index("Second"), 2, "Second")]


def test_html_navigation_is_kept_where_nothing_else_is():
    assert document("<nav>Only this</nav>", "html").text == "Only this"
    assert document("<script>x</script>", "html").reason == "no-text"


def test_html_encoding_is_declared_or_found():
    page = '<meta charset="{}"><p>Größe, Ähre, Übermaß'
    assert document(page.format("iso-8859-1").encode("cp1252"), "html").text == "Größe, Ähre, Übermaß"
    assert document(page.format("utf-8").encode(), "html").text == "Größe, Ähre, Übermaß"


@pytest.mark.parametrize("unit", ["<a ", "<!--", "<a b='", "<p>", "<div>", "<h1>x", "<b>x", "&#", "<![CDATA["])
def test_hostile_html_takes_linear_time(unit):
    import time

    start = time.process_time()
    document("x" + unit * 30_000, "html")
    assert time.process_time() - start < 10


def test_html_with_thousands_of_blocks_inside_each_other_is_refused():
    assert document("x" + "<div>" * 30_000, "html").reason == "broken"
    assert document("<div>x</div>" * 30_000, "html").text.startswith("x\n\nx")


@given(st.text(st.sampled_from("<>/a hp1!-=\"'&;x \n"), max_size=150))
def test_any_markup_ends_in_a_record_or_skip(text):
    if text:
        item = document(text, "html")
        if isinstance(item, Record):
            assert all(0 <= start < len(item.text) for start, _, _ in item.headings)


def test_pdf_text_title_outline_and_pages():
    pytest.importorskip("pypdf")
    data = pdf(
        "First page\nabout heat",
        "Second page\nChapter two",
        title="On heat",
        outline=[("Part", 0, 0), ("Chapter two", 1, 1)],
    )
    record = document(data, "pdf")
    assert record.text.split("\n\n")[0].split() == "First page about heat".split()  # noqa: SIM905
    assert (record.title, record.metadata) == ("On heat", {"pages": 2, "author": "A. Writer"})
    assert [(level, name) for _, level, name in record.headings] == [(1, "Part"), (2, "Chapter two")]
    assert record.text[record.headings[1][0] :].startswith("Chapter two")


def test_damaged_empty_and_scanned_pdfs_are_skips(tmp_path):
    pytest.importorskip("pypdf")
    good = pdf("text")
    for name, data in (
        ("a.pdf", b"not a pdf"),
        ("b.pdf", good[:150]),
        ("c.pdf", b""),
        ("d.pdf", pdf("")),
        ("e.pdf", good),
    ):
        (tmp_path / name).write_bytes(data)
    found = {item.id: getattr(item, "reason", "record") for item in read(tmp_path)}
    assert found == {"a.pdf": "broken", "b.pdf": "broken", "c.pdf": "empty", "d.pdf": "no-text", "e.pdf": "record"}


def test_encrypted_pdf_is_a_skip():
    pypdf = pytest.importorskip("pypdf")
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf("secret")))
    writer.encrypt("password", algorithm="RC4-128")
    stream = io.BytesIO()
    writer.write(stream)
    assert document(stream.getvalue(), "pdf").reason == "encrypted"


@pytest.mark.parametrize(("form", "package"), [("pdf", "pypdf"), ("docx", "docx"), ("parquet", "pyarrow")])
def test_missing_extra_is_a_skip_that_says_what_to_install(monkeypatch, form, package):
    for name in list(sys.modules):
        if name.split(".")[0] == package:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    skip = document(b"x", form)
    assert skip.reason == "missing-extra"
    assert "pip install isogloss[files]" in skip.detail


def test_compressed_files_of_every_text_format(tmp_path):
    bodies = {
        "a.txt": "plain",
        "b.csv": "id,text\n1,x\n",
        "c.jsonl": '{"id": 1, "text": "y"}',
        "d.tsv": "id\ttext\n1\tz\n",
    }
    for name, body in bodies.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(body.encode()))
    (tmp_path / "e.md.gz").write_bytes(b"no gzip")
    items = list(read(tmp_path))
    assert [item.text for item in items if isinstance(item, Record)] == ["plain", "x", "y", "z"]
    assert [(item.id, item.reason) for item in items if isinstance(item, Skip)] == [("e.md.gz", "broken")]


def test_a_reader_that_fails_in_an_unforeseen_way_costs_its_file_only(tmp_path, monkeypatch):
    (tmp_path / "a.md").write_text("# A")
    (tmp_path / "b.txt").write_text("b")
    monkeypatch.setattr("isogloss.corpus.readers.markdown.markdown_headings", lambda text: 1 / 0)
    report = ReadReport()
    items = list(read(tmp_path, report=report))
    assert [(item.id, getattr(item, "reason", "")) for item in items] == [("a.md", "broken"), ("b.txt", "")]
    assert "ZeroDivisionError" in items[0].detail


@pytest.mark.parametrize(
    ("heading", "shown"),
    [
        ("os.path_exists and `f(**kwargs, __x__)`", "os.path_exists and f(**kwargs, __x__)"),
        ("_all_ of **it** and [a link](x.md)", "all of it and a link"),
        ("``a`b`` c", "a`b c"),
    ],
)
def test_a_markdown_heading_loses_its_marks_and_keeps_its_names(heading, shown):
    assert [text for _, _, text in document(f"# {heading}\n\nText.\n", "markdown").headings] == [shown]
