"""The result workbook of a roster: the rows as they were uploaded, each with what became of it and why.

It is made of the file and of the marks alone, so it can be made again at any time.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256

from chalicelib.domain import calendar
from chalicelib.domain.errors import Contended, ResultNotReady
from chalicelib.domain.outcomes import StaleRow, WriteConflict
from chalicelib.domain.roster import (
    OVER,
    ROSTER_STATE_ZH,
    TEMPLATES,
    VERDICT_ZH,
    Outcome,
    Roster,
    RosterKind,
    RosterState,
    RowVerdict,
    Verdict,
    noted,
    result_key,
)
from chalicelib.domain.schemas import SCHEMAS, regional
from chalicelib.domain.stored_file import Download
from chalicelib.domain.voucher import STATE_ZH
from chalicelib.services.cataloguing import find_region, rules_in_force
from chalicelib.services.once import TRIES
from chalicelib.services.ports import Platform
from chalicelib.services.reading_marks import marks, withdrawn
from chalicelib.services.reading_rosters import Reading

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_CANCELLED_ZH = "已取消（以下为取消前的处理结果）"
_OTHERWISE_ZH = "此前已登记，内容与本行不同；已有的不变，本行未登记。"
_WHY_ZH: Mapping[tuple[RosterKind, Verdict], str] = {
    (RosterKind.VOUCHERS, Verdict.CONFLICT): "该人员已有此券，但本次填写的内容与当时不同；如需更正请走信息更正流程。",
    (RosterKind.VOUCHERS, Verdict.ENDED): "该人员的此种券已作废、退回、过期或核销，同一种券每人只有一次。",
    (RosterKind.STAFF, Verdict.ENDED): "该工作人员已停用，未重新登记。",
    (RosterKind.SETTLEMENTS, Verdict.CONFLICT): "该券此前已有不同的结算结果，本行未生效；请与结算系统核对。",
    (RosterKind.PAYMENT_RESULTS, Verdict.CONFLICT): "该笔此前已有不同的银行答复，本行未生效；请与银行核对后再处理。",
    (RosterKind.PAYMENT_RESULTS, Verdict.ENDED): "该拨付批次已取消，本行未生效；如款项已付出，请与银行核对。",
}
_RECORDED_ZH = "已登记"


def write_result(p: Platform, roster: Roster, now: datetime) -> Roster:
    """Make the workbook and put it under the results' prefix. Raises FileRefused, Contended, Unavailable."""
    sheet = Reading(p, roster, now)
    file = p.workbooks.result(sheet.rows(), sheet.header.number, _outcomes(p, roster), summary=_summary(roster))
    with file:
        p.files.write(result_key(roster.roster_id), file, XLSX)
    for _ in range(TRIES):
        after = noted(roster, result_at=now)
        try:
            p.rosters.change(after)
            return after
        except (StaleRow, WriteConflict):
            fresh = p.rosters.read(roster.roster_id)
            if fresh is None or fresh.state is not roster.state or fresh.result_at is not None:
                return fresh or roster  # it is being withdrawn by now, or another run was quicker
            roster = fresh
    raise Contended()


def result_of(p: Platform, roster: Roster, now: datetime) -> Download:
    """Where the result may be fetched for some minutes. Raises ResultNotReady."""
    if roster.state not in OVER or roster.result_at is None:
        raise ResultNotReady(state=roster.state, state_zh=ROSTER_STATE_ZH[roster.state])
    stem = roster.file_name.rsplit(".", 1)[0]
    return p.files.download_url(result_key(roster.roster_id), f"{stem}-结果.xlsx", now)


def template_of(p: Platform, kind: RosterKind, region: str | None, now: datetime) -> Download:
    """Where the workbook to fill in may be fetched; it is made when it is first asked for. ``region``: with the columns
    that its rules add. Raises RegionNotFound."""
    schema = SCHEMAS[kind]
    own = ""
    if region is not None:
        find_region(p.catalogue, region)
        schema = regional(kind, rules_in_force(p.catalogue, region, now).roster_columns)
        own = "" if schema == SCHEMAS[kind] else "-" + sha256(repr(schema).encode()).hexdigest()[:12]
    key = f"{TEMPLATES}{kind}-{schema.version}{own}.xlsx"
    if not p.files.exists(key):
        with p.workbooks.template(schema) as file:
            p.files.write(key, file, XLSX)
    return p.files.download_url(key, f"{schema.title}-{schema.version}.xlsx", now)


def _outcomes(p: Platform, roster: Roster) -> Iterator[Outcome]:
    taken = {row.number: row for row in withdrawn(p, roster.roster_id)} if roster.withdrawal else {}
    for chunk in marks(p, roster.roster_id):
        for row in chunk.rows:
            if row.number in taken:
                revoked, state = taken[row.number].revoked, taken[row.number].state
                reason = "" if revoked else f"券的状态为“{STATE_ZH[state]}”，未作废。"
                yield Outcome(row.number, "已撤回" if revoked else "未撤回", reason, refused=not revoked)
            else:
                refused = row.verdict is not Verdict.ISSUED and row.verdict is not Verdict.SAME
                yield Outcome(row.number, _result(roster, row), row.zh or _why(roster, row), refused)


def _result(roster: Roster, row: RowVerdict) -> str:
    return _called(roster, row.verdict)


def _called(roster: Roster, verdict: Verdict) -> str:
    if verdict is not Verdict.ISSUED:
        return VERDICT_ZH[verdict]
    if roster.kind is RosterKind.VOUCHERS:
        return "可发放（试运行）" if roster.dry_run else VERDICT_ZH[verdict]
    return "可登记（试运行）" if roster.dry_run else _RECORDED_ZH


def _why(roster: Roster, row: RowVerdict) -> str:
    otherwise = _OTHERWISE_ZH if row.verdict is Verdict.CONFLICT else ""
    return _WHY_ZH.get((roster.kind, row.verdict), otherwise)


def _summary(roster: Roster) -> list[tuple[str, str]]:
    counts = roster.counts
    said = [
        ("名单编号", roster.roster_id),
        ("文件", roster.file_name),
        ("状态", _CANCELLED_ZH if roster.state is RosterState.CANCELLED else ROSTER_STATE_ZH[roster.state]),
        ("人员行数", str(roster.rows if roster.rows is not None else counts.read)),
        ("其中隐藏行", str(roster.hidden_rows)),
        *((_called(roster, verdict), str(getattr(counts, verdict))) for verdict in Verdict),
    ]
    if roster.withdrawal:
        said += [("已撤回", str(roster.withdrawal.revoked)), ("未撤回", str(roster.withdrawal.kept))]
    if roster.finished_at:
        said.append(("完成时间", calendar.to_text(roster.finished_at)))
    return said
