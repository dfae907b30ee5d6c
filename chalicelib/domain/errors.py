"""Every refusal that the platform can utter, in order of precedence.

DomainError
├── Invalid            what was sent cannot be right            (400)
├── Unauthenticated    who is asking is not proven              (401)
├── Forbidden          proven, but not allowed                  (403)
├── NotFound           does not exist, or not for this asker    (404)
├── Refused            the state of things does not allow it    (409)
├── Reused             an idempotency key with another body     (422)
└── Unavailable        nothing decided; repeat with the same key (503)

A class carries a stable ``code`` and its sentence in both languages; an instance carries facts, which the sentence
may name in braces. No fact may hold a full ID number, name, mobile, code or token.
"""

from typing import ClassVar

from chalicelib.domain.words import say


class DomainError(Exception):
    """Base of all refusals. ``facts`` are shown to the asker and fill the sentence."""

    code: ClassVar[str] = ""
    zh: ClassVar[str] = ""
    en: ClassVar[str] = ""

    def __init__(self, **facts: str | int | None) -> None:
        super().__init__(self.code)
        self.facts = facts


class Invalid(DomainError):
    """What was sent cannot be right. ``pointer`` names the field (RFC 6901)."""

    code = "invalid_request"
    zh = "请求内容有误：{reason}。"
    en = "The request is not valid: {reason}."

    def __init__(self, *, pointer: str = "", **facts: str | int | None) -> None:
        super().__init__(**facts)
        self.pointer = pointer


class Unauthenticated(DomainError):
    code = "unauthenticated"
    zh = "请求未经签名或签名无效。"
    en = "The request is not signed, or the signature is not valid."


class Forbidden(DomainError):
    code = "forbidden"
    zh = "该身份无权进行此操作。"
    en = "This role may not do this."


class NotFound(DomainError):
    code = "not_found"
    zh = "没有找到，或不在您的权限范围内。"
    en = "Not found, or outside your scope."


class Refused(DomainError):
    code = "refused"
    zh = "当前状态不允许此操作。"
    en = "The present state does not allow this."


class Reused(DomainError):
    code = "idempotency_key_reused"
    zh = "同一幂等键已用于内容不同的请求；请换一个新的幂等键。"
    en = "This idempotency key was used for a different body; send a new key."


class Unavailable(DomainError):
    code = "unavailable"
    zh = "暂时无法处理，结果未定；请用同一幂等键重试。"
    en = "Cannot be handled right now, the outcome is unknown; repeat with the same idempotency key."


# --- who is asking -------------------------------------------------------------------------------------------------


class UnknownClient(Unauthenticated):
    code = "unknown_client"
    zh = "应用标识不存在。"
    en = "This app key does not exist."


class ClientDisabled(Unauthenticated):
    code = "client_disabled"
    zh = "该应用已停用。"
    en = "This client is disabled."


class StaleTimestamp(Unauthenticated):
    code = "stale_timestamp"
    zh = "请求时间戳与服务器时间相差超过 {seconds} 秒；请先校时（GET /v1/time）。"
    en = "The request's timestamp is more than {seconds} seconds off; set the clock by GET /v1/time."


class BadSignature(Unauthenticated):
    code = "bad_signature"
    zh = "签名不符。请对照文档中的签名示例检查。"
    en = "The signature does not match. Compare with the signing vectors in the documentation."


class OperatorRequired(Unauthenticated):
    code = "operator_required"
    zh = "此操作必须由经办人签名（X-Operator）。"
    en = "This act needs the operator's own signature (X-Operator)."


class OperatorNotAccepted(Unauthenticated):
    code = "operator_not_accepted"
    zh = "经办人签名无效：{reason}。"
    en = "The operator's signature is not accepted: {reason}."


class SessionRequired(Unauthenticated):
    code = "holder_session_required"
    zh = "需要持券人会话（X-Holder-Session）；请先用身份断言换取。"
    en = "A holder session is needed (X-Holder-Session); exchange an identity assertion for one."


class SessionEnded(Unauthenticated):
    code = "holder_session_ended"
    zh = "持券人会话无效或已过期；请重新换取。"
    en = "The holder session is not valid or has ended; exchange a new assertion."


