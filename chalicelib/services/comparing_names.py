"""The name that was put on a roster and the one that the card says: where they differ, the authority decides.

domain.md §6: the voucher stays issued, and cannot be claimed, until the name is corrected or the voucher revoked.
"""

from datetime import datetime

from chalicelib.domain.access import Actor, must_cover
from chalicelib.domain.identifiers import mask_name
from chalicelib.domain.outcomes import Page
from chalicelib.domain.person import NameDifference, Person
from chalicelib.domain.voucher import State, Voucher, effective_state
from chalicelib.services.identifying import Named
from chalicelib.services.newest_terms import revived
from chalicelib.services.ports import Keys, People, Platform


def hold(people: People, keys: Keys, issued: Voucher, owner: Person, named: Named, actor: Actor, now: datetime) -> None:
    """Keep that the voucher was wanted under this name, so that the authority hears of it."""
    difference = NameDifference(
        issued.voucher_id,
        issued.person_id,
        issued.template_id,
        issued.region,
        mask_name(named.profile.name),
        owner.masked_name,
        actor.app_key,
        now,
    )
    people.hold_name(difference, keys.identities.veil(f"name\0{issued.voucher_id}\0{named.profile.name}".encode())[:32])


def list_held(
    p: Platform, region: str, limit: int, cursor: str | None, *, actor: Actor, now: datetime
) -> Page[NameDifference]:
    """Those of a region whose vouchers still wait; a page may be shorter than asked for. Raises OutOfScope."""
    must_cover(actor, region)
    page = p.people.names_held(region, limit, cursor)
    wanted = list(dict.fromkeys((one.person_id, one.template_id) for one in page.items))
    there = [revived(p.templates, one, now) for one in p.people.vouchers(wanted)] if wanted else []
    waiting = {one.voucher_id for one in there if effective_state(one, now) is State.ISSUED}
    return Page(tuple(one for one in page.items if one.voucher_id in waiting), page.cursor)
