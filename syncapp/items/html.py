"""Descriptions in HTML: the words in them, and what of their formatting a person would miss.

A tag is looked at, never believed: this reads what servers and people send, and nothing is shown from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from html import unescape

_TOKEN = re.compile(r"<!--.*?-->|<!\[.*?\]>|</?[A-Za-z!?][^>]*>|[^<]+|<", re.DOTALL)
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*)")
_TARGET = re.compile(r"""\b(?:href|src)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
_HEAD = re.compile(
    r"<!--.*?-->|<!\[.*?\]>|<(head|script|style)\b.*?</\1\s*>|</?(?:html|body|o:p)\b[^>]*>|<[!?][^>]*>",
    re.DOTALL | re.IGNORECASE,
)
_URL = re.compile(r"<?\b(?:https?|mailto|tel|ftp):[^\s<>\"]+>?", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_EMPTY = re.compile(r"<(b|i|u|s|a|ul|ol|table|h\d|pre|blockquote)(?: [^>]*)?>\s*</\1>")

_BLOCKS = frozenset({"p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "hr"})
_SILENT = frozenset({"style", "script", "head", "title"})
_KEPT = {
    "b": "b", "strong": "b", "i": "i", "em": "i", "u": "u", "s": "s", "strike": "s", "del": "s", "sub": "sub",
    "sup": "sup", "a": "a", "ul": "ul", "ol": "ol", "table": "table", "pre": "pre", "blockquote": "blockquote",
    "h1": "h1", "h2": "h2", "h3": "h3", "h4": "h4", "h5": "h5", "h6": "h6",
}  # fmt: skip
_ALONE = frozenset({"li", "tr", "td", "th", "img", "hr"})
"""What parsers close in places of their own: only its beginning tells anything."""


def text_of_html(html: str) -> str:
    """The words of an HTML document, a line for each block.

    >>> text_of_html("<html><head><title>x</title></head><body><p>One</p><p>Two&amp;<br>three</p></body></html>")
    'One\\n\\nTwo&\\nthree'
    """
    parts: list[str] = []
    for closing, name, text in _tokens(html):
        if not name:
            parts.append(_SPACE.sub(" ", text))
        elif name in _BLOCKS and not (closing and name == "br"):
            parts.append("\n")
    joined = re.sub(r" *\n *", "\n", "".join(parts))
    return re.sub(r"\n{3,}", "\n\n", joined).strip()


def _tokens(html: str) -> Iterator[tuple[str, str, str]]:
    """Each tag as ("" or "/", name, itself) and each text as ("", "", text), without what nobody sees."""
    silent = ""
    for token in _TOKEN.findall(html):
        found = _TAG.match(token) if token[0] == "<" else None
        if found is None:
            if not silent and (token[0] != "<" or len(token) == 1):
                yield "", "", unescape(token) if "&" in token else token
            continue
        closing, name = found.group(1), found.group(2).lower()
        if silent:
            silent = "" if closing and name == silent else silent
        elif name in _SILENT and not closing and not token.endswith("/>"):
            silent = name
        elif name not in _SILENT:
            yield closing, name, token


@lru_cache(64)
def formatting(html: str) -> str:
    """What a person would miss if only the words were left: equal for texts that look the same, "" for plain words.

    >>> formatting("<html><body><p>Just <span style='color:red'>words</span></p></body></html>")
    ''
    >>> formatting('<p>A <strong>bold</strong> <A HREF="https://x.example">link</A></p>')
    'A <b> bold </b> <a https://x.example> link'
    """
    parts: list[str] = []
    for closing, name, text in _tokens(html):
        if not name:
            parts.append(text)
        elif name in _KEPT:
            parts.append(f" <{closing}{_KEPT[name]}{_target(text) if name == 'a' and not closing else ''}> ")
        elif name in _ALONE and not closing:
            parts.append(f" <{name}{_target(text) if name == 'img' else ''}> ")
        elif name in _BLOCKS:
            parts.append(" ")
    words = _without_empty(" ".join("".join(parts).split()))
    return words if any(f"<{each}" in words for each in (*_KEPT.values(), *_ALONE)) else ""


def _target(tag: str) -> str:
    found = _TARGET.search(tag)
    return "" if found is None else " " + unescape(next(filter(None, found.groups()), "")).strip()


def _without_empty(words: str) -> str:
    """Without tags around nothing, links that only repeat their words, and ends that a parser adds at the end."""
    before = ""
    while before != words:
        before = words
        words = " ".join(_EMPTY.sub(" ", words).split())
    words = re.sub(r"<a (?:mailto:)?([^>\s]*?)/?> \1/? </a>", r"\1", words)
    return re.sub(r"(?: ?</\w+>)+$", "", words)


def slim(html: str) -> str:
    """The content of an HTML document without its head, comments and scripts.

    >>> slim("<html><head><style>p {}</style></head><body class='x'><!-- y --><p>Hello</p></body></html>")
    '<p>Hello</p>'
    """
    return _HEAD.sub("", html).strip()


@lru_cache(64)
def says_the_same(html: str, text: str) -> bool:
    """Whether a text is that of an HTML document: the same words in the same order, and no other addresses.

    Programs that make the one from the other differ in where they put addresses, bullets and lines.
    """
    plain = text_of_html(html)
    if _letters(plain) != _letters(text):
        return False
    known = {_address(each) for each in _URL.findall(plain)}
    known |= {_address(next(filter(None, each), "")) for each in _TARGET.findall(html)}
    return {_address(each) for each in _URL.findall(text)} <= known


def _letters(text: str) -> str:
    return "".join(_WORD.findall(_URL.sub(" ", text)))


def _address(url: str) -> str:
    return unescape(url).strip("<>").rstrip("/.,;)")