class AssertionNotAccepted(Unauthenticated):
    """``reason``: malformed, algorithm, unknown_key, signature, audience, purpose, subject, expired, future."""

    code = "assertion_not_accepted"
    zh = "身份断言不被接受：{reason}。"
    en = "The identity assertion is not accepted: {reason}."


class CardReadNotAccepted(AssertionNotAccepted):
    """``reason``: those of an assertion, and place: the terminal stands at another institution."""

    code = "card_read_not_accepted"
    zh = "社保卡读卡结果不被接受：{reason}。"
    en = "The card read is not accepted: {reason}."


class StaffUnknown(Forbidden):
    code = "staff_unknown"
    zh = "此人不是该机构登记的工作人员。"
    en = "This person is not registered as staff of the institution."


class StaffDisabled(Forbidden):
    code = "staff_disabled"
    zh = "该工作人员已被机构停用。"
    en = "This member of staff is disabled."


class DutyRequired(Forbidden):
    code = "duty_required"
    zh = "此操作须由具备以下岗位之一的经办人办理：{duties_zh}。"
    en = "This act needs an operator with one of these duties: {duties}."


class OutOfScope(Forbidden):
    code = "out_of_scope"
    zh = "超出该应用或经办人的授权范围。"
    en = "Outside the scope of this client or operator."


class SameOperator(Forbidden):
    code = "same_operator"
    zh = "此操作须由另一名经办人办理：提出、审核、拨付不能是同一人。"
    en = "This takes another operator: whoever proposed, reviewed or pays is not the same person."


class ChannelNotOpen(Forbidden):
    code = "channel_not_open"
    zh = "该券未在此渠道开放；可在以下渠道领取：{channels}。"
    en = "This voucher is not offered through this channel; it is through: {channels}."


# --- what does not exist -------------------------------------------------------------------------------------------


class RegionNotFound(NotFound):
    code = "region_not_found"
    zh = "没有此行政区划。"
    en = "No such region."


class RulesNotFound(NotFound):
    code = "rules_not_found"
    zh = "该地区没有此版规则，或已撤回。"
    en = "The region has no such version of its rules, or it was withdrawn."


class NotEnlisted(NotFound):
    code = "not_enlisted"
    zh = "该证件号码不在此地区的适用人群名单中。"
    en = "This number is not on the region's list of eligible people."


class RelationNotFound(NotFound):
    code = "relation_not_found"
    zh = "没有此代办关系，或已解除。"
    en = "There is no such relation, or it has ended."


class EligibilityServiceNotFound(NotFound):
    code = "eligibility_service_not_found"
    zh = "该地区没有设置身份核验服务。"
    en = "The region has decided no eligibility service of its own."


class ProgrammeNotFound(NotFound):
    code = "programme_not_found"
    zh = "没有此培训项目。"
    en = "No such training programme."


class CourseNotFound(NotFound):
    code = "course_not_found"
    zh = "没有此课程。"
    en = "No such course."


class InstitutionNotFound(NotFound):
    code = "institution_not_found"
    zh = "没有此机构。"
    en = "No such institution."


class RosterNotFound(NotFound):
    code = "roster_not_found"
    zh = "没有此名单。"
    en = "No such roster."


class ClassNotFound(NotFound):
    code = "class_not_found"
    zh = "没有这个班级。"
    en = "No such class."


class SessionNotFound(NotFound):
    code = "session_not_found"
    zh = "班级没有这一课次。"
    en = "The class has no such session."


class WordsNotFound(NotFound):
    code = "words_not_found"
    zh = "没有这条待审核的评价。"
    en = "No such words, or they are not held."


class ApplicationNotFound(NotFound):
    code = "application_not_found"
    zh = "没有该资金申请。"
    en = "No such application."


class AttachmentNotFound(NotFound):
    code = "attachment_not_found"
    zh = "没有该附件。"
    en = "No such attachment."


class LineNotFound(NotFound):
    code = "line_not_found"
    zh = "该资金申请中没有此券。"
    en = "This voucher does not stand in the application."


class ObjectionNotFound(NotFound):
    code = "objection_not_found"
    zh = "没有这件异议。"
    en = "There is no such objection."


