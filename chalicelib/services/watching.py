"""Watch every change of a voucher as the table's stream tells it, independently of the code that made it.

Whoever writes past our steps (a console, a script, a bug) is found out: a history that was rewritten, a step that the
table of steps does not know, a row that was deleted. Nothing is changed here; a finding is logged, counted, alarmed.
"""

from collections.abc import Sequence
from typing import Any

from chalicelib.domain import history
from chalicelib.domain.history import BrokenChain
from chalicelib.domain.voucher import AMEND, APPROVE, PAY, State, Voucher, may_follow


def find_fault(before: Voucher | None, after: Voucher) -> str | None:
    """What is wrong with a change: rewritten, broken_chain, impossible_step; None when nothing is."""
    new = history.added(after.history, before.history if before else ())
    if after.version != len(after.history) or not new:
        return "rewritten"
    try:
        history.check_chain(after.history, history.genesis(after.template_id, after.person_id))
    except BrokenChain:
        return "broken_chain"
    said = [entry.said for entry in new]
    # A step of a voucher that was behind brings it to its template's terms first, in the same write; and what was paid
    # by a region's own system is granted by that.
    before_last = [one["step"] for one in said[:-1]]
    if said[-1]["step"] == PAY and before_last[-1:] == [APPROVE]:
        before_last.pop()
    if any(step != AMEND for step in before_last):
        return "rewritten"
    if _led_to(said, before.state if before else None) is not after.state:
        return "impossible_step"
    if before and after.valid_until < before.valid_until:
        return "impossible_step"  # no step takes back what was promised
    return None


def _led_to(said: Sequence[dict[str, Any]], state: State | None) -> State | None:
    """The state to which the entries lead; None when one of them cannot lead where it says."""
    for one in said:
        try:
            next_state = State(one["to"])
        except ValueError:
            return None
        if not may_follow(one["step"], state, next_state):
            return None
        state = next_state
    return state
