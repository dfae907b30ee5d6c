"""Watch every change of a voucher as the table's stream tells it, independently of the code that made it.

Whoever writes past our steps (a console, a script, a bug) is found out: a history that was rewritten, a step that the
table of steps does not know, a row that was deleted. Nothing is changed here; a finding is logged, counted, alarmed.
"""

from chalicelib.domain import history
from chalicelib.domain.history import BrokenChain
from chalicelib.domain.voucher import FOLLOWS, Voucher


def find_fault(before: Voucher | None, after: Voucher) -> str | None:
    """What is wrong with a change: rewritten, broken_chain, impossible_step; None when nothing is."""
    told = before.history if before else ()
    if after.version != len(after.history) or not history.extends(after.history, told):
        return "rewritten"
    try:
        history.check_chain(after.history, history.genesis(after.template_id, after.person_id))
    except BrokenChain:
        return "broken_chain"
    if after.state not in FOLLOWS[before.state if before else None] or after.history[-1].said["to"] != after.state:
        return "impossible_step"
    return None
