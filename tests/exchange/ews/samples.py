"""Items as Exchange sends them: the shapes of Microsoft's samples (MicrosoftDocs/office-developer-exchange-docs) and of
captures, with names of our own."""

from __future__ import annotations

from syncapp.exchange.ews.xml import TYPES, Element, parse

NAMESPACE = f'xmlns:t="{TYPES}"'
IDS = '<t:ItemId Id="AAMkAG=" ChangeKey="DwAAABYA"/><t:ParentFolderId Id="AQMkAC=" ChangeKey="AQAAAA=="/>'
BERLIN = """
<t:StartTimeZone Name="(UTC+01:00) Amsterdam, Berlin, Bern" Id="W. Europe Standard Time">
  <t:Periods>
    <t:Period Bias="-PT1H" Name="Standard" Id="trule:Microsoft/Registry/W. Europe Standard Time/1-Standard"/>
    <t:Period Bias="-PT2H" Name="Daylight" Id="trule:Microsoft/Registry/W. Europe Standard Time/1-Daylight"/>
  </t:Periods>
</t:StartTimeZone>
<t:EndTimeZone Name="(UTC+01:00) Amsterdam, Berlin, Bern" Id="W. Europe Standard Time"/>"""


def calendar_item(content: str, zones: str = BERLIN) -> Element:
    """A CalendarItem with these properties."""
    return parse(f"<t:CalendarItem {NAMESPACE}>{IDS}{content}{zones}</t:CalendarItem>".encode())


def contact(content: str) -> Element:
    """A Contact with these properties."""
    return parse(f"<t:Contact {NAMESPACE}>{IDS}{content}</t:Contact>".encode())


MEETING = """
<t:ItemClass>IPM.Appointment</t:ItemClass>
<t:Subject>Quarterly review</t:Subject>
<t:Sensitivity>Private</t:Sensitivity>
<t:Body BodyType="Text">Agenda&#xD;
&#xD;
1. Numbers&#xB;</t:Body>
<t:Categories><t:String>Work</t:String><t:String>Red Category</t:String></t:Categories>
<t:Importance>Normal</t:Importance>
<t:ReminderIsSet>true</t:ReminderIsSet>
<t:ReminderMinutesBeforeStart>0</t:ReminderMinutesBeforeStart>
<t:UID>040000008200E00074C5B7101A82E00800000000A0BC1E4D0C5BDC0100000000000000001000000063D2A5</t:UID>
<t:Start>2026-03-10T08:00:00.0000000Z</t:Start>
<t:End>2026-03-10T09:30:00+00:00</t:End>
<t:IsAllDayEvent>false</t:IsAllDayEvent>
<t:LegacyFreeBusyStatus>OOF</t:LegacyFreeBusyStatus>
<t:Location>Room 3</t:Location>
<t:IsMeeting>true</t:IsMeeting>
<t:CalendarItemType>Single</t:CalendarItemType>
<t:Organizer><t:Mailbox><t:Name>Bob Bell</t:Name><t:EmailAddress>bob@lab.example</t:EmailAddress>
  <t:RoutingType>SMTP</t:RoutingType></t:Mailbox></t:Organizer>
<t:RequiredAttendees><t:Attendee><t:Mailbox><t:Name>Ada</t:Name><t:EmailAddress>ada@lab.example</t:EmailAddress>
  </t:Mailbox><t:ResponseType>Accept</t:ResponseType></t:Attendee></t:RequiredAttendees>
<t:OptionalAttendees><t:Attendee><t:Mailbox><t:EmailAddress>eve@lab.example</t:EmailAddress></t:Mailbox>
  <t:ResponseType>NoResponseReceived</t:ResponseType></t:Attendee></t:OptionalAttendees>
<t:Resources><t:Attendee><t:Mailbox><t:Name>No address</t:Name></t:Mailbox></t:Attendee></t:Resources>
"""

