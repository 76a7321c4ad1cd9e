"""Folders: the tree that a mailbox is born with, and what clients make of it."""

from __future__ import annotations

import re

import pytest
from exchangelib import Account, CalendarItem, errors
from exchangelib.folders import Calendar, Contacts

from tests.lab.exchange.conftest import Lab
from tests.lab.exchange.events import event, raw


def test_it_gives_a_mailbox_its_folders(ada: Account) -> None:
    names = {folder.name for folder in ada.root.walk()}
    assert {"Top of Information Store", "Calendar", "Contacts", "Tasks", "Inbox", "Deleted Items"} <= names
    assert ada.calendar.parent.name == "Top of Information Store"
    assert ada.trash.folder_class == "IPF.Note"


def test_it_creates_renames_and_deletes_folders(ada: Account) -> None:
    folder = Calendar(parent=ada.calendar, name="Side").save()
    ada.calendar.refresh()
    assert ada.calendar.child_folder_count == 1
    folder.name = "Other side"
    folder.save(update_fields=["name"])
    assert [child.name for child in ada.calendar.children] == ["Other side"]
    folder.delete()
    ada.root.clear_cache()
    assert list(ada.calendar.children) == []


def test_it_refuses_two_folders_of_one_name(ada: Account) -> None:
    Contacts(parent=ada.contacts, name="Friends").save()
    with pytest.raises(errors.ErrorFolderExists):
        Contacts(parent=ada.contacts, name="friends").save()


def test_it_keeps_distinguished_folders(ada: Account) -> None:
    with pytest.raises(errors.ErrorDeleteDistinguishedFolder):
        ada.calendar.delete()


def test_it_counts_what_a_folder_holds(ada: Account) -> None:
    event(ada).save()
    ada.calendar.refresh()
    assert ada.calendar.total_count == 1


def test_it_tells_when_a_folder_last_changed(lab: Lab, ada: Account) -> None:
    request = (
        "<m:GetFolder {ns}><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>"
        '<t:ExtendedFieldURI PropertyTag="0x670A" PropertyType="SystemTime"/>'
        '<t:ExtendedFieldURI PropertyTag="0x670B" PropertyType="Integer"/></t:AdditionalProperties></m:FolderShape>'
        '<m:FolderIds><t:DistinguishedFolderId Id="calendar"/></m:FolderIds></m:GetFolder>'
    )
    assert re.findall("<t:Value>(.*?)</t:Value>", raw(lab, ada, request)) == ["0"]
    item = event(ada).save()
    committed, deleted = re.findall("<t:Value>(.*?)</t:Value>", raw(lab, ada, request))
    assert (len(committed), deleted) == (len("2026-01-01T00:00:00Z"), "0")
    item.delete()
    assert re.findall("<t:Value>(.*?)</t:Value>", raw(lab, ada, request))[1] == "1"


def test_it_refuses_an_event_in_a_contacts_folder(ada: Account) -> None:
    item = event(ada)
    item.folder = ada.contacts
    with pytest.raises(errors.ErrorCannotCreateCalendarItemInNonCalendarFolder):
        item.save()
    assert ada.contacts.all().count() == 0


def test_it_reports_changes_of_the_hierarchy(ada: Account) -> None:
    top = ada.root.tois
    first = list(top.sync_hierarchy())
    assert {kind for kind, _ in first} == {"create"}
    side = Calendar(parent=ada.calendar, name="Side").save()
    state = top.folder_sync_state
    assert [(kind, folder.name) for kind, folder in top.sync_hierarchy(sync_state=state)] == [("create", "Side")]
    state = top.folder_sync_state
    side.name = "Renamed"
    side.save(update_fields=["name"])
    assert [(kind, folder.name) for kind, folder in top.sync_hierarchy(sync_state=state)] == [("update", "Renamed")]
    state = top.folder_sync_state
    ident = side.id
    side.delete()
    assert [(kind, folder.id) for kind, folder in top.sync_hierarchy(sync_state=state)] == [("delete", ident)]


def test_it_moves_items_between_folders_under_new_ids(ada: Account) -> None:
    side = Calendar(parent=ada.calendar, name="Side").save()
    item = event(ada).save()
    before = item.id
    item.move(side)
    assert item.id != before
    assert [found.id for found in side.all().only("subject")] == [item.id]
    with pytest.raises(errors.ErrorItemNotFound):
        ada.calendar.get(id=before)
    assert isinstance(side.get(id=item.id), CalendarItem)
