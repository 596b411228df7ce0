"""`python -m podium_operator.reference` prints docs/operator.md: settings and metrics as the code declares them."""

import inspect
import sys
from collections.abc import Iterator
from typing import Final

from prometheus_client import Metric

from podium_operator.metrics import Metrics
from podium_operator.settings import Settings

__all__ = ["page"]

INTRODUCTION: Final = """\
# The operator

Made by `make generate`; [crds.md](crds.md) has the kinds it serves. One process in the cluster acts, the holder of the
Lease; another one may stand by. It needs the rights of `charts/podium/templates/operator-rbac.yaml` and no others.

It looks at one session or pool at a time, compares what there is with what should be, and takes the next step. Nothing
depends on having seen an event: a lost answer, a watch that breaks off and a kill are found out by looking again.

| what | how |
|---|---|
| warm start | patch the pod (only if it is unchanged), bind its agent, patch the session's status (only if it is unchanged) |
| cold start | create a pod named like the session, ask its agent until it is ready, then the same |
| idle timeout | the agent in the pod, which sees all traffic |
| lifetime | the operator asks the agent to end; the pod's `activeDeadlineSeconds` holds without any of us |
| start timeout, time after the end | the operator's one heap of deadlines |
| an end's reason | what Kubernetes did to the pod, else the agent's termination message, else its exit code |
| waits and failures | conditions, and one Event for each reason and object in ten minutes |

A pod of an older template serves until it is used (`OnReplenish`) or is replaced while it waits (`Recreate`); one with
another sandbox, screen or key is never given to anybody. Sessions that run are not touched.

An operator that cannot renew its Lease for 10 s does nothing any more, to the cluster or to an agent, 5 s before another may take
it; what was under way is over by then. It keeps watching, and goes on as soon as it can renew a Lease that nobody has written
meanwhile. One that finds that another had it exits, with status 70.

`/healthz` and `/readyz` answer at the metrics port. An API server that is away is no reason to restart; a queue that stands
still or a watch that has died in silence is.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *_settings(), "", *_metrics(), ""])


def _settings() -> Iterator[str]:
    yield "## Settings\n\n| variable | |\n|---|---|"
    for text in _docstrings(Settings):
        variable, _, what = text.partition(": ")
        if variable.isupper():
            yield f"| `{variable}` | {what[:1].upper()}{what[1:]} |"


def _docstrings(of: type) -> Iterator[str]:
    """The docstrings below a class's fields, which Python itself does not keep."""
    for line in inspect.getsource(of).splitlines():
        text = line.strip()
        if text.startswith('"""') and text.endswith('"""') and len(text) > 6:
            yield text.strip('"')


def _metrics() -> Iterator[str]:
    yield "## Metrics\n\nAt `/metrics`. No label names a session.\n\n| metric | type | label | |\n|---|---|---|---|"
    labels = {"ready_seconds": "launch", "sessions_ended": "reason", "failures": "kind", "warm_ready": "pool", "claimed": "pool"}
    for metric in Metrics().registry.collect():
        label = labels.get(metric.name.removeprefix("podium_operator_"), "")
        yield f"| `{_name(metric)}` | {metric.type} | {label} | {metric.documentation} |"


def _name(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


if __name__ == "__main__":
    sys.stdout.write(page())
