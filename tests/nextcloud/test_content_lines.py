"""The content-line layer: nothing is lost, nothing is guessed."""

from __future__ import annotations

from typing import Any

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncapp.nextcloud.content_lines import Component, Line
from syncapp.nextcloud.parsing import CALENDAR_BYTES, parse
from syncapp.nextcloud.text_values import FOLD_AT, escape, fold, make_line, split, unescape
from syncapp.side import Unreadable
from tests.nextcloud.strategies import texts

NAMES = st.text("ABCXYZ-", min_size=1, max_size=10).map(lambda name: "X-" + name)
ENDS = st.sampled_from((b"\r\n", b"\n"))


def calendar(*lines: bytes, end: bytes = b"\r\n") -> bytes:
    """A text with these lines in its VCALENDAR."""
    return end.join((b"BEGIN:VCALENDAR", *lines, b"END:VCALENDAR", b""))


def only_line(data: bytes) -> Line:
    [line] = parse(data, "VCALENDAR", CALENDAR_BYTES).root.lines
    return line


@given(st.lists(st.tuples(NAMES, texts), max_size=8), ENDS, st.data())
def test_an_unchanged_text_is_given_back_byte_for_byte(
    properties: list[tuple[str, str]], end: bytes, data: st.DataObject
) -> None:
    lines = []
    for name, value in properties:
        line = f'{name};X-P="a:;,b":{escape(value)}'.encode()
        cut = data.draw(st.integers(1, len(line)))
        # Folded anywhere, also inside of a character, as some programs do.
        lines.append(line[:cut] + end + b" " + line[cut:])
    source = calendar(*lines, end=end)
    text = parse(source, "VCALENDAR", CALENDAR_BYTES)
    assert bytes(text) == source
    assert [unescape(line.value) for line in text.root.lines] == [each for _, each in properties]


@given(NAMES, texts, st.lists(st.tuples(NAMES, texts), max_size=3, unique_by=lambda pair: pair[0]), ENDS)
def test_a_new_line_reads_as_it_was_written(
    name: str, text: str, parameters: list[tuple[str, str]], end: bytes
) -> None:
    line = make_line(name, escape(text), tuple(parameters), group="item1", line_end=end)
    again = only_line(b"BEGIN:VCALENDAR\r\n" + line.raw + b"END:VCALENDAR\r\n")
    assert (again.name, again.group, unescape(again.value)) == (name, "item1", text)
    assert again.parameters == tuple(parameters)


@given(texts, ENDS)
def test_folded_pieces_are_short_and_whole_characters(text: str, end: bytes) -> None:
    line = b"X-A:" + escape(text).encode()
    pieces = fold(line, end).split(end + b" ")
    assert all(len(piece) < FOLD_AT + (number == 0) for number, piece in enumerate(pieces))
    assert b"".join(pieces) == line
    for piece in pieces:
        piece.decode()


@given(st.lists(texts, min_size=1, max_size=5))
def test_lists_are_split_at_their_own_commas_only(members: list[str]) -> None:
    assert [unescape(each) for each in split(",".join(map(escape, members)), ",")] == members


@given(NAMES, texts)
def test_icalendar_reads_our_lines_alike(name: str, text: str) -> None:
    line = make_line(name, escape(text))
    theirs: Any = icalendar.parser.Contentlines
    unfolded = theirs.from_ical(line.raw.decode())[0]
    its_name, _, value = unfolded.parts()
    assert (its_name, icalendar.vText.from_ical(value)) == (name, text)


def test_a_quoted_parameter_may_hold_anything() -> None:
    line = only_line(calendar(b'ATTENDEE;CN="Berg, Anna: \xc3\x84; x";X-A=1,2;X-B="p","q":mailto:a@lab.example'))
    assert line.parameters == (
        ("CN", "Berg, Anna: Ä; x"),
        ("X-A", "1"),
        ("X-A", "2"),
        ("X-B", "p"),
        ("X-B", "q"),
    )
    assert line.value == "mailto:a@lab.example"


def test_a_line_of_another_character_set_is_kept_and_read() -> None:
    source = calendar(b"SUMMARY:Pr\xfcfung")
    assert only_line(source).value == "Prüfung"
    assert bytes(parse(source, "VCALENDAR", CALENDAR_BYTES)) == source


def test_blank_lines_and_a_byte_order_mark_are_kept() -> None:
    source = b"\xef\xbb\xbf" + calendar(b"X-A:1", b"", b"X-B:2") + b"\r\n\r\n"
    text = parse(source, "VCALENDAR", CALENDAR_BYTES)
    assert bytes(text) == source
    assert [line.name for line in text.root.lines if line.name] == ["X-A", "X-B"]


def test_only_what_is_replaced_changes() -> None:
    source = calendar(b"X-A:1", b"summary;LANGUAGE=de:alt", b"X-B: 2 ", b"BEGIN:VEVENT", b"END:VEVENT", end=b"\n")
    text = parse(source, "VCALENDAR", CALENDAR_BYTES)
    text.root.put("SUMMARY", [make_line("SUMMARY", "neu", line_end=text.root.line_end)])
    text.root.add(make_line("X-C", "3", line_end=text.root.line_end))
    assert bytes(text) == source.replace(b"summary;LANGUAGE=de:alt\n", b"SUMMARY:neu\n").replace(
        b"BEGIN:VEVENT", b"X-C:3\nBEGIN:VEVENT"
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"", "no VCALENDAR"),
        (b"hello", "Line 1 is not a content line"),
        (b"X-A:1\r\n", "outside of the VCALENDAR"),
        (b"BEGIN:VCARD\r\nEND:VCARD\r\n", "not with VCALENDAR"),
        (b"BEGIN:VCALENDAR\r\n", "cut off"),
        (calendar(b"BEGIN:VEVENT"), "does not end the VEVENT"),
        (calendar(b"no colon here"), "Line 2 is not a content line"),
        (calendar(b"NAME;WITH=parameter"), "Line 2 is not a content line"),
        (calendar() + calendar(), "more behind the end"),
        (calendar(*[b"BEGIN:X"] * 50), "deep"),
        (b"BEGIN:VCALENDAR\r\n" + b"X:1\r\n" * 300_000, "more than 200000 lines"),
        (b" " * (CALENDAR_BYTES + 1), "larger than 10 MiB"),
    ],
)
def test_a_broken_text_is_unreadable_for_a_stated_reason(source: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        parse(source, "VCALENDAR", CALENDAR_BYTES)


def test_a_quoted_parameter_without_an_end_is_unreadable() -> None:
    line = only_line(calendar(b'ATTENDEE;CN="Anna:mailto:a@lab.example'))
    with pytest.raises(Unreadable, match="quoted parameter"):
        _ = line.value


@given(st.binary(max_size=400))
def test_no_bytes_are_answered_with_another_error(source: bytes) -> None:
    try:
        text = parse(calendar(*source.split(b"|")), "VCALENDAR", CALENDAR_BYTES)
    except Unreadable:
        return
    assert bytes(text) == calendar(*source.split(b"|"))
    assert isinstance(text.root, Component)
