"""The properties of items, as tables in the order of Microsoft's schema.

A row: the field's URI, its element, its type, and how it may be used. What has no row is unknown to this server:
such elements are dropped on the way in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from lab.exchange.values import (
    Addresses,
    Attendees,
    BodyText,
    Built,
    Flag,
    Moment,
    Number,
    Parts,
    People,
    Person,
    Recurrence,
    Slots,
    Text,
    Texts,
    ValueType,
    Whole,
    Zone,
)


@dataclass(frozen=True)
class Field:
    """One property. ``computed``: the server makes it (computed.py) and refuses to set it.

    ``shapes``: "D" also in the Default shape, "A" in AllProperties, "" only when asked for. ``complex``: GetItem
    gives it, FindItem does not (Microsoft: FindItem "returns only a subset of the properties").
    """

    uri: str
    type: ValueType
    shapes: str = "A"
    computed: bool = False
    complex: bool = False
    # Set but ignored: Exchange takes the element and lets its own rules win.
    ignored: bool = False

    @property
    def name(self) -> str:
        """The element's name."""
        return self.uri.rsplit(":", 1)[1]


TEXT, FLAG, WHOLE, MOMENT, BUILT = Text(), Flag(), Whole(), Moment(), Built()
# MS-OXPROPS strings that Outlook and Exchange keep in 255 characters.
SHORT = Text(255)
PHONES = [
    "AssistantPhone",
    "BusinessFax",
    "BusinessPhone",
    "BusinessPhone2",
    "Callback",
    "CarPhone",
    "CompanyMainPhone",
    "HomeFax",
    "HomePhone",
    "HomePhone2",
    "Isdn",
    "MobilePhone",
    "OtherFax",
    "OtherTelephone",
    "Pager",
    "PrimaryPhone",
    "RadioPhone",
    "Telex",
    "TtyTddPhone",
]
RIGHTS = Parts(
    ("CreateAssociated", "CreateContents", "CreateHierarchy", "Delete", "Modify", "Read", "ViewPrivateItems")
)
COMPLETE_NAME = Parts(("Title", "FirstName", "MiddleName", "LastName", "Suffix", "Initials", "FullName", "Nickname"))

ITEM = (
    Field("item:ItemId", BUILT, "D", computed=True),
    Field("item:ParentFolderId", BUILT, computed=True),
    Field("item:ItemClass", Text(255), "A"),
    Field("item:Subject", SHORT, "D"),  # MS-OXWSCORE R74: 255 characters
    Field("item:Sensitivity", TEXT),
    Field("item:Body", BodyText(), "D", complex=True),
    Field("item:Attachments", BUILT, computed=True, complex=True),
    Field("item:DateTimeReceived", MOMENT, computed=True),
    Field("item:Size", WHOLE, computed=True),
    Field("item:Categories", Texts()),
    Field("item:Importance", TEXT),
    Field("item:IsSubmitted", FLAG, computed=True),
    Field("item:IsDraft", FLAG, computed=True),
    Field("item:IsFromMe", FLAG, computed=True),
    Field("item:IsResend", FLAG, computed=True),
    Field("item:IsUnmodified", FLAG, computed=True),
    Field("item:DateTimeSent", MOMENT, computed=True),
    Field("item:DateTimeCreated", MOMENT, computed=True),
    Field("item:ReminderDueBy", MOMENT),
    Field("item:ReminderIsSet", FLAG),
    Field("item:ReminderMinutesBeforeStart", WHOLE),
    Field("item:DisplayCc", TEXT, computed=True),
    Field("item:DisplayTo", TEXT, computed=True),
    Field("item:HasAttachments", FLAG, "D", computed=True),
    Field("item:Culture", TEXT),
    Field("item:EffectiveRights", RIGHTS, computed=True),
    Field("item:LastModifiedName", TEXT, computed=True),
    Field("item:LastModifiedTime", MOMENT, computed=True),
    Field("item:IsAssociated", FLAG, computed=True),
    Field("item:UniqueBody", BodyText(), "", computed=True, complex=True),
    # MS-OXWSCORE R20451: ignored when set
    Field("item:StoreEntryId", TEXT, "", computed=True, ignored=True),
    Field("item:InstanceKey", TEXT, "", computed=True),
    # Never shown here, and refused when set (MS-OXWSCORE R2043, R2351 to R2358)
    Field("item:WebClientReadFormQueryString", TEXT, "", computed=True),
    Field("item:WebClientEditFormQueryString", TEXT, "", computed=True),
    Field("item:NormalizedBody", BodyText(), "", computed=True, complex=True),
    Field("item:RightsManagementLicenseData", TEXT, "", computed=True),
    Field("item:Preview", TEXT, "", computed=True),
    Field("item:BlockStatus", FLAG, "", computed=True),
    Field("item:HasBlockedImages", FLAG, "", computed=True),
    Field("item:TextBody", BUILT, "", computed=True, complex=True),
    Field("item:IconIndex", TEXT, "", computed=True),
)

