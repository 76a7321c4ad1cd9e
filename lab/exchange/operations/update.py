"""UpdateItem (MS-OXWSCORE 3.1.4.9): preconditions, single items, series and their exceptions."""

from __future__ import annotations

import copy
from collections.abc import Iterable

from lxml import etree

from lab.exchange import calendar_rules, mail
from lab.exchange.call import Call, find_item
from lab.exchange.ids import BadId, version_of
from lab.exchange.operations.items import identified
from lab.exchange.operations.messages import each
from lab.exchange.records import Override, Props, stamp
from lab.exchange.soap import Element, EwsError, M, T
from lab.exchange.view import View
from lab.exchange.writing import Change, read_change, settle

_SENSITIVITIES = {"Normal": 0, "Personal": 1, "Private": 2, "Confidential": 3}


def _stricter(kept: str, wanted: str | None) -> bool:
    return wanted is not None and _SENSITIVITIES[wanted] < _SENSITIVITIES[kept]


def update_item(call: Call) -> Element:
    """UpdateItem."""
    resolution = call.request.get("ConflictResolution", "AutoResolve")
    sending = call.request.get("SendMeetingInvitationsOrCancellations")
    changes = call.request.find(f"{M}ItemChanges")

    def update(element: Element) -> Iterable[Element]:
        ident, updates = element[0], element.find(f"{T}Updates")
        view = find_item(call, ident)
        if view.kind == "calendar" and sending is None:
            raise EwsError(
                "ErrorSendMeetingInvitationsOrCancellationsRequired",
                "SendMeetingInvitationsOrCancellations is required.",
            )
        stale = _is_stale(view, ident, resolution)
        invited = view.attendees
        change = read_change(view, etree.Element("none") if updates is None else updates, call.context)
        if stale and _stricter(view.get("Sensitivity"), change.props.get("Sensitivity")):
            # MS-OXWSCORE R586 to R592: of two sensitivities that collide, the stricter one stays.
            del change.props["Sensitivity"]
        view = _change_occurrence(view, change) if view.instance is not None else _change_stored(view, change)
        if view.kind == "calendar" and "Organizer" not in view.item.props:
            mail.invite(view, sending or "SendToNone", "update", invited)
        results = etree.Element(f"{M}ConflictResults")
        etree.SubElement(results, f"{T}Count").text = "0"
        return [identified(call, view), results]

    return each(call, [] if changes is None else list(changes), update)


def _is_stale(view: View, ident: Element, resolution: str) -> bool:
    """NeverOverwrite refuses a stale change key (MS-OXWSCORE R588); AutoResolve goes on (R583, R584)."""
    key = ident.get("ChangeKey")
    if resolution == "AlwaysOverwrite":
        return False
    if not key:
        raise EwsError("ErrorChangeKeyRequired", "The change key is required for this operation.")
    try:
        version = version_of(key)
    except BadId:
        raise EwsError("ErrorInvalidChangeKey", "The change key is invalid.") from None
    if resolution == "NeverOverwrite" and version != view.item.version:
        raise EwsError(
            "ErrorIrresolvableConflict",
            "The send or update operation could not be performed because the change key passed in the request does "
            "not match the current change key for the item.",
        )
    return version != view.item.version


def _merge(target: Props, changes: Props) -> None:
    for name, value in changes.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = value


def _change_stored(view: View, change: Change) -> View:
    item = view.item
    before = copy.deepcopy(item.props)
    _merge(item.props, change.props)
    _merge(item.extended, change.extended)
    if item.kind == "calendar":
        item.props.setdefault("StartTimeZone", before["StartTimeZone"])
        if "Recurrence" in before and "Recurrence" in item.props and "Recurrence" not in change.names:
            calendar_rules.follow_start(item.props, before)
    settle(item.kind, item.props, change.names)
    if "Recurrence" in before and calendar_rules.reshaped(before, item.props):
        view.store.drop_overrides(item)
    only_read = change.names == {"IsRead"} and not change.extended
    return View(view.store, view.store.save_item(item, only_read))


def _change_occurrence(view: View, change: Change) -> View:
    """An updated occurrence becomes an exception: it keeps what was set, and inherits the rest."""
    instance = view.instance
    assert instance is not None
    series = view.series
    own = instance.override or Override(stamp(instance.original))
    props, extended = {**own.props, **change.props}, {**own.extended, **change.extended}
    merged = {name: value for name, value in {**view.props, **change.props}.items() if value is not None}
    for name in ("Start", "End"):
        merged[name] = stamp(calendar_rules.moment_of(merged, name).replace(second=0))
    settle("calendar", merged, change.names)
    if change.names & {"Start", "End", "IsAllDayEvent"}:
        start, end = (calendar_rules.moment_of(merged, name) for name in ("Start", "End"))
        series.check_exception(instance, start, end)
        props["Start"], props["End"] = merged["Start"], merged["End"]
    view.store.put_override(view.item, Override(own.original, props=props, extended=extended))
    item = view.store.save_item(view.item)
    fresh = View(view.store, item)
    return View(view.store, item, fresh.series.by_original(instance.original))
