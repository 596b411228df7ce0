"""What tests of the operator's decisions about sessions say them with."""

from podium_operator.actions import Decision, WriteStatus
from podium_operator.records import PodRecord
from podium_operator.session import Known, SessionView
from podium_operator.statuses import Bound
from podium_protocol.sessions import SandboxState
from support.kinds import a_pod, a_pool

POOL = a_pool()
WARM = a_pod("default-1")
SANDBOX = SandboxState(enabled=True, detail="as /proc says")


def kinds(decision: Decision) -> list[type]:
    return [type(action) for action in decision.actions]


def written(decision: Decision):
    (write,) = [action for action in decision.actions if isinstance(action, WriteStatus)]
    return write.status


def started(session, pod: PodRecord, **known):
    return SessionView(session, POOL, pods=(pod,), known=Known(bound=Bound(pod.uid, sandbox=SANDBOX), **known))
