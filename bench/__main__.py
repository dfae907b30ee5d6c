"""All figures in one run on DynamoDB Local: ``make bench``. Ends with 1 where one misses its bound.

``--quick`` takes a few of everything: it shows that the bench works, and its figures mean nothing.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from bench import crowds, figures, growth, imports, load, reviews, rosters, shards, sheets, steps, sweeps
from bench.figures import Figure
from bench.town import Town, a_town
from chalicelib.services import changing_vouchers
from chalicelib.services.identifying import Presented
from chalicelib.services.making_vouchers import FULL_HANDS
from tests.capacity import Spy
from tests.engines import create_tables
from tests.world import a_person
from tools.dynamodb_local import dynamodb_local
from tools.local_stack import CREDENTIALS, REGION
from tools.package import ROOT

RESULTS = ROOT / "bench" / "results.json"
PRETIX_CPU = 64.0
"""Milliseconds of CPU of one redemption through the API of pretix 2026.8.0, in process on SQLite."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    blocks: int
    people: int
    imports: int
    entries: int
    rounds: int
    requests: int
    rush_seconds: float
    rushes: tuple[tuple[int, int], ...]
    whole_table: bool
    rosters: int
    roster_rows: int
    sheet_rows: int
    online: int
    room: int
    due: int
    among: tuple[int, int]
    nights: int
    lines: int


FULL = Size(
    *(40, 20, 15, 2_000, 48, 20_000, 3, ((128, 2_000), (44, 500)), True, 5, 400, 100_000, 500, 50),
    *(5_000, (10_000, 100_000), 1, 5_000),
)
QUICK = Size(1, 4, 1, 140, 2, 100, 0.5, ((16, 100),), False, 1, 40, 500, 20, 4, 40, (80, 160), 1, 40)
CHECK_INS_A_SECOND = 20


