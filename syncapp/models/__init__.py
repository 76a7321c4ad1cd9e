"""What the database remembers, one concept per file."""

from syncapp.models.enrollment import Enrollment
from syncapp.models.heartbeat import Heartbeat
from syncapp.models.installation import Installation
from syncapp.models.pairing import Pairing
from syncapp.models.problem import Problem
from syncapp.models.run import Run, RunLine
from syncapp.models.server_rest import ServerRest
from syncapp.models.service_account import AccountSlot, ServiceAccount

__all__ = [
    "AccountSlot",
    "Enrollment",
    "Heartbeat",
    "Installation",
    "Pairing",
    "Problem",
    "Run",
    "RunLine",
    "ServerRest",
    "ServiceAccount",
]
