"""Answers, summaries and progress as people see them."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest

from isogloss.cli.answers import print_answer
from isogloss.cli.console import Console
from isogloss.cli.progress import Bars, Milestones
from isogloss.cli.summary import print_added
from isogloss.collection.results import AddReport, EncoderRun, Hit, SearchResult
from isogloss.protocols import Skip

HIT = Hit(
    id="guide/zip.md::3", document="guide/zip.md", score=0.0327868, rank=1, percentile=99.87, title="Archives",
    heading=["Archives", "Reading", "One member"], snippet="open one member of the archive",
    matches=[[9, 15], [23, 30]], start=500, end=700, length=2000, ordinal=3, chunks=12, also=["old/zip.md"],
)  # fmt: skip


def plain(console: Console) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", console.out.getvalue())


def test_an_answer_on_a_terminal_has_rank_place_passage_and_near_duplicates(terminal: Console) -> None:
    print_answer(SearchResult("archive member", [HIT], 10, encoders=["words", "static"], seconds=0.004), terminal)
    assert plain(terminal).splitlines() == [
        " 1  guide/zip.md  Archives",
        "    Reading › One member · part 3 of 12, at 25 % · closer",
        "    than 99.87 % of random pairs",
        "    open one member of the archive",
        "    also: old/zip.md",
        "1 document by words + static in 4 ms",
    ]
    assert "\x1b[1;33mmember\x1b[0m" in terminal.out.getvalue()
    assert "\x1b[1;33marchive\x1b[0m" in terminal.out.getvalue()


def test_the_percentile_is_said_as_what_it_is(terminal: Console) -> None:
    terminal.width = 120
    print_answer(SearchResult("q", [HIT], 1), terminal)
    assert "closer than 99.87 % of random pairs" in plain(terminal)


def test_a_piped_answer_is_one_line_a_hit(pipe: Console) -> None:
    print_answer(SearchResult("archive", [HIT], 1, notes=["1 of 10: only 1 document matches the filter"]), pipe)
    assert pipe.out.getvalue() == (
        "1\tguide/zip.md\t0.0327868\t99.87\tArchives\topen one member of the archive\n"
    )  # fmt: skip
    assert pipe.err.getvalue() == "note: 1 of 10: only 1 document matches the filter\n"


def test_several_piped_answers_carry_their_question(pipe: Console) -> None:
    print_answer(SearchResult("two\twords", [HIT], 1), pipe, several=True)
    assert pipe.out.getvalue().startswith("two words\t1\tguide/zip.md\t")


def test_no_answer_is_said_on_stderr(pipe: Console) -> None:
    print_answer(SearchResult("nothing like it", [], 10), pipe)
    assert (pipe.out.getvalue(), pipe.err.getvalue()) == ("", "note: no document answers: nothing like it\n")


def test_a_document_cannot_steer_the_terminal(terminal: Console) -> None:
    evil = Hit(id="x", document="\x1b[2Jx", score=1, rank=1, title="\x07t", heading=["\x1b]0;h"], snippet="a\x1b[31mb")
    print_answer(SearchResult("q", [evil], 1), terminal)
    assert "\x1b[2J" not in terminal.out.getvalue()
    assert "\x07" not in terminal.out.getvalue()
    assert "\x1b]" not in terminal.out.getvalue()
    assert "\x1b[31m" not in terminal.out.getvalue()


def summary(report: AddReport, console: Console) -> list[str]:
    print_added(report, ".isogloss", console)
    return console.out.getvalue().splitlines()


def test_the_first_add_reads_like_the_transcript(pipe: Console) -> None:
    report = AddReport(
        "cranfield", files=1400, documents=1398, chunks=1868, new=1398, long_documents=414, window=240,
        skipped=[Skip("471", "empty"), Skip("995", "empty")], languages={"en": 1398}, read_seconds=0.61, seconds=2.5,
        encoders={"words": EncoderRun(encoded=1868, seconds=0.4), "static": EncoderRun(encoded=1868, seconds=1.1)},
    )  # fmt: skip
    assert summary(report, pipe) == [
        "read 1,400 files -> 1,398 documents (2 empty: 471, 995) -> 1,868 chunks   0.6 s",
        "note 414 documents (30 %) longer than 240 tokens; chunked by sentence, nothing cut",
        "index .isogloss ready: words (0.4 s) + static (1.1 s)",
    ]


def test_a_second_add_says_what_changed(pipe: Console) -> None:
    report = AddReport("x", files=9, documents=2103, chunks=9, changed=3, deleted=1, unchanged=2100, seconds=0.41)
    assert "0 new, 3 changed, 1 deleted, 2,100 unchanged (0.4 s)" in summary(report, pipe)


def test_quiet_says_only_what_changed(pipe: Console) -> None:
    pipe.verbosity = -1
    report = AddReport("x", files=9, documents=2, new=2, seconds=0.41, skipped=[Skip("a", "broken")])
    assert summary(report, pipe) == ["2 new, 0 changed, 0 deleted, 0 unchanged (0.4 s)"]


def test_a_dry_run_says_that_nothing_was_written(pipe: Console) -> None:
    lines = summary(AddReport("x", documents=2, new=2, dry_run=True, seconds=0.41), pipe)
    assert lines[-1] == "dry run, nothing was written: would be 2 new, 0 changed, 0 deleted, 0 unchanged (0.4 s)"


def test_skips_are_grouped_and_the_way_to_see_all_is_named(pipe: Console) -> None:
    skips = [Skip(f"{i}.pdf", "broken", "no trailer") for i in range(5)] + [Skip("a.bin", "unknown-format")]
    lines = summary(AddReport("x", files=8, documents=2, new=2, skipped=skips), pipe)
    assert lines[0].startswith("read 8 files -> 2 documents (6 skipped: 5 broken, 1 unknown-format) -> 0 chunks")
    assert "skipped 5 broken: 0.pdf, 1.pdf, 2.pdf and 2 more (no trailer)" in lines
    assert "        all of them: the same command with -v or --json" in lines
    pipe.verbosity = 1
    assert "skipped 4.pdf: broken no trailer" in summary(AddReport("x", skipped=skips), pipe)


def test_what_an_encoder_left_out_or_cut_is_said_with_its_share(pipe: Console) -> None:
    run = EncoderRun(encoded=60, off=40, off_languages={"ru": 30, "ja": 10}, cut=3, lost=50, tokens=1000, pending=7)
    lines = summary(AddReport("x", documents=100, new=100, encoders={"minilm": run}), pipe)
    off = "vectors off, words on for 40 chunks (40 %) in languages outside the model's card: ru 75 %, ja 25 %"
    assert f"note minilm: {off}" in lines
    assert "note minilm: 3 texts cut at the model's window, 5 % of all tokens lost" in lines
    assert "note minilm: 7 chunks still waiting; run the same command to go on" in lines


def test_bars_show_speed_and_disappear() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    bars = Bars(stream)
    bars.start("static", 1000, "tokens")
    bars._bar.delay = 0
    bars._bar.mininterval = 0
    for _ in range(4):
        bars.advance(200)
    bars.finish()
    text = stream.getvalue()
    assert "static" in text
    assert "tokens/s" in text
    assert text.rstrip(" ").endswith("\r")
    bars.advance(1)  # after the end: ignored


def test_milestones_are_silent_for_quick_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("isogloss.cli.progress.time.monotonic", lambda: now[0])
    stream = io.StringIO()
    progress = Milestones(stream, quiet=10)
    progress.start("words", 100, "chunks")
    progress.advance(100)
    progress.finish()
    assert stream.getvalue() == ""
    progress.start("static", 100, "chunks")
    for second in (5, 10, 15, 20):
        now[0] = second
        progress.advance(20)
    now[0] = 25
    progress.advance(20)
    progress.finish()
    assert stream.getvalue().splitlines() == [
        "static: 40 of 100 chunks, 4 chunks/s, 10 s, 15 s left",
        "static: 80 of 100 chunks, 4 chunks/s, 20 s, 5.0 s left",
        "static: 100 of 100 chunks, 4 chunks/s, 25 s",
    ]
    progress.start("read", None, "documents")
    now[0] = 40
    progress.advance(7)
    progress.finish()  # says nothing new
    assert stream.getvalue().splitlines()[3:] == ["read: 7 documents, 0 documents/s, 15 s"]


def test_p_stands_in_front_with_its_interval_and_where_it_came_from(terminal: Console) -> None:
    terminal.width = 120
    known = replace(HIT, p=0.912, p_low=0.85, p_high=1.0)
    print_answer(SearchResult("q", [known], 1, p_by="225 judged questions", seconds=0.004), terminal)
    lines = plain(terminal).splitlines()
    assert lines[0] == " 1  P=.91  guide/zip.md  Archives"
    assert lines[1].endswith("relevant with P .91 [.85, .99]")  # nothing is known for sure
    assert lines[-1] == "1 document in 4 ms; P calibrated on 225 judged questions"


def test_a_piped_answer_ends_with_p_where_it_is_known(pipe: Console) -> None:
    print_answer(SearchResult("q", [replace(HIT, p=0.912)], 1), pipe)
    assert pipe.out.getvalue().endswith("\topen one member of the archive\t0.912\n")
