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
    """HTML inside Exchange's own frame: its head, the body's content, nothing that could run."""
    inner = ""
    if text.strip():
        try:
            document = lxml_html.document_fromstring(text.replace("\r\n", "\n"))
        except etree.ParserError:
            document = lxml_html.document_fromstring("<body></body>")
        etree.strip_elements(document, *_UNSAFE, etree.Comment, with_tail=False)
        body = document.find("body")
        if body is not None:
            for element in body.iter():
                for name in [name for name in element.attrib if str(name).startswith("on")]:
                    del element.attrib[name]
            inner = html.escape(body.text or "", quote=False)
            inner += "".join(lxml_html.tostring(child, encoding="unicode") for child in body)
    inner = re.sub(r"\r\n|\r|\n", "\r\n", inner)
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
    document = lxml_html.document_fromstring(text.replace("\r\n", "\n"))
    pieces: list[str] = []
    body = document.find("body")
    for event, element in etree.iterwalk(document if body is None else body, events=("start", "end")):
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
