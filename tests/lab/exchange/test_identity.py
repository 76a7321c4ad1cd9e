"""UIDs and GlobalObjectIds: kept, derived from each other, searchable in one form only."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from exchangelib import Account, CalendarItem, ExtendedProperty, errors
from exchangelib.properties import UID
from exchangelib.recurrence import DailyPattern
from hypothesis import given
from hypothesis import strategies as st

from lab.exchange.goid import clean_goid, goid, new_uid, uid_of
from lab.exchange.records import now
from tests.lab.exchange.conftest import Lab
from tests.lab.exchange.events import event, raw, series


class CleanGlobalObjectId(ExtendedProperty):  # type: ignore[misc]
    """PidLidCleanGlobalObjectId."""

    distinguished_property_set_id = "Meeting"
    property_id = 0x23
    property_type = "Binary"


class GlobalObjectId(ExtendedProperty):  # type: ignore[misc]
    """PidLidGlobalObjectId."""

    distinguished_property_set_id = "Meeting"
    property_id = 3
    property_type = "Binary"


@pytest.fixture
def registered() -> Iterator[None]:
    CalendarItem.register("clean_goid", CleanGlobalObjectId)
    CalendarItem.register("goid", GlobalObjectId)
    yield
    CalendarItem.deregister("clean_goid")
    CalendarItem.deregister("goid")


@given(st.text(min_size=1, alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_foreign_uid_survives_its_goid(uid: str) -> None:
    assert uid_of(clean_goid(uid)) == uid


def test_exchangelib_reads_the_wrapped_uid_alike() -> None:
    assert bytes(UID("a-uid@example.org")) == clean_goid("a-uid@example.org")


def test_an_own_uid_is_its_goid() -> None:
    uid = new_uid(now())
    assert clean_goid(uid).hex().upper() == uid
    assert goid(uid, now().date()) != clean_goid(uid)
    assert uid_of(goid(uid, now().date())) == uid


@pytest.mark.usefixtures("registered")
def test_it_is_found_by_goid_and_not_by_uid(lab: Lab, ada: Account) -> None:
    for number in range(3):
        event(ada, uid=f"uid-{number}@example.org").save()
    (found,) = ada.calendar.filter(clean_goid=clean_goid("uid-1@example.org")).only("uid", "clean_goid", "goid")
    assert found.uid == "uid-1@example.org"
    assert found.clean_goid == found.goid == clean_goid("uid-1@example.org")
    query = (
        '<m:FindItem Traversal="Shallow" {ns}><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>'
        '<m:Restriction><t:IsEqualTo><t:FieldURI FieldURI="calendar:UID"/><t:FieldURIOrConstant>'
        '<t:Constant Value="uid-1@example.org"/></t:FieldURIOrConstant></t:IsEqualTo></m:Restriction>'
        '<m:ParentFolderIds><t:DistinguishedFolderId Id="calendar"/></m:ParentFolderIds></m:FindItem>'
    )
    assert "ErrorUnsupportedPathForQuery" in raw(lab, ada, query)


@pytest.mark.usefixtures("registered")
def test_many_are_found_at_once(ada: Account) -> None:
    for number in range(20):
        event(ada, uid=f"uid-{number}@example.org").save()
    wanted = [clean_goid(f"uid-{number}@example.org") for number in range(0, 40, 4)]
    assert {found.uid for found in ada.calendar.filter(clean_goid__in=wanted).only("uid")} == {
        f"uid-{number}@example.org" for number in range(0, 20, 4)
    }


@pytest.mark.usefixtures("registered")
def test_an_event_may_bring_its_identity_as_goid(ada: Account) -> None:
    item = event(ada)
    item.clean_goid = clean_goid("brought@example.org")
    item.save()
    assert ada.calendar.get(id=item.id).uid == "brought@example.org"


@pytest.mark.usefixtures("registered")
def test_an_occurrence_carries_its_date(ada: Account) -> None:
    master = series(ada, DailyPattern(interval=1), number=3, uid="series@example.org").save()
    occurrence = master.occurrence(2)
    occurrence.refresh()
    assert occurrence.uid == "series@example.org"
    assert occurrence.clean_goid == clean_goid("series@example.org")
    assert occurrence.goid[16:20] == bytes([0x07, 0xEA, 3, 3])


def test_a_uid_can_not_be_changed(ada: Account) -> None:
    item = event(ada, uid="first@example.org").save()
    item.uid = "second@example.org"
    with pytest.raises(errors.ErrorInvalidPropertySet):
        item.save(update_fields=["uid"])
