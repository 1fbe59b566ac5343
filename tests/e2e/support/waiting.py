"""Waiting for something to become true. Deadlines are generous: they end a hang, they measure nothing."""

import time

LONG = 120.0


def wait_until(probe, what, deadline=LONG, every=0.05):
    """Calls `probe` until it gives something true, which is returned. `what` names it in the failure."""
    end = time.monotonic() + deadline
    while True:
        seen = probe()
        if seen:
            return seen
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline:.0f} s: {what}; last seen: {seen!r}")
        time.sleep(every)