MESSAGE = (
    Field("message:Sender", Person(), "D"),
    Field("message:ToRecipients", People(), complex=True),
    Field("message:CcRecipients", People(), complex=True),
    Field("message:BccRecipients", People(), complex=True),
    Field("message:IsReadReceiptRequested", FLAG),
    Field("message:IsDeliveryReceiptRequested", FLAG),
    Field("message:From", Person(), "D"),
    Field("message:InternetMessageId", TEXT),
    Field("message:IsRead", FLAG, "D"),
    Field("message:IsResponseRequested", FLAG),
    Field("message:References", TEXT),
    Field("message:ReplyTo", People(), complex=True),
)

CALENDAR = (
    Field("calendar:UID", TEXT, "A"),
    Field("calendar:RecurrenceId", MOMENT, computed=True),
    Field("calendar:DateTimeStamp", MOMENT, computed=True),
    Field("calendar:Start", MOMENT, "D"),
    Field("calendar:End", MOMENT, "D"),
    Field("calendar:OriginalStart", MOMENT, computed=True),
    Field("calendar:IsAllDayEvent", FLAG),
    Field("calendar:LegacyFreeBusyStatus", TEXT, "D"),
    Field("calendar:Location", SHORT, "D"),
    Field("calendar:IsMeeting", FLAG, computed=True),
    Field("calendar:IsCancelled", FLAG, computed=True),
    Field("calendar:IsRecurring", FLAG, computed=True),
    Field("calendar:MeetingRequestWasSent", FLAG, computed=True),
    Field("calendar:IsResponseRequested", FLAG),
    Field("calendar:CalendarItemType", TEXT, "D", computed=True),
    Field("calendar:MyResponseType", TEXT, computed=True),
    Field("calendar:Organizer", Person(), "D", computed=True, complex=True, ignored=True),
    Field("calendar:RequiredAttendees", Attendees(), complex=True),
    Field("calendar:OptionalAttendees", Attendees(), complex=True),
    Field("calendar:Resources", Attendees(), complex=True),
    Field("calendar:ConflictingMeetingCount", WHOLE, "", computed=True),
    Field("calendar:AdjacentMeetingCount", WHOLE, "", computed=True),
    Field("calendar:Duration", TEXT, computed=True),
    Field("calendar:TimeZone", TEXT, computed=True),
    Field("calendar:AppointmentReplyTime", MOMENT, computed=True),
    Field("calendar:AppointmentSequenceNumber", WHOLE, computed=True),
    Field("calendar:AppointmentState", WHOLE, computed=True),
    Field("calendar:Recurrence", Recurrence(), complex=True),
    Field("calendar:FirstOccurrence", BUILT, computed=True, complex=True),
    Field("calendar:LastOccurrence", BUILT, computed=True, complex=True),
    Field("calendar:ModifiedOccurrences", BUILT, computed=True, complex=True),
    Field("calendar:DeletedOccurrences", BUILT, computed=True, complex=True),
    Field("calendar:StartTimeZone", Zone()),
    Field("calendar:EndTimeZone", Zone()),
    Field("calendar:ConferenceType", WHOLE),
    Field("calendar:AllowNewTimeProposal", FLAG),
    Field("calendar:IsOnlineMeeting", FLAG),
    Field("calendar:MeetingWorkspaceUrl", TEXT),
    Field("calendar:NetShowUrl", TEXT),
    Field("calendar:StartWallClock", BUILT, computed=True),
    Field("calendar:EndWallClock", BUILT, computed=True),
    Field("calendar:StartTimeZoneId", TEXT, computed=True),
    Field("calendar:EndTimeZoneId", TEXT, computed=True),
    Field("calendar:IsOrganizer", FLAG, computed=True),
)