def main(arguments: list[str], endpoint: str | None = None) -> int:
    """``endpoint``: an engine that runs already."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few of everything")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the figures are written")
    asked = parser.parse_args(arguments)
    console = Console(highlight=False, width=160)
    size = QUICK if asked.quick else FULL
    os.environ.update(CREDENTIALS, AWS_DEFAULT_REGION=REGION)
    found: list[Figure] = []
    with nullcontext(endpoint) if endpoint else dynamodb_local(console=console) as engine:
        for part in (_steps, _growth, _claimable, _rosters, _sweeps, _reviews, _load, _crowds):
            for figure in part(engine, size):
                found.append(figure)
                console.print(f"  {figure.name}: {figure.value:.4g}")
    for figure in (*_imports(size), *_shards(size, console)):
        found.append(figure)
    console.print("\n".join(figures.lines(found)), soft_wrap=True)
    figures.write(found, asked.results)
    return 0 if all(figure.kept for figure in found) or asked.quick else 1


def _town(endpoint: str) -> Town:
    return a_town(create_tables(endpoint))


def _steps(endpoint: str, size: Size) -> Iterator[Figure]:
    town = _town(endpoint)
    with steps.a_container(town) as container, steps.the_floor(town) as floor:
        found = steps.compare(town, container, floor, blocks=size.blocks, size=size.people)
        calls = steps.count_calls(town, container)
        resident = steps.resident(town)
    beginnings = [steps.beginning(town) for _ in range(size.imports)]
    bounds = {"first claim": 1.25, "claim": 1.25, "verify": 1.6, "redeem": 1.25, "check in": 1.25}
    for step, blocks in found.items():
        ratios = sorted(block.ratio for block in blocks)
        spread = f"quartiles {ratios[len(ratios) // 4]:.2f} and {ratios[len(ratios) * 3 // 4]:.2f}"
        ours, bare = (_milliseconds(blocks, name) for name in ("handler", "floor"))
        note = f"times the bare floor; {ours:.2f} ms beside {bare:.2f}; {spread} of {len(ratios)} blocks"
        yield Figure(f"{step}, whole handler", statistics.median(ratios), at_most=bounds[step], floor=1, note=note)
    for step, blocks in found.items():
        ours, bare = (_milliseconds(blocks, name) for name in ("handler_cpu", "floor_cpu"))
        bound, note = (PRETIX_CPU / 5, "a fifth of pretix's redemption") if step == "redeem" else (None, "")
        yield Figure(f"{step}, CPU of the process in ms", ours, at_most=bound, floor=bare, note=note)
    for (step, kind), (number, bound) in calls.items():
        yield Figure(f"{step}, {kind} once warm", number, at_most=bound, floor=bound)
    yield from _capacity(town)
    yield Figure("resident memory after a warm claim, MB", resident / 1e6, note="of a container of the API")
    for clock, seconds in zip(("", " of CPU"), zip(*beginnings, strict=True), strict=True):
        name = f"import and first claim in a fresh process, ms{clock}"
        yield Figure(
            name, 1e3 * statistics.median(seconds), note="keys are given to it, not fetched; no interpreter's start"
        )


def _milliseconds(blocks: list[steps.Block], name: str) -> float:
    return 1e3 * float(statistics.median(seconds for block in blocks for seconds in getattr(block, name)))


def _capacity(town: Town) -> Iterator[Figure]:
    """Units of one step, beside what the rules force. Read: the rows whose content decides, each below 4 KB. Written:
    each row that must change, once and below 1 KB, and its entries in by_code and by_due."""
    forced = {
        "first claim": (1, 10, "identity", "voucher, identity, person, shard and two index entries"),
        "claim": (2, 8, "identity and person", "voucher, person, shard and two index entries"),
        "verify": (2, 0, "voucher and person", "nothing"),
        # Used, a voucher is due on another day: it leaves one partition of by_due and enters another.
        "redeem": (2, 8, "voucher and person", "voucher, shard and two index entries; the person is checked"),
        "reversal": (2, 8, "voucher and person", "voucher, person, shard and two index entries"),
        "give-back": (2, 8, "voucher and person", "voucher, person, shard, an index entry of each of the outer two"),
    }
    # By the use a voucher's row grows beyond 1 KB; a reversal asks which class it leads to.
    more = {"claim": (1, 2), "verify": (0, 0), "redeem": (0, 4), "reversal": (1, 4)}
    for step, units in _units(town).items():
        names = ("read units", "write units")
        for name, value, least, rows, over in zip(
            names, units, forced[step][:2], forced[step][2:], more.get(step, (0, 2)), strict=True
        ):
            yield Figure(f"{step}, {name}", value, at_most=least + over, floor=least, note=f"forced: {rows}")


def _units(town: Town) -> dict[str, tuple[float, int]]:
    """Read and write units of each step in a container that knows the catalogue."""
    world, p, spy = town.world, town.world.platform, Spy(town.world)
    town.tick()
    template, other, person, holder = town.template(), town.template(), a_person(), a_person()
    world.claim(a_person(), other)
    voucher_id = world.claim(a_person(), template).answer.voucher_id

    def measure(step: Callable[[], object]) -> tuple[float, int]:
        written = spy.count(step)[2]
        return spy.read_units, written

    def shown() -> Presented:
        return Presented(token=p.keys.tokens.issue(world.voucher(voucher_id), p.chance.nonce(), world.now))

    world.verify(shown())
    token, returned = shown(), world.claim(holder, other).answer.voucher_id
    give_back = partial(changing_vouchers.give_back, p.catalogue, p.templates, p.people, p.keys, returned)
    asked = {"session": world.session(holder), **world.by(world.channel)}
    return {
        "first claim": measure(lambda: world.claim(person, other)),
        "claim": measure(lambda: world.claim(person, template)),
        "verify": measure(lambda: world.verify(token)),
        "redeem": measure(lambda: world.redeem(token)),
        "reversal": measure(lambda: world.reverse(voucher_id)),
        "give-back": measure(lambda: give_back(**asked)),
    }


def _growth(endpoint: str, size: Size) -> Iterator[Figure]:
    few, many = _town(endpoint), _town(endpoint)
    with steps.a_container(few) as one, steps.a_container(many) as other:
        rounds = size.rounds
        small = growth.a_life(few, one, entries=growth.FEW, templates=growth.FEW_TEMPLATES, claims=rounds)
        claims = rounds + 2 * growth.LOOKS
        large = growth.a_life(many, other, entries=size.entries, templates=size.entries, claims=claims)
        found = growth.compare(small, large, rounds)
        looks = [large.look() for _ in range(growth.LOOKS)]
        crowded = [large.crowded() for _ in range(growth.LOOKS)]
    for step, (short, long) in found.items():
        base, value = statistics.median(short), statistics.median(long)
        beside = f"{growth.FEW} entries among {growth.FEW_TEMPLATES} templates"
        note = f"times {beside}: {value * 1e3:.2f} ms beside {base * 1e3:.2f}"
        name = f"{step}, {size.entries:,} entries among {size.entries:,} templates"
        yield Figure(name, value / base, at_most=1.1, floor=1, note=note)
    usual, dearest = statistics.median(found["claim"][1]), statistics.median(looks)
    rare = f"the one in {FULL_HANDS} that looks through {large.full:,} in hand for what has ended"
    note = f"{rare}; times a usual one of the same person: {dearest * 1e3:.2f} ms beside {usual * 1e3:.2f}"
    yield Figure(f"dearest claim, {size.entries:,} entries", dearest / usual, note=note)
    full = statistics.median(crowded)
    note = f"times a usual one: {full * 1e3:.2f} ms beside {usual * 1e3:.2f}; redeemed, and never written off"
    yield Figure(f"claim with {large.staying:,} in hand", full / usual, note=note)


def _claimable(endpoint: str, size: Size) -> Iterator[Figure]:
    few, many = _town(endpoint), _town(endpoint)
    with steps.a_container(few) as one, steps.a_container(many) as other:
        small = growth.a_window(few, one, published=growth.LISTED)
        large = growth.a_window(many, other, published=size.entries)
        short, long = map(statistics.median, growth.compare_windows(small, large, size.rounds))
    note = f"times among {growth.LISTED}: {long * 1e3:.2f} ms beside {short * 1e3:.2f}"
    name = f"claimable, {growth.LISTED} listed among {size.entries:,} published"
    yield Figure(name, long / short, at_most=1.2, floor=1, note=note)


def _load(endpoint: str, size: Size) -> Iterator[Figure]:
    town = _town(endpoint)
    mixed = load.a_load(town)
    with ExitStack() as running:
        containers = (running.enter_context(steps.a_container(town)), running.enter_context(steps.a_container(town)))
        load.warm(mixed, containers)
        mixed.run(containers, size.requests)
    vouchers = town.world.vouchers()
    town.world.check_laws(vouchers)
    load.check_counts(town.world, vouchers)
    early, late = mixed.growth()
    told = ", ".join(f"{wish} {count}" for wish, count in sorted(mixed.statuses.items()))
    yield Figure(
        "acknowledged steps lost under load",
        mixed.lost(),
        at_most=0,
        floor=0,
        note=f"of {len(mixed.acknowledged):,} in {mixed.asked:,} requests to 2 containers; all recounted; {told}",
    )
    note = (
        f"{late / 1e6:.1f} MB after {mixed.asked:,} requests beside {early / 1e6:.1f} after a quarter, larger container"
    )
    yield Figure("memory under load, growth", late / early, at_most=1.05, floor=1, note=note)


def _crowds(endpoint: str, size: Size) -> Iterator[Figure]:
    town = _town(endpoint)
    with steps.a_container(town) as one, steps.a_container(town) as other:
        both = crowds.crowds(town, (one, other), online=size.online, room=size.room, a_second=CHECK_INS_A_SECOND)
        both.run((one, other))
    waits = [1e3 * seconds for seconds in both.waits()]
    p50, p95, p99 = (waits[int(len(waits) * share)] for share in (0.5, 0.95, 0.99))
    told = ", ".join(f"{status} {count}" for status, count in sorted(both.statuses().items()))
    note = f"of {size.online} online and {size.room} in a room, {len(waits)} requests to 2 containers; {told}"
    yield Figure("check-ins lost in crowds", both.lost(), at_most=0, floor=0, note=note)
    note = f"{CHECK_INS_A_SECOND} came, and {size.room} to a room meanwhile; the containers were busy {both.busy():.0%}"
    bound = 0.95 * CHECK_INS_A_SECOND
    yield Figure("check-ins a second, one class online", both.reached(), at_least=bound, note=note)
    note = f"from when each was due to its answer; half {p50:.1f}, 95 % {p95:.1f}, longest {waits[-1]:.1f}"
    yield Figure("check-in in a crowd, 99 % within ms", p99, note=note)


def _rosters(endpoint: str, size: Size) -> Iterator[Figure]:
    taken = []
    for _ in range(size.rosters):
        # An engine of its own each time: in memory, it takes the longer for a transaction the more it has carried out.
        with dynamodb_local() if size.rosters > 1 else nullcontext(endpoint) as engine:
            # Or the import, which comes first, would warm it for the loop.
            if size.rosters > 1:
                rosters.measure(engine, size.roster_rows // 4)
            taken.append(rosters.measure(engine, size.roster_rows))
    share = statistics.median(one.bare / one.ours for one in taken)
    speed = statistics.median(one.rows / one.ours for one in taken)
    beside = statistics.median(one.rows / one.bare for one in taken)
    note = f"of the bare loop's rows/s: {speed:.0f} beside {beside:.0f}; {taken[0].transactions} transactions"
    yield Figure(f"import of {size.roster_rows} new people", share, at_least=0.85, floor=1, note=note)
    faster = statistics.median(one.ours / one.again for one in taken)
    yield Figure("the same roster a second time, times faster", faster, at_least=3)
    read = sheets.measure(size.sheet_rows, min(3, size.rosters))
    note = f"times bare calamine: {read['ours_seconds']:.2f} s beside {read['bare_seconds']:.2f}"
    yield Figure(f"{size.sheet_rows:,} rows read and judged", read["ratio"], at_most=3, floor=1, note=note)
    note = f"{read['bare_mb']:.0f} by bare calamine"
    yield Figure("memory of reading them, MB", read["ours_mb"], floor=read["bare_mb"], note=note)


def _sweeps(endpoint: str, size: Size) -> Iterator[Figure]:
    for kind in sweeps.KINDS:
        nights = dict[int, list[sweeps.Taken]]()
        for _ in range(size.nights):
            # What else stands in the table is the same to every sweep: it is measured by one of them.
            for among in size.among if kind == "expiry" else size.among[:1]:
                # An engine of its own each time: in memory, it takes the longer the more it has carried out.
                with dynamodb_local() if size.rosters > 1 else nullcontext(endpoint) as engine:
                    nights.setdefault(among, []).append(sweeps.measure(engine, kind, size.due, among))
        few = nights[size.among[0]]
        share = statistics.median(one.bare / one.ours for one in few)
        speed = size.due / statistics.median(one.ours for one in few)
        beside = size.due / statistics.median(one.bare for one in few)
        note = f"of the bare loop's vouchers/s: {speed:.0f} beside {beside:.0f}; {few[0].transactions} transactions"
        yield Figure(f"{kind}, {size.due:,} due", share, at_least=0.85, floor=1, note=note)
        if kind != "expiry":
            continue
        long, short = (statistics.median(one.ours for one in nights[among]) for among in reversed(size.among))
        note = f"times among {size.among[0]:,}: {long:.2f} s beside {short:.2f}"
        yield Figure(f"{kind}, {size.due:,} due among {size.among[1]:,}", long / short, at_most=1.2, floor=1, note=note)


def _reviews(endpoint: str, size: Size) -> Iterator[Figure]:
    taken = []
    for _ in range(size.nights):
        with dynamodb_local() if size.rosters > 1 else nullcontext(endpoint) as engine:
            taken.append(reviews.measure(engine, size.lines))
    share = statistics.median(one.bare / one.ours for one in taken)
    speed = size.lines / statistics.median(one.ours for one in taken)
    beside = size.lines / statistics.median(one.bare for one in taken)
    note = f"of the bare loop's lines/s: {speed:.0f} beside {beside:.0f}; {taken[0].transactions} transactions"
    yield Figure(f"review in bulk, {size.lines:,} lines", share, at_least=0.85, floor=1, note=note)


def _imports(size: Size) -> Iterator[Figure]:
    ours, bare, ratio = imports.compare(size.imports)
    note = f"times `{imports.BARE}`: {ours * 1e3:.0f} ms beside {bare * 1e3:.0f}, without the interpreter's own start"
    yield Figure("import of the API function", ratio, at_most=1.3, floor=1, note=note)
    early = imports.too_early()
    yield Figure("libraries loaded before they are needed", len(early), at_most=0, floor=0, note=", ".join(early))


def _shards(size: Size, console: Console) -> Iterator[Figure]:
    if size.whole_table:
        for line in shards.table(size.rush_seconds):
            console.print(line, soft_wrap=True)
    for number, arrivals in size.rushes:
        mine, uniform = (
            shards.simulate(policy, number, arrivals, size.rush_seconds) for policy in (shards.ours, shards.uniform)
        )
        rush = f"rush, {number} shards, {arrivals:,} claims/s"
        note = f"floor: a shard picked uniformly at random; p99 {mine.p99:.0f} ms beside {uniform.p99:.0f}, simulated"
        yield Figure(f"{rush}: tries that conflict", mine.conflicts, at_most=0.05, floor=uniform.conflicts, note=note)
        yield Figure(f"{rush}: claims given up", mine.given_up, at_most=0, floor=uniform.given_up)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
