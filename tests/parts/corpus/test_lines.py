"""Lines, encodings and bytes: bounded memory, damaged input, every block boundary."""

import gzip
import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.corpus.encodings import decode, detect_encoding
from isogloss.corpus.lines import BadLine, read_lines, split_lines
from isogloss.corpus.options import ReadOptions, ReadReport
from isogloss.corpus.seen import SeenIds
from isogloss.corpus.source import SkipFileError, Source

GERMAN = "Die Prüfung der Flügel ergab größere Kräfte als gemäß der Rechnung zu erwarten wären. " * 5
RUSSIAN = "Крыло испытывали в аэродинамической трубе под разными углами атаки. " * 5


def lines_of(data, **options):
    source = Source("", stream=io.BytesIO(data))
    return [line for _, line in read_lines(source, ReadOptions(**options), ReadReport())]


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=6), st.integers(1, 60))
def test_lines_do_not_depend_on_blocks(data, cuts, limit):
    cuts = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    blocks = [data[a:b] for a, b in pairwise(cuts)]
    got = []
    for piece in split_lines(blocks, limit):
        got += [piece] if isinstance(piece, int) else piece.split(b"\n")
    lines = data.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    assert got == [line if len(line) <= limit else len(line) for line in lines]


def test_only_line_feeds_end_lines():
    assert lines_of("a\u2028b\x0cc\r\nd\x85e\n\nf".encode()) == ["a\u2028b\x0cc", "d\x85e", "", "f"]
    assert lines_of(b"a\rb\rc") == ["a", "b", "c"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_lines_of_unicode_files(encoding):
    text = "\n".join(f"naïve {i} café 🙂" for i in range(3000))
    assert lines_of(text.encode(encoding)) == text.split("\n")


def test_a_line_in_another_encoding_is_bad_alone():
    data = "größe\n".encode() * 20_000 + b"gr\xf6\xdfe\n" + "größe\n".encode() * 3
    found = lines_of(data)
    assert len(found) == 20_004
    assert found.pop(20_000) == BadLine("encoding", "not utf-8 at byte 2 of the line (0xf6)")
    assert set(found) == {"größe"}


def test_a_line_beyond_the_limit_is_passed_over():
    found = lines_of(b"a\n" + b"x" * 5_000_000 + b"\nb\n", max_bytes=1000)
    assert found == ["a", BadLine("too-long", "line of 5,000,000 bytes, the limit is 1,000"), "b"]


@pytest.mark.parametrize(
    ("text", "encoding"), [(GERMAN, "cp1252"), (GERMAN, "utf-16-le"), (RUSSIAN, "cp1251"), (RUSSIAN, "koi8_r")]
)
def test_other_encodings_are_detected(text, encoding):
    decoded, found = decode(text.encode(encoding))
    assert decoded == text
    assert found != "utf-8"


def test_declared_encoding_wins_unless_there_is_a_mark():
    assert decode("ÄÖÜ".encode("cp1252"), "latin-1")[0] == "ÄÖÜ"
    assert decode("ÄÖÜ".encode("utf-16"), "latin-1")[0] == "ÄÖÜ"
    with pytest.raises(SkipFileError) as error:
        decode("ÄÖÜ".encode("cp1252"), "utf-8")
    assert (error.value.reason, error.value.detail) == ("encoding", "not utf-8 at byte 0 (0xc4)")
    with pytest.raises(SkipFileError, match="no encoding named"):
        decode(b"x", "klingon")


@pytest.mark.parametrize("data", [b"\0" * 100, b"\x7fELF\2\1\1\0" * 50, bytes(range(256)) * 4, b"\x01\x02\x03" * 100])
def test_binary_is_told_from_text(data):
    with pytest.raises(SkipFileError) as error:
        detect_encoding(data)
    assert error.value.reason == "binary"


def test_head_may_end_inside_a_character():
    assert detect_encoding("é".encode() * 40_000 + b"\xc3") == "utf-8"
    assert detect_encoding(("a" + "é" * 40_000).encode()) == "utf-8"


@given(st.text())
def test_utf8_round_trip(text):
    clean = "".join(letter for letter in text if letter >= " " or letter in "\t\n\r")
    decoded, _ = decode(clean.encode())
    assert decoded == clean.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def test_limits_hold_for_decompressed_bytes(tmp_path):
    path = tmp_path / "bomb.txt.gz"
    path.write_bytes(gzip.compress(b"x" * 10_000_000))
    with pytest.raises(SkipFileError) as error:
        Source("bomb.txt.gz", path).data(1_000_000)
    assert error.value.reason == "too-long"


def test_seen_ids_equal_a_dictionary():
    seen, plain = SeenIds(recent=100), {}
    for place in range(5000):
        name = f"id {place * 7919 % 3000}"
        assert seen.add(name, place) == plain.get(name, -1)
        plain.setdefault(name, place)
