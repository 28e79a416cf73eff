"""What Ctrl-C and a hang-up do to a training (src/caffe/util/signal_handler.cpp)."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from recaffe.solver import SolverAction


@contextmanager
def signal_effects(sigint: SolverAction, sighup: SolverAction) -> Iterator[Callable[[], SolverAction]]:
    """Inside the `with` the two signals are only remembered; the function it gives tells a solver what they ask for.

    The solver asks between iterations, so that no update and no snapshot is cut short however often Ctrl-C is pressed.
    """
    effects = {signal.SIGHUP: sighup, signal.SIGINT: sigint}  # asked in this order
    received: set[int] = set()

    def requested() -> SolverAction:
        for number, effect in effects.items():
            if number in received:
                received.discard(number)
                return effect
        return SolverAction.NONE

    before = {number: signal.signal(number, lambda got, _: received.add(got)) for number in effects}
    try:
        yield requested
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
