"""What Exchange does to a task when it is saved (MS-OXWSTASK 2.2.4.6, MS-OXOTASK 2.2.2.2)."""

from __future__ import annotations

from lab.exchange.records import Props, now, stamp


def settle(props: Props, changed: frozenset[str]) -> None:
    """Keep status, percentage and completion date in step; dates lose their time of day.

    What comes last in the schema's order wins: completion date, percentage, status (MS-OXWSTASK R67001 to R67003).
    """
    props.setdefault("Status", "NotStarted")
    props.setdefault("PercentComplete", 0.0)
    for name in ("StartDate", "DueDate", "CompleteDate"):
        if name in props:
            props[name] = props[name][:10] + "T00:00:00Z"
    if "PercentComplete" in changed and "Status" not in changed:
        percent = props["PercentComplete"]
        props["Status"] = "Completed" if percent >= 100 else "InProgress" if percent > 0 else "NotStarted"
    elif "CompleteDate" in changed and "Status" not in changed and "CompleteDate" in props:
        props["Status"] = "Completed"
    if props["Status"] == "Completed":
        props["PercentComplete"] = 100.0
        props.setdefault("CompleteDate", stamp(now())[:10] + "T00:00:00Z")
        return
    props.pop("CompleteDate", None)
    if props["Status"] == "NotStarted" or props["PercentComplete"] >= 100:
        props["PercentComplete"] = 0.0