class BatchNotFound(NotFound):
    code = "batch_not_found"
    zh = "没有该拨付批次。"
    en = "No such payment batch."


class PayeeNotFound(NotFound):
    code = "payee_not_found"
    zh = "该拨付批次中没有此付款序号。"
    en = "The payment batch has no payee of this number."


class BankAccountNotFound(NotFound):
    code = "bank_account_not_found"
    zh = "该机构没有登记收款账户。"
    en = "The institution has no bank account on record."


class NotEnrolled(NotFound):
    code = "not_enrolled"
    zh = "该人员不在此班级中。"
    en = "The person is not on this class."


class ClientNotFound(NotFound):
    code = "client_not_found"
    zh = "没有此应用。"
    en = "No such client."


class OperatorNotFound(NotFound):
    code = "operator_not_found"
    zh = "没有此经办人。"
    en = "No such operator."


class StaffNotFound(NotFound):
    code = "staff_not_found"
    zh = "该机构没有此工作人员。"
    en = "No such member of staff at this institution."


class TerminalNotFound(NotFound):
    code = "terminal_not_found"
    zh = "该机构没有此终端。"
    en = "No such terminal at this institution."


class AssertionKeyNotFound(NotFound):
    code = "assertion_key_not_found"
    zh = "没有此断言公钥。"
    en = "No such assertion key."


class AccountNotFound(NotFound):
    code = "account_not_found"
    zh = "该地区该年度没有专账。"
    en = "This region has no special account for the year."


class TemplateNotFound(NotFound):
    code = "template_not_found"
    zh = "没有此券模板。"
    en = "No such voucher template."


class PersonNotFound(NotFound):
    code = "person_not_found"
    zh = "没有此人，或其名下没有本地区的券。"
    en = "No such person, or none with a voucher of your regions."


class BudgetTransferNotFound(NotFound):
    code = "budget_transfer_not_found"
    zh = "没有找到该资金调剂，或不在您的权限范围内。"
    en = "No such transfer of budget, or outside your scope."


class StatementNotFound(NotFound):
    """``first_month``, ``last_month``: those that there are, the running one included."""

    code = "statement_not_found"
    zh = "该专账没有 {month} 的月报；可查询的月份为 {first_month} 至 {last_month}。"
    en = "The account has no statement of {month}; there are those from {first_month} to {last_month}."


class MergeNotFound(NotFound):
    code = "merge_not_found"
    zh = "没有此合并申请。"
    en = "No such merge."


class AmendmentNotFound(NotFound):
    code = "amendment_not_found"
    zh = "没有此条款变更。"
    en = "There is no such amendment."


class VoucherNotFound(NotFound):
    code = "voucher_not_found"
    zh = "没有此券。"
    en = "No such voucher."


# --- what exists already, or changed meanwhile ---------------------------------------------------------------------


class AlreadyExists(Refused):
    code = "already_exists"
    zh = "已存在：{what}。"
    en = "Exists already: {what}."


class ConcurrentChange(Refused):
    code = "concurrent_change"
    zh = "数据刚被他人修改；请重新读取后再试。"
    en = "Changed by somebody else just now; read again and repeat."


# --- catalogue, templates, money -----------------------------------------------------------------------------------


class EligibilityServiceDisabled(Refused):
    code = "eligibility_service_disabled"
    zh = "该地区的身份核验服务已停用；请重新设置。"
    en = "The region's eligibility service is disabled; decide it anew."


class InstitutionNotAdmitted(Refused):
    code = "institution_not_admitted"
    zh = "该机构准入状态为“{state}”，不能办理此事。"
    en = "This institution's admission is {state}; it may not do this."


class AdmissionStepRefused(Refused):
    code = "admission_step"
    zh = "该机构准入状态为“{state}”，不能进行此操作。"
    en = "This institution's admission is {state}; this step does not begin there."


class TemplateStateRefused(Refused):
    code = "template_state"
    zh = "券模板当前状态为 {state}，不能进行此操作。"
    en = "The template is {state}; this cannot be done."


