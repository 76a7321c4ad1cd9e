"""One request: who asks, for which mailbox, in which zone, and how the ids it names are resolved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC

from lab.exchange import ids, timezones
from lab.exchange.records import Account, Folder, Item, Mailbox
from lab.exchange.soap import Element, EwsError, S, SoapFault, T, local
from lab.exchange.store import Store
from lab.exchange.values import Context
from lab.exchange.view import View

_NOT_FOUND = "The specified object was not found in the store."


@dataclass
class Call:
    """A request under way; ``mailbox`` is the one whose owner the caller acts as, if any."""

    store: Store
    account: Account
    mailbox: Mailbox | None
    operation: str
    request: Element
    context: Context
    default_zone: timezones.Zone


def open_call(store: Store, account: Account, envelope: Element, operation: Element) -> Call:
    """Read the SOAP header of a request; raises SoapFault for a denied or impossible impersonation."""
    header = envelope.find(f"{S}Header")
    context, zone = Context(), {"id": "UTC", "name": timezones.display_name("UTC")}
    mailbox = store.mailbox_by_id(account.mailbox) if account.mailbox is not None else None
    if header is not None:
        definition = header.find(f"{T}TimeZoneContext/{T}TimeZoneDefinition")
        if definition is not None:
            zone = timezones.read_zone(definition)
            tz = timezones.tz_of(zone)
            context = Context(UTC if zone["id"] == "UTC" else tz, tz)
        impersonation = header.find(f"{T}ExchangeImpersonation")
        if impersonation is not None:
            mailbox = _impersonated(store, account, impersonation)
    return Call(store, account, mailbox, local(operation), operation, context, zone)


def _impersonated(store: Store, account: Account, header: Element) -> Mailbox:
    """The mailbox of an ExchangeImpersonation header (MS-OXWSCDATA 2.2.3.3)."""
    names = ("PrimarySmtpAddress", "SmtpAddress", "PrincipalName")
    address = next((header.findtext(f".//{T}{n}") for n in names if header.findtext(f".//{T}{n}")), None)
    if not address:
        raise SoapFault("ErrorInvalidExchangeImpersonationHeaderData", "The impersonation header names nobody.")
    mailbox = store.mailbox(address)
    if mailbox is None:
        raise SoapFault("ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it.")
    allowed = account.impersonates
    if account.mailbox != mailbox.id and "*" not in allowed and mailbox.address.lower() not in allowed:
        raise SoapFault(
            "ErrorImpersonateUserDenied", "The account does not have permission to impersonate the requested user."
        )
    return mailbox


def _allowed(call: Call, mailbox: int) -> bool:
    return call.mailbox is not None and call.mailbox.id == mailbox


def find_folder(call: Call, element: Element, missing: str = "ErrorFolderNotFound") -> Folder:
    """The folder of a FolderId or DistinguishedFolderId; raises EwsError, ``missing`` where there is none."""
    folder: Folder | None
    if local(element) == "DistinguishedFolderId":
        folder = call.store.folder_by_role(_addressed(call, element), element.get("Id", ""))
    else:
        ident = element.get("Id", "")
        folder = call.store.folder_by_ident(ident)
        if folder is None and (not ident or call.store.item_by_ident(ident) is not None):
            raise EwsError("ErrorCannotUseItemIdForFolderId", "The ID is not that of a folder.")
    if folder is None:
        raise EwsError(missing, "The specified folder could not be found in the store.")
    if not _allowed(call, folder.mailbox):
        raise EwsError("ErrorAccessDenied", "Access is denied. Check credentials and try again.")
    return folder


def _addressed(call: Call, element: Element) -> Mailbox:
    address = element.findtext(f"{T}Mailbox/{T}EmailAddress")
    if address:
        mailbox = call.store.mailbox(address)
        if mailbox is None:
            raise EwsError("ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it.")
        return mailbox
    if call.mailbox is None:
        raise EwsError(
            "ErrorMissingEmailAddress",
            "When making a request as an account that does not have a mailbox, you must specify the mailbox primary "
            "SMTP address for any distinguished folder Ids.",
        )
    return call.mailbox


def only_folder(call: Call, parent: Element, missing: str = "ErrorFolderNotFound") -> Folder:
    """The folder named by the first id inside an element."""
    ids_inside = [child for child in parent if isinstance(child.tag, str)]
    if not ids_inside:
        raise EwsError("ErrorInvalidFolderId", "The request names no folder.")
    return find_folder(call, ids_inside[0], missing)


def stored_item(call: Call, ident: str) -> tuple[Item, View]:
    """The stored item and the view that an ItemId's Id stands for; raises EwsError."""
    try:
        master_ident, original = ids.split_ident(ident)
    except ids.BadId:
        raise EwsError("ErrorInvalidIdMalformed", "Id is malformed.") from None
    item = call.store.item_by_ident(master_ident)
    if item is None:
        if call.store.folder_by_ident(master_ident) is not None:
            raise EwsError("ErrorCannotUseFolderIdForItemId", "Id is that of a folder.")
        raise EwsError("ErrorItemNotFound", _NOT_FOUND)
    if not _allowed(call, item.mailbox):
        raise EwsError("ErrorAccessDenied", "Access is denied. Check credentials and try again.")
    view = View(call.store, item)
    if original is None:
        return item, view
    if not view.is_master:
        raise EwsError("ErrorItemNotFound", _NOT_FOUND)
    return item, View(call.store, item, view.series.by_original(original))


def find_item(call: Call, element: Element) -> View:
    """The item of an ItemId, OccurrenceItemId or RecurringMasterItemId (MS-OXWSCORE 2.2.4.25, .35, .38)."""
    match local(element):
        case "OccurrenceItemId":
            item, view = stored_item(call, element.get("RecurringMasterId", ""))
            if view.instance is not None or not view.is_master:
                raise EwsError(
                    "ErrorCalendarCannotUseIdForRecurringMasterId", "The ID is not that of a recurring master."
                )
            return View(call.store, item, view.series.by_index(int(element.get("InstanceIndex", "0"))))
        case "RecurringMasterItemId":
            item, view = stored_item(call, element.get("OccurrenceId", ""))
            if view.instance is None:
                raise EwsError("ErrorCalendarCannotUseIdForOccurrenceId", "The ID is not that of an occurrence.")
            return View(call.store, item)
        case "ItemId":
            return stored_item(call, element.get("Id", ""))[1]
    raise EwsError("ErrorInvalidId", "This kind of item id is not supported.")