SERIES = """
<t:Subject>Jour fixe</t:Subject>
<t:Sensitivity>Normal</t:Sensitivity>
<t:Body BodyType="Text"/>
<t:ReminderIsSet>false</t:ReminderIsSet>
<t:UID>series@lab.example</t:UID>
<t:Start>2026-10-05T07:00:00Z</t:Start>
<t:End>2026-10-05T07:45:00Z</t:End>
<t:IsAllDayEvent>false</t:IsAllDayEvent>
<t:LegacyFreeBusyStatus>Busy</t:LegacyFreeBusyStatus>
<t:Location>Kitchen</t:Location>
<t:IsMeeting>false</t:IsMeeting>
<t:CalendarItemType>RecurringMaster</t:CalendarItemType>
<t:Organizer><t:Mailbox><t:EmailAddress>ada@lab.example</t:EmailAddress></t:Mailbox></t:Organizer>
<t:Recurrence>
  <t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Monday</t:DaysOfWeek>
    <t:FirstDayOfWeek>Monday</t:FirstDayOfWeek></t:WeeklyRecurrence>
  <t:EndDateRecurrence><t:StartDate>2026-10-05+02:00</t:StartDate><t:EndDate>2026-11-30T00:00:00</t:EndDate>
  </t:EndDateRecurrence>
</t:Recurrence>
<t:ModifiedOccurrences><t:Occurrence><t:ItemId Id="AAMkOcc=" ChangeKey="DwAB"/>
  <t:Start>2026-10-12T09:00:00Z</t:Start><t:End>2026-10-12T10:00:00Z</t:End>
  <t:OriginalStart>2026-10-12T07:00:00Z</t:OriginalStart></t:Occurrence></t:ModifiedOccurrences>
<t:DeletedOccurrences><t:DeletedOccurrence><t:Start>2026-11-02T08:00:00Z</t:Start></t:DeletedOccurrence>
</t:DeletedOccurrences>
"""

OCCURRENCE = """
<t:Subject>Jour fixe (moved)</t:Subject>
<t:Sensitivity>Normal</t:Sensitivity>
<t:Body BodyType="Text"/>
<t:ReminderIsSet>false</t:ReminderIsSet>
<t:Start>2026-10-12T09:00:00Z</t:Start>
<t:End>2026-10-12T10:00:00Z</t:End>
<t:OriginalStart>2026-10-12T07:00:00Z</t:OriginalStart>
<t:IsAllDayEvent>false</t:IsAllDayEvent>
<t:LegacyFreeBusyStatus>Busy</t:LegacyFreeBusyStatus>
<t:Location>Kitchen</t:Location>
<t:CalendarItemType>Exception</t:CalendarItemType>
"""

PERSON = """
<t:ItemClass>IPM.Contact</t:ItemClass>
<t:Subject>Brian Johnson</t:Subject>
<t:Body BodyType="HTML">&lt;html&gt;&lt;body&gt;&lt;p&gt;Met in &lt;b&gt;Ulm&lt;/b&gt;&lt;/p&gt;
&lt;/body&gt;&lt;/html&gt;</t:Body>
<t:Attachments>
  <t:FileAttachment><t:AttachmentId Id="AAMkPic="/><t:Name>ContactPicture.jpg</t:Name>
    <t:IsContactPhoto>true</t:IsContactPhoto></t:FileAttachment>
  <t:FileAttachment><t:AttachmentId Id="AAMkCv="/><t:Name>cv.pdf</t:Name></t:FileAttachment>
</t:Attachments>
<t:ExtendedProperty><t:ExtendedFieldURI PropertyTag="0x3A45" PropertyType="String"/><t:Value>Dr.</t:Value>
</t:ExtendedProperty>
<t:ExtendedProperty>
  <t:ExtendedFieldURI PropertySetId="6B1F3C0E-7D52-4A8E-9D55-0C6A2F8E41B7" PropertyName="ConnectorId"
    PropertyType="String"/><t:Value>abc.1</t:Value></t:ExtendedProperty>
<t:FileAs>Johnson, Brian</t:FileAs>
<t:DisplayName>Brian Johnson</t:DisplayName>
<t:GivenName>Brian</t:GivenName>
<t:CompanyName>AdventureWorks</t:CompanyName>
<t:EmailAddresses>
  <t:Entry Key="EmailAddress1">brian@lab.example</t:Entry>
  <t:Entry Key="EmailAddress2" RoutingType="EX">/o=Lab/ou=Exchange/cn=Recipients/cn=brian</t:Entry>
  <t:Entry Key="EmailAddress3"/>
</t:EmailAddresses>
<t:PhysicalAddresses>
  <t:Entry Key="Business"><t:Street>Main 1</t:Street><t:City>Ulm</t:City><t:CountryOrRegion>Germany</t:CountryOrRegion>
  </t:Entry>
  <t:Entry Key="Home"/>
</t:PhysicalAddresses>
<t:PhoneNumbers>
  <t:Entry Key="AssistantPhone"/><t:Entry Key="MobilePhone">+49 171 1</t:Entry><t:Entry Key="Msn">x</t:Entry>
</t:PhoneNumbers>
<t:Birthday>{birthday}</t:Birthday>
<t:Surname>Johnson</t:Surname>
<t:HasPicture>true</t:HasPicture>
"""