class ListingFull(Refused):
    code = "listing_full"
    zh = "该地区在架的券模板已达 {limit} 种（或其条款过长）；请先关闭不再发放的券模板。"
    en = "The region offers {limit} templates already, or their terms are too long together; close some first."


class NotInFavour(Refused):
    """``what``: the field; ``reason``: not_later, there_already, any_already, too_often."""

    code = "not_in_favour"
    zh = "条款只能作有利于持券人的变更（{what}）：{reason}。如需收紧，请关闭后重新发券。"
    en = "Terms change in the holders' favour only ({what}): {reason}. For anything else close and re-issue."


class BudgetExceeded(Refused):
    code = "budget_exceeded"
    zh = "专账可用资金不足：需要 {needed_fen} 分，可用 {free_fen} 分。"
    en = "The account's free budget is not enough: {needed_fen} fen needed, {free_fen} fen free."


class BudgetTransferStateRefused(Refused):
    code = "budget_transfer_state"
    zh = "该资金调剂当前状态为 {state}，不能进行此操作。"
    en = "The transfer of budget is {state}; this cannot be done."


class YearNotOver(Refused):
    code = "year_not_over"
    zh = "{year} 年尚未结束，不能办理年终结转。"
    en = "The year {year} is not over yet; nothing can be carried over."


# --- people, as an authority deals with them -----------------------------------------------------------------------


class NumberTaken(Refused):
    """``person_id``: to whom it leads, where that is one of the asker's regions' people."""

    code = "number_taken"
    zh = "该证件号码已属于另一份档案；如确为同一人，请提交合并（POST /v1/merges）。"
    en = "This number leads to another record; if both are one person, propose a merge (POST /v1/merges)."


class NumberKnown(Refused):
    code = "number_known"
    zh = "该证件号码已属于此人。"
    en = "This number leads to this person already."


class RecordMerged(Refused):
    code = "record_merged"
    zh = "该档案已并入另一份档案，请在该档案上办理。"
    en = "This record was merged into another one; act on that one."


class RecordsLinked(Refused):
    code = "records_linked"
    zh = "其中一份档案已与其他档案合并，不能再这样合并；请选用保留的档案，或先撤销原合并。"
    en = "One of the records is merged with others already; take the one that stays, or undo the earlier merge first."


class BothHold(Refused):
    code = "both_hold"
    zh = "两份档案都有券模板 {template_id} 的有效券，一人只能使用一张；请先作废或退回其中一张，再合并。"
    en = "Both records have a voucher of template {template_id}, and one person uses one; revoke or return one first."


class RelationsStand(Refused):
    code = "relations_stand"
    zh = "拟并入的档案尚有亲情代办关系，须先由本人或代办人解除后再合并。"
    en = "The record to be merged has relations with relatives; they end these first."


class MergeStateRefused(Refused):
    code = "merge_state"
    zh = "合并申请当前状态为 {state}，不能进行此操作。"
    en = "The merge is {state}; this cannot be done."


class UndoWindowOver(Refused):
    code = "undo_window_over"
    zh = "已超过撤销合并的期限（{until}）。"
    en = "The time for undoing the merge ended at {until}."


class FlagNotSet(Refused):
    code = "flag_not_set"
    zh = "此人没有由本地区设置的该标记。"
    en = "This person has no such flag of your regions."


# --- claiming ------------------------------------------------------------------------------------------------------


class TemplateNotOpen(Refused):
    code = "template_not_open"
    zh = "该券未发布、已暂停或已关闭，暂不能领取。"
    en = "This voucher is not published, suspended or closed, and cannot be claimed."


class DirectedOnly(Refused):
    code = "directed_only"
    zh = "定向券只能由名单内的指定人员领取。"
    en = "A directed voucher is claimed by the person it was issued to."


class NotDirected(Refused):
    code = "not_directed"
    zh = "该券不是定向券，由本人自行领取，不能配置人员。"
    en = "This voucher is open to all who may claim it; it is not issued to named people."


class NameDiffers(Refused):
    code = "name_differs"
    zh = "姓名与登记的不一致，请联系发券的人社部门核对后再办理。"
    en = "The name differs from the one that is registered; the authority that issues has to look at it first."


