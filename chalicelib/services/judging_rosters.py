"""What becomes of the rows of a roster of vouchers: judged as a claim would be, many at a time, in their order.

Nothing is written here. A judgement holds as long as the rows it was made by are as they were read, which the
conditions of the chunk's transaction see to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from chalicelib.domain import person, voucher
from chalicelib.domain.access import Actor
from chalicelib.domain.attempt import attempt_of
from chalicelib.domain.eligibility import ServiceVerdict, must_be_eligible, needs_service
from chalicelib.domain.eligibility_service import MOST_PEOPLE
from chalicelib.domain.errors import DomainError, SoldOut, Unavailable, WrongInstitution, sentences
from chalicelib.domain.identifiers import CitizenId
from chalicelib.domain.institution import must_redeem
from chalicelib.domain.outcomes import Identified, NewVoucher, StaleRow
from chalicelib.domain.person import CountKey, Person, Profile
from chalicelib.domain.region import Rules
from chalicelib.domain.roster import Roster, RowVerdict, Verdict
from chalicelib.domain.sheets import Entry
from chalicelib.domain.template import Template, Terms, check_open_for_issue, check_place, use_aside
from chalicelib.domain.voucher import ENDED, Voucher
from chalicelib.services.cataloguing import find_course, find_institution, rules_in_force
from chalicelib.services.identifying import Named, content_of, identity_keys, new_person
from chalicelib.services.issuing import must_be_called
from chalicelib.services.judging_claims import judge_person
from chalicelib.services.judging_eligibility import applicant_of, ask_service_of_many, regions_of_lists
from chalicelib.services.linking import first_of, linked_with, vouchers_among
from chalicelib.services.making_vouchers import blank_voucher, look_at_hands
from chalicelib.services.newest_terms import revived
from chalicelib.services.ports import Platform
from chalicelib.services.publishing import settle

ROOM = 94
"""Actions of a chunk's transaction that are left for vouchers and their holders: 100, less the roster, its mark and
``MOST_SHARDS``."""
MOST_SHARDS = 4


@dataclass(frozen=True, slots=True)
class Judged:
    """The rows of a chunk, a first part of those that were given, and the vouchers that it makes. ``aside``: the
    template after it, where they are made of units that were set aside. ``taken``: by whom, and with what content."""

    rows: tuple[RowVerdict, ...]
    made: tuple[NewVoucher, ...] = ()
    aside: Template | None = None
    taken: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Row:
    """What is known of a row before its turn comes. ``refused``: unless the person turns out to have a voucher."""

    entry: Entry
    named: Named | None = None
    content: str = ""
    found: Identified | None = None
    holder: Person | None = None
    linked: tuple[Person, ...] = ()
    standing: Voucher | None = None
    wanted: CountKey | None = None
    refused: DomainError | None = None


class VoucherRows:
    """Judges one run's rows; remembers what of the stock it has seen, and of a dry run whom."""

    def __init__(self, p: Platform, roster: Roster, actor: Actor) -> None:
        assert roster.template_id is not None
        self._p = p
        self._roster = roster
        self._template_id = roster.template_id
        self._actor = actor
        self._remaining: dict[int, int] | None = None
        self._aside = roster.reserved
        self._turn = 0
        self._seen: dict[str, str] = {}
        self._places: dict[tuple[str, str, int], DomainError | None] = {}

    def look_again(self) -> None:
        """Forget the stock as it was seen: a shard has refused."""
        self._remaining = None

    def judge(self, entries: Sequence[Entry], now: datetime) -> Judged:
        """Raises EligibilityServiceUnavailable, Unavailable; StaleRow where a record was merged a moment ago."""
        template = settle(self._p.templates, self._template_id)
        terms = self._p.templates.terms(template.template_id, template.terms_version)
        rules = rules_in_force(self._p.catalogue, template.region, now)
        rows = self._look_up([self._name(entry) for entry in entries], template, terms, now)
        rows = [self._judge_alone(row, template, terms, rules, now) for row in rows]
        rows = self._ask(rows, template, terms, now)
        return self._take_in_order(rows, template, terms, now)

    # --- each row by itself ---

    def _name(self, entry: Entry) -> _Row:
        if entry.faults:
            return _Row(entry)
        keys, values = self._p.keys, entry.values
        number: CitizenId = values["id_number"]
        profile = Profile(values["name"], number.id_type, number.number, values.get("mobile"))
        named = Named(profile, identity_keys(keys, number), number)
        return _Row(entry, named, content_of(keys, named, values))

    def _look_up(self, rows: Sequence[_Row], template: Template, terms: Terms, now: datetime) -> list[_Row]:
        people = self._p.people
        named = [row.named for row in rows if row.named]
        regions = regions_of_lists(template, terms)
        found = iter(people.identify_all([one.identity_keys for one in named], regions) if named else ())
        known = [replace(row, found=next(found)) if row.named else row for row in rows]
        ids = [row.found.person_id for row in known if row.found and row.found.person_id]
        heads, vouchers = people.read_all(ids, template.template_id) if ids else ({}, {})
        return [self._with_records(row, heads, vouchers) for row in known]

    def _with_records(self, row: _Row, heads: Mapping[str, Person], vouchers: Mapping[str, Voucher]) -> _Row:
        person_id = row.found.person_id if row.found else None
        if person_id is None:
            return row
        holder = heads.get(person_id)
        if holder is None or holder.merged_into is not None:
            raise StaleRow  # a moment ago: the number leads elsewhere by now
        linked = linked_with(self._p.people, holder)
        mine = [vouchers[person_id]] if person_id in vouchers else []
        standing = first_of([*mine, *vouchers_among(self._p.people, linked, self._template_id)])
        return replace(row, holder=holder, linked=linked, standing=standing)

    def _judge_alone(self, row: _Row, template: Template, terms: Terms, rules: Rules, now: datetime) -> _Row:
        if row.named is None or row.found is None or row.standing is not None:
            return row
        p = self._p
        try:
            check_open_for_issue(template.state, terms, now)
            self._check_place(row.entry.values, terms)
            if row.holder is not None:
                must_be_called(p.keys, row.holder, row.named)
            applicant = applicant_of(row.named, row.found, None, now)
            records = (row.holder, *row.linked) if row.holder else ()
            wanted = judge_person(template.region, terms, applicant, records, rules, now)
            holder = look_at_hands(p.templates, p.people, row.holder, row.linked, rules, now)
        except Unavailable:
            raise
        except DomainError as refused:
            return replace(row, refused=refused)
        return replace(row, wanted=wanted, holder=holder)

    def _check_place(self, values: Mapping[str, object], terms: Terms) -> None:
        """Whether the institution and the course that a row names are there, and the terms allow them."""
        institution_id, course_id = str(values.get("institution") or ""), str(values.get("course") or "")
        if not institution_id and not course_id:
            return
        key = institution_id, course_id, terms.version
        if key not in self._places:
            try:
                self._look_at_place(institution_id, course_id, terms)
                self._places[key] = None
            except Unavailable:
                raise
            except DomainError as refused:
                self._places[key] = refused
        refused_place = self._places[key]
        if refused_place is not None:
            raise refused_place

    def _look_at_place(self, institution_id: str, course_id: str, terms: Terms) -> None:
        catalogue, own = self._p.catalogue, self._roster.institution_id
        course = find_course(catalogue, course_id) if course_id else None
        place = institution_id or (course.institution_id if course else "")
        if own is not None and place != own:
            raise WrongInstitution()
        must_redeem(find_institution(catalogue, place))
        if course is not None:
            check_place(terms, course, place)
        elif terms.institutions and place not in terms.institutions:
            raise WrongInstitution()

    def _ask(self, rows: list[_Row], template: Template, terms: Terms, now: datetime) -> list[_Row]:
        """Ask the region's service of all who could be refused by nothing else, together."""
        open_ = [
            (i, row.named, applicant_of(row.named, row.found, None, now))
            for i, row in enumerate(rows)
            if row.wanted is not None and row.named is not None and row.found is not None
        ]
        asked = [(i, named) for i, named, applicant in open_ if needs_service(terms.eligibility, applicant)]
        said: dict[int, ServiceVerdict] = {}
        for start in range(0, len(asked), MOST_PEOPLE):
            some = asked[start : start + MOST_PEOPLE]
            p = self._p
            verdicts = ask_service_of_many(
                p.catalogue, p.keys.eligibility_services, template, terms, [named for _, named in some], now
            )
            said |= {i: verdict for (i, _), verdict in zip(some, verdicts, strict=True)}
        judged = list(rows)
        for i, _, applicant in open_:
            if i in said:
                try:
                    must_be_eligible(terms.eligibility, replace(applicant, service=said[i]))
                except DomainError as refused:
                    judged[i] = replace(rows[i], refused=refused, wanted=None)
        return judged

    # --- one after another ---

    def _take_in_order(self, rows: Sequence[_Row], template: Template, terms: Terms, now: datetime) -> Judged:
        """Until the chunk is full: what is there already, what is refused, who gets one of what is left."""
        verdicts: list[RowVerdict] = []
        made: list[NewVoucher] = []
        taken: dict[str, str] = {}  # content, by identity and by person
        takers = sum(row.wanted is not None for row in rows)
        units = self._units(template, takers if self._roster.dry_run else min(takers, ROOM // 2)) if takers else []
        room = ROOM
        for row in rows:
            if row.named is None:
                verdicts.append(faulty(row.entry))
                continue
            same_person = [row.named.identity_keys[0], *([row.holder.person_id] if row.holder else [])]
            earlier = next((seen[key] for key in same_person for seen in (taken, self._seen) if key in seen), None)
            if earlier is not None:
                verdicts.append(RowVerdict(row.entry.number, _same_or_conflict(row, earlier)))
            elif row.standing is not None:
                verdicts.append(self._of_standing(row, row.standing, now))
            elif row.wanted is None:
                verdicts.append(refusal(row.entry.number, row.refused or SoldOut()))
            elif not units and self._left() > len(made) and not self._roster.dry_run:
                break  # the rest is of shards for which this chunk has no room
            elif not units:
                verdicts.append(refusal(row.entry.number, SoldOut()))
            elif self._roster.dry_run:
                units.pop(0)
                taken |= dict.fromkeys(same_person, row.content)
                verdicts.append(RowVerdict(row.entry.number, Verdict.ISSUED))
            else:
                new = self._new_voucher(row, row.named, row.wanted, units[0], template, terms, now)
                if new.actions > room:
                    break
                room -= new.actions
                units.pop(0)
                taken |= dict.fromkeys(same_person, row.content)
                made.append(new)
                verdicts.append(RowVerdict(row.entry.number, Verdict.ISSUED, new.voucher.voucher_id))
        aside = use_aside(template, len(made)) if made and self._aside is not None else None
        return Judged(tuple(verdicts), tuple(made), aside, taken)

    def _units(self, template: Template, most: int) -> list[int]:
        """Shards for so many vouchers, as far as there are units, in the order in which they are taken: of one shard
        where one has enough, another one each time, so that later steps spread."""
        self._turn += 1
        if self._aside is not None:
            return [self._turn % template.shards] * min(most, self._aside)
        if self._remaining is None or not (self._remaining or self._roster.dry_run):
            self._remaining = {one.number: one.remaining for one in self._p.templates.shards(template) if one.remaining}
            if self._roster.dry_run:
                self._lower(self._roster.counts.issued)
        numbers = sorted(self._remaining)
        turned = [numbers[(self._turn + i) % len(numbers)] for i in range(len(numbers))]
        enough = [number for number in turned if self._remaining[number] >= most][:1]
        several = sorted(turned, key=self._remaining.__getitem__, reverse=True)
        # What is only promised is taken out of no shard: it may be of any.
        chosen = enough or (several if self._roster.dry_run else several[:MOST_SHARDS])
        return [number for number in chosen for _ in range(min(self._remaining[number], most))][:most]

    def _left(self) -> int:
        return sum((self._remaining or {}).values())

    def note(self, judged: Judged) -> None:
        """The chunk stands: its vouchers are out of the stock, and of a dry run its people are known."""
        if self._aside is not None:
            self._aside -= len(judged.made)
        for new in judged.made:
            self._lower(1, new.voucher.shard)
        if self._roster.dry_run:
            self._lower(sum(row.verdict is Verdict.ISSUED for row in judged.rows))
            self._seen |= judged.taken

    def remember(self, entry: Entry) -> None:
        """A row that an earlier run of this dry run would issue a voucher to."""
        row = self._name(entry)
        if row.named:
            self._seen[row.named.identity_keys[0]] = row.content

    def _lower(self, units: int, number: int | None = None) -> None:
        """Take units out of the stock as it was seen: of one shard, or of any."""
        left = dict(self._remaining or {})
        for shard in [number] if number is not None else list(left):
            taken = min(units, left.get(shard, 0))
            left[shard] = left.get(shard, 0) - taken
            units -= taken
        self._remaining = {shard: n for shard, n in left.items() if n > 0}

    def _of_standing(self, row: _Row, standing: Voucher, now: datetime) -> RowVerdict:
        newest = revived(self._p.templates, standing, now)
        if newest.state in ENDED or voucher.has_lapsed(newest, now):
            return RowVerdict(row.entry.number, Verdict.ENDED, standing.voucher_id)
        before = str(standing.history[0].said["facts"].get("content") or "")
        return RowVerdict(row.entry.number, _same_or_conflict(row, before), standing.voucher_id)

    def _new_voucher(
        self, row: _Row, named: Named, wanted: CountKey, shard: int, template: Template, terms: Terms, now: datetime
    ) -> NewVoucher:
        p, roster, number = self._p, self._roster, row.entry.number
        holder = row.holder or new_person(p.keys, p.chance, named)
        blank = replace(blank_voucher(p.keys, p.chance, holder, template, terms, wanted, now), shard=shard)
        places = {name: row.entry.values[name] for name in ("institution", "course") if name in row.entry.values}
        issued = voucher.issue(
            blank,
            claim_until=terms.claim_until,
            attempt=attempt_of(roster.app_key, "roster", f"{roster.roster_id} {number}", row.content.encode()),
            actor=self._actor,
            now=now,
            facts={"roster": roster.roster_id, "row": number, "content": row.content, **places},
        )
        keys = () if row.holder else named.identity_keys
        return NewVoucher(issued, person.take(holder, template.template_id, wanted), keys, row.linked)


def faulty(entry: Entry) -> RowVerdict:
    """The refusal of a row whose cells cannot be right: its first fault says why."""
    fault = entry.faults[0]
    return RowVerdict(entry.number, Verdict.REFUSED, None, fault.code, fault.column, fault.zh, fault.en)


def refusal(number: int, refused: DomainError) -> RowVerdict:
    """The refusal of a row in the words of what refused it."""
    zh, en = sentences(refused)
    return RowVerdict(number, Verdict.REFUSED, None, refused.code, None, zh, en)


def _same_or_conflict(row: _Row, before: str) -> Verdict:
    return Verdict.SAME if row.content == before else Verdict.CONFLICT
