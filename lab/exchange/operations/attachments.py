"""Attachments (MS-OXWSATT): files, of which one may be a contact's picture. Items as attachments are not kept."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

from lxml import etree

from lab.exchange.call import Call, stored_item
from lab.exchange.computed import attachment_element
from lab.exchange.operations.messages import each, wrapped
from lab.exchange.records import Attachment
from lab.exchange.soap import Element, EwsError, M, SoapFault, T, local
from lab.exchange.view import View

# Exchange 2016's EWS request limit for content.
MAX_ATTACHMENT_BYTES = 35 * 1024 * 1024


def create_attachment(call: Call) -> Element:
    """CreateAttachment: every attachment changes the parent's change key."""
    parent = call.request.find(f"{M}ParentItemId")
    attachments = call.request.find(f"{M}Attachments")
    if parent is None or attachments is None:
        raise SoapFault("ErrorInvalidRequest", "The request names no item or no attachment.")

    def create(element: Element) -> Iterable[Element]:
        item, view = stored_item(call, parent.get("Id", ""))
        if view.instance is not None:
            raise EwsError("ErrorInvalidOperation", "This server keeps no attachments on occurrences.")
        if local(element) != "FileAttachment":
            raise EwsError("ErrorInvalidItemForOperationCreateItemAttachment", "Only files can be attached.")
        attachment, content = _read(element, contact=view.kind == "contact")
        if attachment.photo:
            # A contact has one picture: a new one takes the old one's place (MS-OXOCNTC 2.2.1.8).
            for old in view.attachments:
                if old.photo:
                    call.store.delete_attachment(old)
        added = call.store.add_attachment(item, attachment, content)
        fresh = View(call.store, call.store.save_item(item))
        shown = etree.Element(f"{T}FileAttachment")
        etree.SubElement(
            shown,
            f"{T}AttachmentId",
            Id=added.ident,
            RootItemId=fresh.ident,
            RootItemChangeKey=fresh.change_key,
        )
        return [wrapped("Attachments", shown)]

    return each(call, list(attachments), create)


def _read(element: Element, contact: bool) -> tuple[Attachment, bytes]:
    text = element.findtext(f"{T}Content") or ""
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise EwsError("ErrorInvalidAttachmentId", "The content is not base64.") from None
    if len(content) > MAX_ATTACHMENT_BYTES:
        raise EwsError("ErrorAttachmentSizeLimitExceeded", "The attachment is too big.")
    # On anything but a contact the flag means nothing.
    photo = contact and element.findtext(f"{T}IsContactPhoto") in ("true", "1")
    attachment = Attachment(
        id=0,
        item=0,
        ident="",
        # MS-OXOCNTC 2.2.1.8.3: the picture's name is fixed.
        name="ContactPicture.jpg" if photo else element.findtext(f"{T}Name") or "",
        content_type=element.findtext(f"{T}ContentType") or ("image/jpeg" if photo else ""),
        content_id=element.findtext(f"{T}ContentId") or "",
        inline=element.findtext(f"{T}IsInline") in ("true", "1"),
        photo=photo,
        modified="",
        size=len(content),
    )
    return attachment, content


def _find(call: Call, ident: Element) -> tuple[Attachment, View]:
    attachment = call.store.attachment(ident.get("Id", ""))
    if attachment is None:
        raise EwsError("ErrorInvalidAttachmentId", "The specified attachment Id is invalid.")
    item = call.store.item(attachment.item)
    stored_item(call, item.ident)
    return attachment, View(call.store, item)


def _ids(call: Call) -> list[Element]:
    ids = call.request.find(f"{M}AttachmentIds")
    return [] if ids is None else list(ids)


def get_attachment(call: Call) -> Element:
    """GetAttachment: the bytes as they were given."""

    def get(ident: Element) -> Iterable[Element]:
        attachment, view = _find(call, ident)
        content = call.store.attachment_content(attachment)
        return [wrapped("Attachments", attachment_element(view, attachment.ident, call.context, content))]

    return each(call, _ids(call), get)


def delete_attachment(call: Call) -> Element:
    """DeleteAttachment: answers with the parent's new change key."""

    def delete(ident: Element) -> Iterable[Element]:
        attachment, view = _find(call, ident)
        call.store.delete_attachment(attachment)
        fresh = View(call.store, call.store.save_item(view.item))
        root = etree.Element(f"{M}RootItemId", RootItemId=fresh.ident, RootItemChangeKey=fresh.change_key)
        return [root]

    return each(call, _ids(call), delete)