class RosterStateRefused(Refused):
    code = "roster_state_refused"
    zh = "名单当前状态为 {state}，不能进行此操作。"
    en = "The roster is {state}; that does not allow this."


class ResultNotReady(Refused):
    code = "result_not_ready"
    zh = "名单当前状态为 {state}，结果文件尚未生成，请稍后再试。"
    en = "The roster is {state} and its result is not written yet; ask again later."


class ClaimWindowNotOpen(Refused):
    code = "claim_window_not_open"
    zh = "领取尚未开始，开始日期 {claim_from}。"
    en = "Claiming has not begun; it begins on {claim_from}."


class ClaimWindowOver(Refused):
    code = "claim_window_over"
    zh = "领取已于 {claim_until} 结束。"
    en = "Claiming ended on {claim_until}."


class AlreadyClaimed(Refused):
    code = "already_claimed"
    zh = "同一种券每人只能领取一次；已于 {claimed_at} 领取。"
    en = "One voucher of a kind per person, once; it was claimed at {claimed_at}."


class RulesInForce(Refused):
    code = "rules_in_force"
    zh = "该版规则自 {effective_from} 起已生效，不能撤回；请制定新版规则。"
    en = "These rules are in force since {effective_from} and cannot be withdrawn; decide a new version."


class NotEligible(Refused):
    """``rules``: those of the template that are not met; the reasons are the region's own service's words."""

    code = "not_eligible"
    zh = "不符合领取条件（{rules}）：{reason_zh}。"
    en = "Not eligible ({rules}): {reason}."


class CapReached(Refused):
    code = "cap_reached"
    zh = "已达领取上限（规则 {rule}，上限 {limit}）。"
    en = "The cap is reached (rule {rule}, limit {limit})."


class HoldsAnother(Refused):
    code = "holds_another"
    zh = "手中还有未使用的券，使用或退回后才能再领。"
    en = "Another voucher is still held; use it or give it back first."


class PersonFlagged(Refused):
    code = "person_flagged"
    zh = "持券人已被标记为“{flag_zh}”，不能领券或用券；如有疑问请联系人社部门。"
    en = "The person is flagged as {flag}: no voucher is claimed or used; ask the authority."


class ProxyLimitReached(Refused):
    code = "proxy_limit_reached"
    zh = "该亲属代办的人数已达上限（{limit} 人）。"
    en = "This relative acts for as many people as the region allows ({limit})."


class SoldOut(Refused):
    code = "sold_out"
    zh = "已领完。"
    en = "Sold out."


# --- presenting, using, undoing ------------------------------------------------------------------------------------


class TokenNotAccepted(Refused):
    """``reason``: malformed, unknown_key, signature, expired, future, used."""

    code = "token_not_accepted"
    zh = "二维码无效：{reason}；请刷新后重新出示。"
    en = "The QR code is not accepted: {reason}; refresh it and show it again."


class CodeNotAccepted(Refused):
    code = "code_not_accepted"
    zh = "券码不存在或输入有误，请核对。"
    en = "No voucher has this code; check what was typed."


class AlreadyRedeemed(Refused):
    code = "already_redeemed"
    zh = "该券已于 {redeemed_at} 在“{institution_name}”使用。"
    en = "This voucher was redeemed at {redeemed_at} at “{institution_name}”."


class Expired(Refused):
    code = "expired"
    zh = "该券已于 {valid_until} 到期。"
    en = "This voucher expired at the end of {valid_until}."


class VoucherEnded(Refused):
    code = "voucher_ended"
    zh = "该券已{state_zh}，不能再用。"
    en = "This voucher is {state} and cannot be used."


class NotClaimed(Refused):
    code = "not_claimed"
    zh = "该券尚未领取。"
    en = "This voucher has not been claimed yet."


class NotYetValid(Refused):
    code = "not_yet_valid"
    zh = "该券自 {valid_from} 起可用。"
    en = "This voucher can be used from {valid_from}."


class UsedTooOften(Refused):
    """A voucher's history keeps room for the steps that end it; nobody mistakes a scan, or an application, this
    often."""

    code = "used_too_often"
    zh = "该券使用、撤销与申请已达 {limit} 次记录，不能再用或再申请；请联系发券单位。"
    en = (
        "This voucher has {limit} entries of use, reversal and application and cannot be used or applied for again; "
        "ask the issuing authority."
    )


