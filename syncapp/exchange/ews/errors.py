"""What EWS response codes mean to the engine (docs/server-behaviour.md, "Exchange").

Sentences are for administrators: they say what happened and who must do what, and hold nothing of an item.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from syncapp.exchange.ews.xml import MESSAGES, TYPES, Element
from syncapp.side import (
    ChangedMeanwhile,
    Gone,
    LoginFailed,
    NoMailbox,
    NotAllowed,
    Refused,
    SideError,
    Throttled,
    TokenLost,
    Unreachable,
)


class SearchRefused(Refused):
    """The server can't search in the way it was asked to."""


_SEARCH = "Exchange can't search for this property."
_DENIED = (
    "The service account may not act on this mailbox. An Exchange administrator must give it the role "
    "ApplicationImpersonation for it."
)
_NO_MAILBOX = "Exchange knows no mailbox with this address on this server; it may have been moved, renamed or deleted."
_FORBIDDEN = "The mailbox doesn't allow this: its owner has no right to it, or the folder is read-only."
_DISABLED = "The account behind this mailbox is disabled in Exchange."
_LATER = "Exchange can't work on this mailbox right now; we try again later."
_GONE = "The item does not exist in Exchange any more."
_CHANGED = "Somebody changed the item in Exchange in between."
_STATE_LOST = "Exchange has forgotten where we were; everything is listed again."
_TOO_BIG = "The item is bigger than Exchange accepts."
_QUOTA = "The mailbox is full: Exchange takes nothing new until its owner makes room or the quota is raised."
_SERIES = "Exchange can't hold this series: one of its dates would cross or meet its neighbour."

_MEANINGS: Mapping[str, tuple[Callable[[str], SideError], str]] = {
    "ErrorImpersonateUserDenied": (NotAllowed, _DENIED),
    "ErrorImpersonationDenied": (NotAllowed, _DENIED),
    "ErrorImpersonationFailed": (NotAllowed, _DENIED),
    "ErrorAccessDenied": (NotAllowed, _FORBIDDEN),
    "ErrorCreateItemAccessDenied": (NotAllowed, _FORBIDDEN),
    "ErrorAccountDisabled": (NotAllowed, _DISABLED),
    "ErrorMailboxStoreUnavailable": (Unreachable, _LATER),
    "ErrorNonExistentMailbox": (NoMailbox, _NO_MAILBOX),
    "ErrorCannotFindUser": (NoMailbox, _NO_MAILBOX),
    "ErrorMissingEmailAddress": (NoMailbox, _NO_MAILBOX),
    "ErrorMailboxMoveInProgress": (Unreachable, _LATER),
    "ErrorInvalidSyncStateData": (TokenLost, _STATE_LOST),
    "ErrorSyncFolderNotFound": (Gone, "The folder does not exist in Exchange any more."),
    "ErrorFolderNotFound": (Gone, "The folder does not exist in Exchange any more."),
    "ErrorItemNotFound": (Gone, _GONE),
    # An id that can't be one names nothing. Whether the store is still the same is a question for the epoch.
    "ErrorInvalidId": (Gone, _GONE),
    "ErrorInvalidIdEmpty": (Gone, _GONE),
    "ErrorInvalidIdMalformed": (Gone, _GONE),
    "ErrorInvalidFolderId": (Gone, "The folder does not exist in Exchange any more."),
    "ErrorInvalidAttachmentId": (Gone, "The attachment does not exist in Exchange any more."),
    "ErrorCalendarOccurrenceIsDeletedFromRecurrence": (Gone, "This date of the series is deleted in Exchange."),
    "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange": (Gone, "The series has no such date in Exchange."),
    "ErrorIrresolvableConflict": (ChangedMeanwhile, _CHANGED),
    "ErrorStaleObject": (ChangedMeanwhile, _CHANGED),
    "ErrorInvalidChangeKey": (ChangedMeanwhile, _CHANGED),
    "ErrorChangeKeyRequired": (ChangedMeanwhile, _CHANGED),
    "ErrorInvalidRestriction": (SearchRefused, _SEARCH),
    "ErrorUnsupportedPathForQuery": (SearchRefused, _SEARCH),
    "ErrorUnsupportedQueryFilter": (SearchRefused, _SEARCH),
    "ErrorMessageSizeExceeded": (Refused, _TOO_BIG),
    "ErrorAttachmentSizeLimitExceeded": (Refused, "The photo is bigger than Exchange accepts."),
    "ErrorQuotaExceeded": (Refused, _QUOTA),
    "ErrorOccurrenceCrossingBoundary": (Refused, _SERIES),
    "ErrorOccurrenceTimeSpanTooBig": (Refused, "The dates of this series overlap each other, which Exchange refuses."),
    "ErrorRecurrenceHasNoOccurrence": (Refused, "The series has no date at all, which Exchange refuses."),
    "ErrorCalendarEndDateIsEarlierThanStartDate": (Refused, "The event ends before it begins, which Exchange refuses."),
    "ErrorCalendarDurationIsTooLong": (Refused, "The event lasts longer than Exchange accepts (five years)."),
    "ErrorCalendarInvalidTimeZone": (Refused, "This Exchange server does not know the time zone of the event."),
    "ErrorTimeZone": (Refused, "This Exchange server does not know the time zone of the event."),
    "ErrorInternalServerError": (Unreachable, "Exchange failed inside; we try again later."),
    "ErrorInternalServerTransientError": (Unreachable, _LATER),
    "ErrorTimeoutExpired": (Unreachable, _LATER),
    "ErrorMailboxFailover": (Unreachable, _LATER),
    "ErrorTooManyObjectsOpened": (Unreachable, _LATER),
    "ErrorConnectionFailed": (Unreachable, _LATER),
    "ErrorPasswordExpired": (LoginFailed, "The password of the service account has expired."),
    "ErrorPasswordChangeRequired": (LoginFailed, "The service account must change its password first."),
}

