"""Files of vCards taken apart into cards, as Nextcloud does on import. Works on lines and keeps them byte for byte."""

from __future__ import annotations

import re

from lab.roundtrip.kinds import NotReadable

_MARK = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r*\n|\r")


def split_cards(data: bytes) -> list[bytes]:
    """The cards of a text; a card inside of another (AGENT in vCard 2.1) stays where it is.

    Raises NotReadable for what is no vCard, or ends in the middle.
    """
    cards: list[bytes] = []
    open_card: list[bytes] = []
    depth = 0
    for line in _LINE_END.split(data.removeprefix(_MARK)):
        word = line.strip().upper().replace(b" ", b"")
        if word == b"BEGIN:VCARD":
            depth += 1
        if depth:
            open_card.append(line + b"\r\n")
        if word == b"END:VCARD" and depth:
            depth -= 1
            if not depth:
                cards.append(b"".join(open_card))
                open_card = []
    if depth:
        raise NotReadable("The file ends in the middle of a card.")
    if not cards:
        raise NotReadable("There is no vCard in the file.")
    return cards