class WrongInstitution(Refused):
    code = "wrong_institution"
    zh = "该券不能在此机构使用。"
    en = "This voucher cannot be used at this institution."


class WrongCourse(Refused):
    code = "wrong_course"
    zh = "该券不能用于此课程。"
    en = "This voucher cannot be used for this course."


class NotRedeemed(Refused):
    code = "not_redeemed"
    zh = "该券当前状态为 {state}，不是已使用。"
    en = "This voucher is {state}, not redeemed."


class ReversalWindowOver(Refused):
    code = "reversal_window_over"
    zh = "已超过撤销期限（{until}）。"
    en = "The time for reversing ended at {until}."


class NotHeld(Refused):
    code = "not_held"
    zh = "该券当前状态为 {state}，不能退回。"
    en = "This voucher is {state} and cannot be given back."


class NotRevocable(Refused):
    code = "not_revocable"
    zh = "该券当前状态为 {state}，不能作废。"
    en = "This voucher is {state} and cannot be revoked."


class CheckedInBefore(Refused):
    code = "checked_in_before"
    zh = "已用该券签到 {count} 次，不能撤销使用。"
    en = "There are {count} check-ins by this voucher; the redemption cannot be reversed."


# --- classes, check-ins ----------------------------------------------------------------------------------------------


class ClassStateRefused(Refused):
    code = "class_state"
    zh = "班级当前状态为“{state}”，不能进行此操作。"
    en = "The class is {state}; that does not allow this."


class SessionOver(Refused):
    code = "session_over"
    zh = "课次 {session} 已开始或已取消，不能进行此操作。"
    en = "Session {session} has begun or is cancelled; that does not allow this."


class ClassFull(Refused):
    code = "class_full"
    zh = "班级已满员（{capacity} 人）。"
    en = "The class is full ({capacity})."


class EnrolledAlready(Refused):
    code = "enrolled_already"
    zh = "该券已用于班级 {class_id}。"
    en = "This voucher has put its holder on class {class_id} already."


class NotRedeemedHere(Refused):
    code = "not_redeemed_here"
    zh = "该券未在本机构的此课程使用，不能入班。"
    en = "This voucher is not in use at this institution for this course."


class CompletedElsewhere(Refused):
    code = "completed_elsewhere"
    zh = "该券在另一班级结业，须随该班级申请。"
    en = "By this voucher another class was completed: it is applied for with that one."


class ClassesOverlap(Refused):
    code = "classes_overlap"
    zh = "该人员同时段已在另一班级中。"
    en = "The person is on another class at the same time."


class AlreadyCheckedIn(Refused):
    code = "already_checked_in"
    zh = "本课次已于 {at} 签到。"
    en = "Checked in for this session at {at}."


class NotCheckedIn(Refused):
    code = "not_checked_in"
    zh = "本课次尚未签到，不能签退。"
    en = "Not checked in for this session, so there is nothing to check out of."


class AlreadyCheckedOut(Refused):
    code = "already_checked_out"
    zh = "本课次已于 {at} 签退。"
    en = "Checked out of this session at {at}."


class AlreadyExcused(Refused):
    code = "already_excused"
    zh = "本课次已请假。"
    en = "Excused from this session already."


class CheckInNotOpen(Refused):
    code = "check_in_not_open"
    zh = "签到尚未开始，开始时间 {opens_at}。"
    en = "Check-in is not open yet; it opens at {opens_at}."


class CheckInOver(Refused):
    code = "check_in_over"
    zh = "课次已于 {ended_at} 结束，不能再签到。"
    en = "The session ended at {ended_at}; it is too late to check in."


class OnlineSession(Refused):
    code = "online_session"
    zh = "线上课次没有签到地点，请扫描班级签到码。"
    en = "An online session has no place; scan the class's code."


class PositionMocked(Refused):
    code = "position_mocked"
    zh = "设备使用了模拟定位，请关闭后重试。"
    en = "The device makes its position up; turn that off and try again."


