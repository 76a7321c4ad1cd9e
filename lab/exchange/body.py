"""Bodies as Exchange keeps them: it rewrites HTML, normalises line ends, and converts between HTML and text."""

from __future__ import annotations

import html
import re
from typing import Any

from lxml import etree
from lxml import html as lxml_html

# A dict of "type" (HTML or Text) and "text".
Body = dict[str, Any]

_META = '<meta http-equiv="Content-Type" content="text/html; charset=utf-8">'
_BLOCKS = frozenset(["p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol"])
_UNSAFE = ("script", "iframe", "object", "embed", "applet", "form")


def normalised(kind: str, text: str) -> Body:
    """A body as it comes back after it was stored."""
    text = re.sub(r"\r\n|\r|\n", "\r\n", text)
    if kind == "HTML":
        return {"type": "HTML", "text": _rewritten(text)}
    return {"type": "Text", "text": text}


def _rewritten(text: str) -> str:
    """HTML inside Exchange's own frame: its head, and the body's content as a parser understood it."""
    return _framed(_parsed(text))


def filtered(body: Body) -> Body:
    """A body without what could run, which FilterHtmlContent asks for (MS-OXWSSYNC R37801)."""
    content = _parsed(body["text"]) if body["type"] == "HTML" else None
    if content is None:
        return body
    etree.strip_elements(content, *_UNSAFE, etree.Comment, with_tail=False)
    for element in content.iter():
        for name in [name for name in element.attrib if str(name).startswith("on")]:
            del element.attrib[name]
    return {"type": "HTML", "text": _framed(content)}


def _parsed(text: str) -> lxml_html.HtmlElement | None:
    """The body element of an HTML text; nothing where there is none."""
    if not text.strip():
        return None
    try:
        return lxml_html.document_fromstring(text.replace("\r\n", "\n")).find("body")
    except etree.ParserError:
        return None


def _framed(body: lxml_html.HtmlElement | None) -> str:
    inner = ""
    if body is not None:
        inner = html.escape(body.text or "", quote=False)
        inner += "".join(lxml_html.tostring(child, encoding="unicode") for child in body)
    inner = re.sub(r"\r\n|\r|\n", "\r\n", inner).strip("\r\n")
    return f"<html>\r\n<head>\r\n{_META}\r\n</head>\r\n<body>\r\n{inner}\r\n</body>\r\n</html>\r\n"


def converted(body: Body, wanted: str) -> Body:
    """The body in the form that a BodyType asks for: HTML, Text, or Best (as it is)."""
    if wanted == "Best" or wanted == body["type"]:
        return body
    if wanted == "Text":
        return {"type": "Text", "text": _plain(body["text"])}
    lines = "<br>\r\n".join(html.escape(line, quote=False) for line in body["text"].split("\r\n"))
    inner = f'<div class="PlainText">{lines}</div>'
    return {
        "type": "HTML",
        "text": f"<html>\r\n<head>\r\n{_META}\r\n</head>\r\n<body>\r\n{inner}\r\n</body>\r\n</html>\r\n",
    }


def _plain(text: str) -> str:
    pieces: list[str] = []
    body = _parsed(text)
    if body is None:
        return ""
    etree.strip_elements(body, *_UNSAFE, with_tail=False)
    for event, element in etree.iterwalk(body, events=("start", "end")):
        tag = element.tag if isinstance(element.tag, str) else ""
        if event == "start":
            pieces.append(re.sub(r"\s+", " ", element.text or ""))
            if tag == "br":
                pieces.append("\r\n")
        else:
            if tag in _BLOCKS and tag != "br":
                pieces.append("\r\n")
            if element is not body:
                pieces.append(re.sub(r"\s+", " ", element.tail or ""))
    return re.sub(r"[ \t]*\r\n[ \t]*", "\r\n", "".join(pieces)).strip()
