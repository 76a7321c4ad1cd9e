"""Words that EWS has for what items say otherwise."""

from __future__ import annotations

from collections.abc import Mapping

from syncapp.items.values import Busy, Importance, Privacy

BUSY: Mapping[Busy, str] = {
    Busy.FREE: "Free",
    Busy.TENTATIVE: "Tentative",
    Busy.BUSY: "Busy",
    Busy.OUT_OF_OFFICE: "OOF",
    Busy.ELSEWHERE: "WorkingElsewhere",
}
"""LegacyFreeBusyStatus (MS-OXWSCDATA section 2.2.3.17)."""

IMPORTANCE: Mapping[Importance, str] = {each: each.value.capitalize() for each in Importance}
"""Importance (MS-OXWSCDATA, ImportanceChoicesType)."""

PRIVACY: Mapping[Privacy, str] = {each: each.value.capitalize() for each in Privacy}
"""Sensitivity (MS-OXWSCDATA, SensitivityChoicesType)."""

CANCELLED = 4
"""asfCanceled of PidLidAppointmentStateFlags (MS-OXOCAL section 2.2.1.10)."""