class DatumUnknown(Refused):
    code = "datum_unknown"
    zh = "未注明坐标系，或坐标系未知：应为 wgs84、gcj02 或 bd09。"
    en = "The datum is missing or unknown; it is wgs84, gcj02 or bd09."


class PositionInvalid(Refused):
    code = "position_invalid"
    zh = "坐标不是有效数字，或超出范围。"
    en = "The coordinates are no numbers, or out of range."


class PositionZero(Refused):
    code = "position_zero"
    zh = "坐标为 (0, 0)，设备未取得定位。"
    en = "The coordinates are (0, 0): the device had no position."


class PositionSwapped(Refused):
    code = "position_swapped"
    zh = "经度和纬度填反了。"
    en = "Latitude and longitude are swapped."


class PositionOutsideChina(Refused):
    code = "position_outside_china"
    zh = "坐标不在中国境内。"
    en = "The coordinates are not in China."


class PositionInaccurate(Refused):
    code = "position_inaccurate"
    zh = "定位精度太差（须在 {limit} 米以内），请到开阔处重新定位，或扫描班级签到码。"
    en = "The position is too inaccurate ({limit} m at most); try again under open sky, or scan the class's code."


class TooFar(Refused):
    code = "too_far"
    zh = "距上课地点 {metres} 米，须在 {radius} 米以内。"
    en = "{metres} m from the class's place; {radius} m are allowed."


class TooFast(Refused):
    code = "too_fast"
    zh = "距上次签到 {seconds} 秒而相隔 {metres} 米，不可能到达。"
    en = "{metres} m from the last check-in {seconds} seconds ago: nobody comes that fast."


class ClassCodeNotAccepted(Refused):
    code = "class_code_not_accepted"
    zh = "签到码无效或已过期，请扫描屏幕上最新的签到码。"
    en = "The class's code is not valid or too old; scan the one that is shown now."


class ApplicationStateRefused(Refused):
    code = "application_state"
    zh = "该资金申请{state_zh}，不能进行此操作。"
    en = "The application is {state}, which does not allow this."


class LineStateRefused(Refused):
    code = "line_state"
    zh = "该券在申请中的状态为{state_zh}，不能进行此操作。"
    en = "The line is {state}, which does not allow this."


class AttachmentsMissing(Refused):
    code = "attachments_missing"
    zh = "缺少附件：{kinds_zh}。"
    en = "Attachments are missing: {kinds}."


class AttachmentNotStored(Refused):
    code = "attachment_not_stored"
    zh = "附件尚未上传。"
    en = "The attachment's file has not been put yet."


class SettledElsewhere(Refused):
    code = "settled_elsewhere"
    zh = "该地区在自有系统审核、拨付：由地区报送结算结果（拨付、不予通过或退回）。"
    en = "This region reviews and pays in its own system: it reports what became of it (paid, refused or returned)."


class SettledHere(Refused):
    code = "settled_here"
    zh = "该申请在本平台审核、拨付，不接收外部结算结果。"
    en = "This application is reviewed and paid here; no results are taken from outside."


class SettledOtherwise(Refused):
    code = "settled_otherwise"
    zh = "该券已有不同的结算结果（{outcome_zh}，{settled_on}）；更正请走追回等流程。"
    en = "This line has another result already ({outcome}, {settled_on})."


class NoPublicity(Refused):
    code = "no_publicity"
    zh = "该地区规则未要求公示。"
    en = "The region's rules want no publicity."


class AlreadyPublished(Refused):
    code = "already_published"
    zh = "该申请已公示，公示期至 {until}。"
    en = "This application is published already, until {until}."


class NotPublished(Refused):
    code = "not_published"
    zh = "该申请未公示，不能登记异议。"
    en = "This application is not published; there is nothing to object to."


class TooManyObjections(Refused):
    code = "too_many_objections"
    zh = "该申请的异议已达 {limit} 件，请先线下核查。"
    en = "There are {limit} objections to this application; look into it first."


class ObjectionResolved(Refused):
    code = "objection_resolved"
    zh = "该异议已处理。"
    en = "This objection is resolved."


