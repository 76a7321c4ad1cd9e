"""What the database remembers, one concept per file."""

from syncapp.models.account_test import AccountTest, AccountTestStep
from syncapp.models.enrollment import Enrollment
from syncapp.models.grant import Grant, Invitation, Revocation
from syncapp.models.heartbeat import Heartbeat
from syncapp.models.history import History
from syncapp.models.hold import Hold
from syncapp.models.installation import Installation
from syncapp.models.link import Link
from syncapp.models.pairing import Pairing
from syncapp.models.preview import Preview
from syncapp.models.problem import Problem
from syncapp.models.restoration import Restoration
from syncapp.models.run import Run, RunLine
from syncapp.models.sent import Sent
from syncapp.models.server_rest import ServerRest
from syncapp.models.service_account import AccountSlot, ServiceAccount
from syncapp.models.tomb import Tomb
from syncapp.models.transition import Transition

__all__ = [
    "AccountSlot",
    "AccountTest",
    "AccountTestStep",
    "Enrollment",
    "Grant",
    "Heartbeat",
    "History",
    "Hold",
    "Installation",
    "Invitation",
    "Link",
    "Pairing",
    "Preview",
    "Problem",
    "Restoration",
    "Revocation",
    "Run",
    "RunLine",
    "Sent",
    "ServerRest",
    "ServiceAccount",
    "Tomb",
    "Transition",
]
