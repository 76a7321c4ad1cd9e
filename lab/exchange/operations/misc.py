"""ConvertId, GetServerTimeZones, ResolveNames: what clients ask a server besides items."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from lab.exchange.call import Call
from lab.exchange.operations.messages import each
from lab.exchange.soap import Element, EwsError, M, T, local
from lab.exchange.timezones import server_time_zones


def convert_id(call: Call) -> Element:
    """ConvertId: this server has one format of ids, so each is its own conversion (MS-OXWSCVTID)."""
    wanted = call.request.get("DestinationFormat", "EwsId")
    sources = call.request.find(f"{M}SourceIds")

    def convert(source: Element) -> Iterable[Element]:
        ident = source.get("Id", "")
        if local(source) != "AlternateId" or (
            call.store.item_by_ident(ident) is None and call.store.folder_by_ident(ident) is None
        ):
            raise EwsError("ErrorInvalidIdMalformed", "Id is malformed.")
        converted = etree.Element(f"{M}AlternateId", Format=wanted, Id=ident, Mailbox=source.get("Mailbox", ""))
        converted.set("{http://www.w3.org/2001/XMLSchema-instance}type", "t:AlternateIdType")
        return [converted]

    return each(call, [] if sources is None else list(sources), convert)


def get_server_time_zones(call: Call) -> Element:
    """GetServerTimeZones (MS-OXWSGTZ)."""
    return each(call, [call.request], lambda request: [server_time_zones(request)])


def resolve_names(call: Call) -> Element:
    """ResolveNames over the mailboxes' addresses and names (MS-OXWSRSLNM)."""

    def resolve(request: Element) -> Iterable[Element]:
        text = (request.findtext(f"{M}UnresolvedEntry") or "").casefold().removeprefix("smtp:")
        found = [
            mailbox
            for mailbox in call.store.mailboxes()
            if mailbox.address.casefold().startswith(text) or text in mailbox.name.casefold()
        ]
        if not found:
            raise EwsError("ErrorNameResolutionNoResults", "No results were found.")
        resolutions = etree.Element(
            f"{M}ResolutionSet", TotalItemsInView=str(len(found)), IncludesLastItemInRange="true"
        )
        for mailbox in found:
            person = etree.SubElement(etree.SubElement(resolutions, f"{T}Resolution"), f"{T}Mailbox")
            etree.SubElement(person, f"{T}Name").text = mailbox.name
            etree.SubElement(person, f"{T}EmailAddress").text = mailbox.address
            etree.SubElement(person, f"{T}RoutingType").text = "SMTP"
            etree.SubElement(person, f"{T}MailboxType").text = "Mailbox"
        return [resolutions]

    return each(call, [call.request], resolve)
