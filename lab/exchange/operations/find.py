"""FindItem: restrictions, sort order, pages, and calendar views that expand series (MS-OXWSSRCH, MS-OXWSCORE)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from lxml import etree

from lab.exchange.call import Call
from lab.exchange.call import find_folder as resolve_folder
from lab.exchange.operations.messages import each
from lab.exchange.records import Folder
from lab.exchange.restriction import compile_restriction, sort
from lab.exchange.shapes import Shape, item_element, read_shape, refuse_complex
from lab.exchange.soap import Element, EwsError, M, T
from lab.exchange.view import View

# Exchange's default throttling policy (EWSFindCountLimit).
MAX_PAGE = 1000
_TWO_YEARS = timedelta(days=2 * 366)


def find_item(call: Call) -> Element:
    """FindItem: one response message per parent folder."""
    parents = call.request.find(f"{M}ParentFolderIds")
    return each(call, [] if parents is None else list(parents), lambda parent: _find_in(call, parent))


def _find_in(call: Call, parent: Element) -> Iterable[Element]:
    folder = resolve_folder(call, parent)
    shape = read_shape(call.request.find(f"{M}ItemShape"))
    refuse_complex(shape)
    span = call.request.find(f"{M}CalendarView")
    if call.request.get("Traversal") == "Associated":
        return [_root([], call, shape, 0, 0)]
    if span is not None:
        return [_calendar_view(call, folder, span, shape)]
    views = [View(call.store, item) for item in call.store.items(folder)]
    wanted = compile_restriction(call.request.find(f"{M}Restriction"))
    if wanted is not None:
        views = [view for view in views if wanted(view)]
    views = sort(views, call.request.find(f"{M}SortOrder"))
    return [_page(call, views, shape)]


def _page(call: Call, views: list[View], shape: Shape) -> Element:
    page = call.request.find(f"{M}IndexedPageItemView")
    if page is None:
        return _root(views[:MAX_PAGE], call, shape, len(views), min(len(views), MAX_PAGE))
    offset = int(page.get("Offset", "0"))
    size = min(int(page.get("MaxEntriesReturned", str(MAX_PAGE))), MAX_PAGE)
    if size < 1 or offset < 0:
        raise EwsError("ErrorInvalidPagingMaxRows", "The paging parameters are out of range.")
    if page.get("BasePoint") == "End":
        end = max(len(views) - offset, 0)
        start = max(end - size, 0)
        return _root(views[start:end], call, shape, len(views), len(views) - start, last=start == 0)
    return _root(views[offset : offset + size], call, shape, len(views), min(offset + size, len(views)))


def _root(views: list[View], call: Call, shape: Shape, total: int, offset: int, last: bool | None = None) -> Element:
    root = etree.Element(f"{M}RootFolder", TotalItemsInView=str(total))
    complete = offset >= total if last is None else last
    root.set("IncludesLastItemInRange", "true" if complete else "false")
    root.set("IndexedPagingOffset", str(offset))
    items = etree.SubElement(root, f"{T}Items")
    items.extend([item_element(view, shape, call.context, finding=True) for view in views])
    return root


def _calendar_view(call: Call, folder: Folder, span: Element, shape: Shape) -> Element:
    """Single events, occurrences and exceptions that overlap a span, by start; masters don't show."""
    if not folder.folder_class.startswith("IPF.Appointment"):
        raise EwsError("ErrorCalendarFolderIsInvalidForCalendarView", "The folder is no calendar.")
    since = call.context.read_moment(span.get("StartDate", ""))
    until = call.context.read_moment(span.get("EndDate", ""))
    if until < since:
        raise EwsError("ErrorCalendarEndDateIsEarlierThanStartDate", "EndDate is earlier than StartDate.")
    if until - since > _TWO_YEARS:
        raise EwsError("ErrorCalendarViewRangeTooBig", "The view range is longer than two years.")
    views = [view for item in call.store.items(folder) for view in _overlapping(View(call.store, item), since, until)]
    views.sort(key=lambda view: view.moment("Start"))
    limit = int(span.get("MaxEntriesReturned", str(len(views))))
    root = _root(views[:limit], call, shape, len(views), min(limit, len(views)))
    del root.attrib["IndexedPagingOffset"]
    return root


def _overlapping(view: View, since: datetime, until: datetime) -> Iterable[View]:
    if view.is_master:
        for instance in view.series.between(since, until):
            yield View(view.store, view.item, instance)
    elif view.kind == "calendar":
        start, end = view.moment("Start"), view.moment("End")
        if start < until and (end > since or start == end == since):
            yield view