CONTACT = (
    Field("contacts:FileAs", SHORT, "D"),
    Field("contacts:FileAsMapping", TEXT),
    Field("contacts:DisplayName", SHORT, "D"),
    Field("contacts:GivenName", SHORT),
    Field("contacts:Initials", SHORT),
    Field("contacts:MiddleName", SHORT),
    Field("contacts:Nickname", SHORT),
    Field("contacts:CompleteName", COMPLETE_NAME, "D", computed=True, ignored=True),
    Field("contacts:CompanyName", SHORT, "D"),
    Field("contacts:EmailAddresses", Slots(("EmailAddress1", "EmailAddress2", "EmailAddress3"), mail=True), "D"),
    Field("contacts:PhysicalAddresses", Addresses(), "D"),
    Field("contacts:PhoneNumbers", Slots(tuple(PHONES)), "D"),
    Field("contacts:AssistantName", SHORT),
    Field("contacts:Birthday", MOMENT),
    Field("contacts:BusinessHomePage", TEXT),
    Field("contacts:Children", Texts()),
    Field("contacts:Companies", Texts()),
    Field("contacts:ContactSource", TEXT, "", computed=True),
    Field("contacts:Department", SHORT),
    Field("contacts:Generation", SHORT),
    Field("contacts:ImAddresses", Slots(("ImAddress1", "ImAddress2", "ImAddress3")), "D"),
    Field("contacts:JobTitle", SHORT, "D"),
    Field("contacts:Manager", SHORT),
    Field("contacts:Mileage", SHORT),
    Field("contacts:OfficeLocation", SHORT),
    Field("contacts:PostalAddressIndex", TEXT),
    Field("contacts:Profession", SHORT),
    Field("contacts:SpouseName", SHORT),
    Field("contacts:Surname", SHORT),
    Field("contacts:WeddingAnniversary", MOMENT),
    Field("contacts:HasPicture", FLAG, computed=True),
)

TASK = (
    Field("task:ActualWork", WHOLE),
    Field("task:AssignedTime", MOMENT, computed=True),
    Field("task:BillingInformation", SHORT),
    Field("task:ChangeCount", WHOLE, computed=True),
    Field("task:Companies", Texts()),
    Field("task:CompleteDate", MOMENT),
    Field("task:Contacts", Texts()),
    Field("task:DelegationState", TEXT, computed=True),
    Field("task:Delegator", TEXT, computed=True),
    Field("task:DueDate", MOMENT, "D"),
    Field("task:IsComplete", FLAG, computed=True),
    Field("task:IsRecurring", FLAG, computed=True),
    Field("task:IsTeamTask", FLAG, computed=True),
    Field("task:Mileage", SHORT),
    Field("task:Owner", TEXT, computed=True),
    Field("task:PercentComplete", Number(), "D"),
    Field("task:Recurrence", Recurrence(), complex=True),
    Field("task:StartDate", MOMENT, "D"),
    Field("task:Status", TEXT, "D"),
    Field("task:StatusDescription", TEXT, computed=True),
    Field("task:TotalWork", WHOLE),
)

# kind of item → its element, message class, own fields, folder class it may live in
KINDS: dict[str, tuple[str, str, tuple[Field, ...], str]] = {
    "calendar": ("CalendarItem", "IPM.Appointment", CALENDAR, "IPF.Appointment"),
    "contact": ("Contact", "IPM.Contact", CONTACT, "IPF.Contact"),
    "task": ("Task", "IPM.Task", TASK, "IPF.Task"),
    "message": ("Message", "IPM.Note", MESSAGE, ""),
}
KIND_OF_ELEMENT = {row[0]: kind for kind, row in KINDS.items()}


@lru_cache(maxsize=8)
def fields(kind: str) -> dict[str, Field]:
    """A kind's fields by element name, in schema order."""
    return {field.name: field for field in ITEM + KINDS[kind][2]}


@lru_cache(maxsize=8)
def fields_by_uri(kind: str) -> dict[str, Field]:
    """A kind's fields by URI."""
    return {field.uri: field for field in fields(kind).values()}


ALL_BY_URI = {field.uri: field for field in ITEM + MESSAGE + CALENDAR + CONTACT + TASK}
