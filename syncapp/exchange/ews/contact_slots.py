"""The slots that Exchange has for the addresses and numbers of a contact. Pure.

A slot that holds what it shall hold is left alone: an address keeps its place whatever the order is elsewhere, a new
one takes the first free slot, and what a slot holds that we can't show stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from syncapp.exchange.ews.extended import POST_BOXES, extended_values
from syncapp.exchange.ews.markup import Markup, t
from syncapp.exchange.ews.properties import (
    ADDRESS_KEYS,
    ADDRESS_PARTS,
    EMAIL_KEYS,
    IM_KEYS,
    PHONE_KEYS,
    clear_field,
    indexed,
    path,
    set_field,
)
from syncapp.exchange.ews.xml import Properties
from syncapp.items.contact import im_key
from syncapp.items.fields import address_key
from syncapp.items.values import Email, Phone, PostalAddress

ITEM = "Contact"
_LABELS = {key: label for label, key in PHONE_KEYS.items()}
_ADDRESS_LABELS = {key: label for label, key in ADDRESS_KEYS.items()}


# Reading ---------------------------------------------------------------------------------------------------------


def _slots(item: Properties, name: str) -> dict[str, str]:
    return {each.get("Key", ""): each.text or "" for each in item.children(name)}


def email_slots(item: Properties) -> dict[str, str]:
    """The mail addresses by the key of their slot; one that is no internet address (RoutingType EX) as it stands."""
    found = _slots(item, "EmailAddresses")
    return {key: found[key] for key in EMAIL_KEYS if found.get(key)}


def read_phones(item: Properties) -> tuple[Phone, ...]:
    """The phone numbers."""
    found = _slots(item, "PhoneNumbers")
    return tuple([Phone(number, _LABELS[key]) for key, number in found.items() if key in _LABELS and number])


def im_slots(item: Properties) -> dict[str, str]:
    """The addresses of instant messaging by the key of their slot."""
    found = _slots(item, "ImAddresses")
    return {key: found[key] for key in IM_KEYS if found.get(key)}


def read_addresses(item: Properties) -> tuple[PostalAddress, ...]:
    """The postal addresses; the office belongs to the one at work."""
    parts_of = {
        _ADDRESS_LABELS.get(each.get("Key", "")): Properties(each) for each in item.children("PhysicalAddresses")
    }
    others = extended_values(item)
    found = []
    for label in ADDRESS_KEYS:
        parts = parts_of.get(label)
        values = {name: parts.text(each) for name, each in ADDRESS_PARTS.items()} if parts else {}
        box = others.get(POST_BOXES[label].key, "")
        office = item.text("OfficeLocation") if label == "work" else ""
        if box or office or any(values.values()):
            found.append(PostalAddress(label, **values, post_box=box, office=office))
    return tuple(found)


# Changes ---------------------------------------------------------------------------------------------------------


def _slot_changes(uri: str, container: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[Markup]:
    found = []
    for key in sorted(before.keys() | after.keys()):
        if key not in after:
            found.append(clear_field(indexed(uri, key)))
        elif after[key] != before.get(key):
            found.append(set_field(indexed(uri, key), ITEM, t(container, _entry(key, after[key]))))
    return found


def _placed(
    before: Mapping[str, str], wanted: Mapping[str, str], keys: Sequence[str], key: Callable[[str], str]
) -> dict[str, str]:
    """What shall stand in which slot. ``wanted`` are values by what they are the same by, ``key`` of a value.

    A slot with a value that nobody could want, which has no key, keeps it.
    """
    after = {slot: held for slot, held in before.items() if not key(held) or key(held) in wanted}
    there = {key(held) for held in after.values()}
    free = [slot for slot in keys if slot not in after]
    return after | dict(zip(free, [value for each, value in wanted.items() if each not in there], strict=False))


def _mail_key(address: str) -> str:
    return address_key(address) if "@" in address else ""


def email_changes(item: Properties, emails: Iterable[Email]) -> list[Markup]:
    """What makes the slots hold as many of ``emails`` as there is room for, the first ones first."""
    before = email_slots(item)
    wanted = {_mail_key(each.address): each.address for each in emails if _mail_key(each.address)}
    after = _placed(before, wanted, EMAIL_KEYS, _mail_key)
    return _slot_changes("contacts:EmailAddress", "EmailAddresses", before, after)


def im_changes(item: Properties, ims: Iterable[str]) -> list[Markup]:
    """``email_changes`` for instant messaging."""
    before = im_slots(item)
    after = _placed(before, {im_key(each): each for each in ims}, IM_KEYS, im_key)
    return _slot_changes("contacts:ImAddress", "ImAddresses", before, after)


def phone_changes(item: Properties, phones: Iterable[Phone]) -> list[Markup]:
    """What makes each slot hold the number with its label."""
    before = {key: number for key, number in _slots(item, "PhoneNumbers").items() if key in _LABELS and number}
    after = {PHONE_KEYS[each.label]: each.number for each in phones}
    return _slot_changes("contacts:PhoneNumber", "PhoneNumbers", before, after)


def address_changes(item: Properties, addresses: Iterable[PostalAddress]) -> list[Markup]:
    """What makes the postal addresses say what ``addresses`` say, part by part."""
    before = {each.label: each for each in read_addresses(item)}
    after = {each.label: each for each in addresses}
    found = []
    for label in sorted(before.keys() | after.keys()):
        old, new = before.get(label, PostalAddress(label)), after.get(label, PostalAddress(label))
        for name, element in ADDRESS_PARTS.items():
            found += _part_change(ADDRESS_KEYS[label], element, getattr(old, name), getattr(new, name))
        if new.post_box != old.post_box:
            box = POST_BOXES[label]
            found.append(
                set_field(box.path, ITEM, box.element(new.post_box)) if new.post_box else clear_field(box.path)
            )
        if new.office != old.office:
            where, value = path("contacts:OfficeLocation"), t("OfficeLocation", new.office)
            found.append(set_field(where, ITEM, value) if new.office else clear_field(where))
    return found


def _part_change(key: str, element: str, old: str, new: str) -> list[Markup]:
    where = indexed(f"contacts:PhysicalAddress:{element}", key)
    if new == old:
        return []
    if not new:
        return [clear_field(where)]
    return [set_field(where, ITEM, t("PhysicalAddresses", t("Entry", t(element, new), Key=key)))]


# New contacts ----------------------------------------------------------------------------------------------------


def email_entries(emails: Sequence[Email]) -> Markup | None:
    """The mail addresses of a new contact."""
    return _entries("EmailAddresses", dict(zip(EMAIL_KEYS, [each.address for each in emails], strict=False)))


def phone_entries(phones: Iterable[Phone]) -> Markup | None:
    """The phone numbers of a new contact."""
    numbers = {PHONE_KEYS[each.label]: each.number for each in phones}
    return _entries("PhoneNumbers", {key: numbers[key] for key in sorted(numbers)})


def im_entries(ims: Sequence[str]) -> Markup | None:
    """The addresses of instant messaging of a new contact."""
    return _entries("ImAddresses", dict(zip(IM_KEYS, ims, strict=False)))


def _entries(container: str, values: Mapping[str, str]) -> Markup | None:
    return t(container, *[_entry(key, value) for key, value in values.items()]) if values else None


def _entry(key: str, value: str) -> Markup:
    return t("Entry", value, Key=key)


def address_entries(addresses: Iterable[PostalAddress]) -> Markup | None:
    """The postal addresses of a new contact, without offices and post boxes."""
    found = []
    for each in addresses:
        parts = [t(element, value) for name, element in ADDRESS_PARTS.items() if (value := getattr(each, name))]
        if parts:
            found.append(t("Entry", *parts, Key=ADDRESS_KEYS[each.label]))
    return t("PhysicalAddresses", *found) if found else None


def box_elements(addresses: Iterable[PostalAddress]) -> list[Markup]:
    """The post boxes of a new contact."""
    return [POST_BOXES[each.label].element(each.post_box) for each in addresses if each.post_box]