class PublicityNotOver(Refused):
    code = "publicity_not_over"
    zh = "公示截止日：{until}；待处理异议 {objections} 件。公示结束且异议处理完毕后方可拨付。"
    en = "Published until: {until}; open objections: {objections}. It is paid when both are over."


class BatchStateRefused(Refused):
    code = "batch_state"
    zh = "该拨付批次{state_zh}，不能进行此操作。"
    en = "The payment batch is {state}, which does not allow this."


class AmountDiffers(Refused):
    code = "amount_differs"
    zh = "金额 {fen} 分与批次中的 {expected_fen} 分不一致。"
    en = "{fen} fen are not the {expected_fen} fen of the batch."


class ProposalChanged(Refused):
    code = "proposal_changed"
    zh = "没有待确认的收款账户、已另有申请，或所填账号与申请不一致，请重新核对。"
    en = "No bank account of this number waits to be confirmed, or the account number is another one; look again."


class ApplicationBusy(Refused):
    code = "application_busy"
    zh = "该资金申请正在批量处理，请稍后再试。"
    en = "A decision in bulk is being carried out on this application; try again later."


class OverClaim(Refused):
    code = "over_claim"
    zh = "核定金额须大于 0 且不超过申请金额 {claimed_fen} 分。"
    en = "What is granted must be more than 0 and at most the {claimed_fen} fen that were claimed."


class AlreadyApplied(Refused):
    code = "already_applied"
    zh = "该券已在资金申请 {application_id} 中。"
    en = "This voucher stands in application {application_id} already."


class FilingOver(Refused):
    code = "filing_over"
    zh = "资金申请期限已于 {until} 届满。"
    en = "The time to apply for this voucher's money ended on {until}."


class OverCeiling(Refused):
    code = "over_ceiling"
    zh = "申请金额 {claimed_fen} 分须大于 0 且不超过该券上限 {ceiling_fen} 分。"
    en = "The {claimed_fen} fen claimed must be more than 0 and at most the voucher's ceiling, {ceiling_fen} fen."


class NothingToRecover(Refused):
    code = "nothing_to_recover"
    zh = "可追回金额为 {left_fen} 分。"
    en = "Of this voucher {left_fen} fen can be claimed back."


class NotCompleted(Refused):
    code = "not_completed"
    zh = "须在结班且本人结业后办理。"
    en = "Only once the class is finished, and by who completed it."


class EvaluationOver(Refused):
    code = "evaluation_over"
    zh = "评价已于 {until} 截止。"
    en = "Evaluation ended at {until}."


class ReportedTooLate(Refused):
    code = "reported_too_late"
    zh = "签到上报过晚，须在签到后 {hours} 小时内上报。"
    en = "Reported too late: a check-in is reported within {hours} hours."


class TooManyByHand(Refused):
    code = "too_many_by_hand"
    zh = "人工补签已达上限（课次的 {percent}%）。"
    en = "No more check-ins by hand for this person ({percent} % of the sessions at most)."


# --- later, please -------------------------------------------------------------------------------------------------


class Contended(Unavailable):
    code = "contended"
    zh = "同时操作的人太多，请用同一幂等键稍后重试。"
    en = "Too many at once; repeat in a moment with the same idempotency key."


class EligibilityServiceUnavailable(Unavailable):
    """``reason``: none, address, connection, timeout, status, too_large, broken_off, form, signature, personal,
    resting."""

    code = "eligibility_service_unavailable"
    zh = "地区身份核验服务（{region}）未给出可采信的答复：{reason}。未作任何更改，请稍后用同一幂等键重试。"
    en = (
        "The region's eligibility service ({region}) gave no answer to go by: {reason}. Nothing changed; repeat later "
        "with the same idempotency key."
    )


def sentences(refused: DomainError) -> tuple[str, str]:
    """What a refusal says, in Chinese and in English."""
    return say(refused.zh, refused.facts, chinese=True), say(refused.en, refused.facts, chinese=False)


def every_error() -> list[type[DomainError]]:
    """All classes of this module in the order in which they stand here, which is their order of precedence."""
    return [kind for kind in globals().values() if isinstance(kind, type) and issubclass(kind, DomainError)][1:]
