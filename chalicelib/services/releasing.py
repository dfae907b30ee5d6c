"""Post to the accounts what ended vouchers and closed stock leave free (释放). Called by the schedule; harmless twice,
late, half-way, or two at once.

Whoever ends a voucher adds to its shard alone; so no redemption, expiry or give-back waits for the account's one row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.domain import fund
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.fund import PostingKind, release_legs
from chalicelib.domain.outcomes import StaleRow, WriteConflict
from chalicelib.domain.template import RELEASE_LANES
from chalicelib.services.ports import Accounts, Templates

# Each shard is one action, beside the account and its posting: 95 of 100.
AT_ONCE = 93
# So often a group is tried as it is; then its halves, so that a busy shard holds up no other.
TRIES = 4

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Failure:
    """A shard whose money cannot be posted; somebody must look at it. ``trouble``: what kind of error."""

    template_id: str
    shard: int
    trouble: str


@dataclass(frozen=True, slots=True)
class Releases:
    """What a run did, in fen. ``finished``: it looked at all that was due; else it stopped in time.

    ``busy`` shards changed all the while: the next run comes to them.
    """

    fen: int
    shards: int
    postings: int
    busy: int
    finished: bool
    failures: tuple[Failure, ...] = ()


@dataclass(slots=True)
class _Tally:
    fen: int = 0
    shards: int = 0
    postings: int = 0
    busy: int = 0
    failures: list[Failure] = field(default_factory=list)

    def done(self, *, finished: bool) -> Releases:
        return Releases(self.fen, self.shards, self.postings, self.busy, finished, tuple(self.failures))


def post_releases(
    templates: Templates, accounts: Accounts, *, now: datetime, may_go_on: Callable[[], bool]
) -> Releases:
    """Post all that waits, at most ``AT_ONCE`` shards of one account in a transaction. ``may_go_on`` is asked before
    each.

    The index finds, the base rows decide: what another run has posted is not there any more. What the index does not
    show yet is for the next run. Raises Unavailable when the tables cannot be had.
    """
    tally = _Tally()
    for lane in range(RELEASE_LANES):
        cursor: str | None = None
        while True:
            if not may_go_on():
                return tally.done(finished=False)
            page = templates.to_release(lane, AT_ONCE, cursor)
            for account_id, keys in _by_account(templates, page.items, tally).items():
                if not may_go_on():
                    return tally.done(finished=False)
                _post(templates, accounts, account_id, keys, now, tally)
            cursor = page.cursor
            if cursor is None:
                break
    return tally.done(finished=True)


def _by_account(templates: Templates, keys: Sequence[Key], tally: _Tally) -> dict[str, list[Key]]:
    groups = dict[str, list[Key]]()
    for key in keys:
        template = templates.get(key[0])
        if template is None:
            tally.failures.append(Failure(*key, "template is gone"))
            continue
        groups.setdefault(template.account_id, []).append(key)
    return groups


def _post(
    templates: Templates, accounts: Accounts, account_id: str, keys: Sequence[Key], now: datetime, tally: _Tally
) -> None:
    """All of these in one posting; where that cannot be, each half by itself."""
    trouble: str | None = None
    try:
        for _ in range(TRIES):
            try:
                _post_once(templates, accounts, account_id, keys, now, tally)
                return
            except (StaleRow, WriteConflict):  # one of them has more by now, or the account moved: read anew
                continue
    except Unavailable:
        raise
    except Exception as broken:  # one of them cannot be read, or its books are wrong: it must stop no other
        trouble = type(broken).__name__
    if len(keys) > 1:
        middle = len(keys) // 2
        for half in (keys[:middle], keys[middle:]):
            _post(templates, accounts, account_id, half, now, tally)
    elif trouble is None:
        tally.busy += 1
    else:
        tally.failures.append(Failure(*keys[0], trouble))


def _post_once(
    templates: Templates, accounts: Accounts, account_id: str, keys: Sequence[Key], now: datetime, tally: _Tally
) -> None:
    account = accounts.read(account_id)
    if account is None:
        raise LookupError(f"account {account_id} is gone")
    due = [shard for shard in templates.some_shards(keys) if shard.to_release_fen]
    if not due:
        return
    fen = sum(shard.to_release_fen for shard in due)
    after, posting = fund.post(
        account,
        PostingKind.RELEASE,
        release_legs(fen),
        reference=",".join(sorted({shard.template_id for shard in due})),
        app_key=None,
        operator_id=None,
        now=now,
    )
    templates.post_release(due, after, posting)
    tally.fen, tally.shards, tally.postings = tally.fen + fen, tally.shards + len(due), tally.postings + 1