_THROTTLING = frozenset({"ErrorServerBusy", "ErrorExceededConnectionCount", "ErrorExceededSubscriptionCount"})


def error_of_code(code: str, back_off_milliseconds: str = "") -> SideError:
    """The error for an EWS response code; one that is not in the table is taken as a refusal and named."""
    if code in _THROTTLING:
        seconds = int(back_off_milliseconds) / 1000 if back_off_milliseconds.isdigit() else None
        # The budget behind ErrorServerBusy is the mailbox's, that of connections the account's.
        return Throttled(seconds, account=code != "ErrorServerBusy")
    if code in _MEANINGS:
        kind, sentence = _MEANINGS[code]
        return kind(sentence)
    return Refused(f"Exchange does not take it and answers with {code or 'an error without a name'}.")


def error_of_message(message: Element) -> SideError | None:
    """The error in a response message, None for a success (MS-OXWSCDATA section 2.2.4.43, ResponseMessageType).

    An inner code, which ErrorInternalServerError may carry, is the better name.
    """
    if message.get("ResponseClass", "Success") == "Success":
        return None
    values = {each.get("Name", ""): each.text or "" for each in message.iterfind(f".//{{{TYPES}}}Value")}
    code = values.get("InnerErrorResponseCode") or message.findtext(f"{{{MESSAGES}}}ResponseCode") or ""
    return error_of_code(code, values.get("BackOffMilliseconds", ""))


def error_of_fault(fault: Element) -> SideError:
    """The error in a SOAP fault, whose detail names an EWS response code when Exchange itself raised it."""
    code, back_off = "", ""
    for element in fault.iter():
        if isinstance(element.tag, str):
            if element.tag.endswith("}ResponseCode"):
                code = (element.text or "").strip()
            elif element.get("Name") == "BackOffMilliseconds":
                back_off = (element.text or "").strip()
    if not code:
        code = (fault.findtext("faultcode") or "").rpartition(":")[2]
    if code.startswith("Error"):
        return error_of_code(code, back_off)
    return Unreachable("The Exchange server answered with a fault of its web service; we try again later.")
