"""How facts are said to people, in both languages: reasons, states, instants. Codes stay as they are in ``facts``."""

import re
from collections.abc import Mapping

from chalicelib.domain.calendar import CHINA, from_text

REASONS: Mapping[str, tuple[str, str]] = {
    # assertions, operators' signatures, tokens
    "malformed": ("格式不正确", "it is malformed"),
    "algorithm": ("签名算法不被允许", "its algorithm is not allowed"),
    "unknown_key": ("签名公钥不存在或已停用", "its key is unknown or disabled"),
    "signature": ("签名不符", "its signature does not match"),
    "audience": ("不是签发给本应用的", "it was made for another client"),
    "purpose": ("用途不符", "it was made for another purpose"),
    "subject": ("不是针对此券或此机构签发的", "it was made for another voucher, template or institution"),
    "place": ("终端不属于该机构", "the terminal stands at another institution"),
    "expired": ("已过期", "it has expired"),
    "future": ("签发时间在未来，请校时", "it was made in the future; set the clock"),
    "used": ("已失效，出示后该券有过变动", "the voucher has changed since it was shown"),
    "request": ("与本次请求不一致", "it was made for another request"),
    "unknown": ("没有此经办人", "there is no such operator"),
    "disabled": ("经办人已停用", "the operator is disabled"),
    "client": ("经办人不属于本应用", "the operator does not belong to this client"),
    # a region's eligibility service
    "none": ("没有启用的服务", "no service is in use"),
    "address": ("地址不是公网地址", "its address is not a public one"),
    "connection": ("无法建立连接", "no connection came about"),
    "timeout": ("超时", "it did not answer in time"),
    "status": ("状态码不是 200", "its status was not 200"),
    "too_large": ("答复太大", "its answer was too large"),
    "broken_off": ("答复中断", "its answer broke off"),
    "form": ("答复格式不符", "its answer has another form"),
    "personal": ("理由中含有证件号码或手机号", "a reason has somebody's number in it"),
    "resting": ("连续失败，暂停询问", "it failed too often and is left alone for a while"),
    # amendments
    "not_later": ("须晚于现行日期", "the date must be later than it is now"),
    "there_already": ("所列均已在现行条款内", "all of it stands in the terms already"),
    "any_already": ("现行条款本就不限，无可增加", "the terms allow any already, so there is nothing to add"),
    "too_often": ("已达变更上限", "the terms have been amended as often as they can be"),
    # JSON
    "encoding": ("不是 UTF-8", "it is not UTF-8"),
    "syntax": ("语法错误", "its syntax is wrong"),
    "number": ("数字无法表示", "it has a number that JSON does not know"),
    "duplicate": ("有重复的字段名", "a field name stands twice"),
    "depth": ("嵌套太深", "it is nested too deeply"),
}
# What services say of a field in English; the same in Chinese.
PHRASES: Mapping[str, str] = {
    "a text holds somebody's number": "文本中含有证件号码或手机号",
    "the group is a code of small letters": "人群类别应为规则中的代码（小写字母、数字、下划线）",
    "the occupation or its level has another form": "职业编码或等级格式不符",
    "a roster of vouchers is one of a template": "发券名单须指定券模板，且不填地区",
    "this kind of roster is one of a region, not of a template": "此类名单须指定地区，且不填券模板",
    "only an authority submits this kind of roster": "此类名单只能由人社部门上传",
    "only a roster of vouchers is issued all or nothing": "“全部或不发”只适用于发券名单",
    "a voucher stands there twice": "同一张券出现两次",
    "an id holds somebody's number": "券编号中含有证件号码或手机号",
    "an application has too many lines": "一份资金申请的明细过多",
    "an application has too many attachments": "一份资金申请的附件过多",
    "a sum is told where less is granted, and only there": "仅在核减时填写金额",
    "the reason is one of those that the region has": "理由须为本地区规则所列之一",
    "what was paid has a sum and a reference": "已拨付的须填写金额和凭证号",
    "what was not paid has a reason, and neither sum nor reference": "未拨付的须填写原因，不填金额和凭证号",
    "a result is of today or before": "结算日期不能晚于今天",
    "a result is of the day of the application or later": "结算日期不能早于申请日期",
    "only a region has lists of what waits": "只有地区有待审核、超期未审清单",
    "one to twenty applications, each of them once": "资金申请须为 1 至 20 个，且不重复",
    "an account number has 8 to 32 digits": "账号应为 8 至 32 位数字",
    "an amendment changes something": "条款变更须至少改动一项",
    "the template has no such column, and a new one needs a title": "模板中没有此列；新增列须填写列名",
    "the template has this column, which keeps its title": "模板中已有此列，列名不能更改",
    "a word of the header already means another column": "列名或别名与其他列重复",
    "a class has too many sessions": "班级的课次过多",
    "a class goes on for more than two years": "班级时间跨度超过两年",
    "a dimension is rated twice": "同一项评分了两次",
    "only a roster that issues vouchers puts people on a class": "只有已发券的名单可用于学员入班",
    "a make-up session is held instead of a cancelled one": "补课须对应一个已取消且未补的课次",
    "a session cannot begin in the past": "课次的开始时间不能早于现在",
    "a session ends before it begins": "课次的结束时间须晚于开始时间",
    "a session goes on for more than 12 hours": "一个课次不能超过 12 小时",
    "a session has a place unless the course is held online": "线下课程的课次须填写上课地点",
    "more people are on the class than that": "班级已有更多学员，名额不能少于在班人数",
    "the class to change to is the same one": "转入的班级与原班级相同",
    "two sessions of the class are at one time": "班级的两个课次时间重叠",
    "a rule set cannot begin in the past": "规则的生效日期不能早于今天",
    "the dates end before they begin": "结束日期不能早于开始日期",
    "one person is in too many groups": "该人员所在的人群类别过多",
    "the rule has too many parts, or they stand too deep": "领取条件的组成部分过多或嵌套过深",
    "a declared rule says nothing": "声明式条件没有任何内容",
    "the programme is bound to another occupation or level": "该培训项目已限定其他职业（工种）或等级",
    "a level is one of an occupation": "等级须与职业（工种）一并填写",
    "nobody is their own proxy": "不能为自己代办",
    "the age ends before it begins": "年龄上限不能低于下限",
    "the region has no eligibility service": "该地区没有登记资格核验服务",
    "not an address that may be called: https, a public host, a plain path, no query": (
        "该地址不可调用：须为 https、公网主机、普通路径且不带参数"
    ),
    "counties, cities and provinces have eligibility services": "只有省、市、县可以设置身份核验服务",
    "one of token, code, or assertion with template_id is needed": "须提供 token、code，或 assertion 连同 template_id",
    "an account cannot give to itself": "调出与调入不能是同一专账",
    "the accounts are of different years": "两个专账的年度不同",
    "the accounts are not of one province": "两个专账不属于同一省份",
    "this cursor is not one of ours for this list": "cursor 不是本列表给出的",
    "this cursor is of another list": "该游标属于另一个列表",
    "claiming cannot end before it begins": "领取结束日期不能早于开始日期",
    "validity cannot end before it begins": "有效期结束日期不能早于开始日期",
    "nobody can claim a voucher that is no longer valid": "领取结束日期不能晚于有效期结束日期",
    "institutions are named for the role institution, and only for it": "角色 institution 须指明机构，其他角色不得指明",
    "id_type does not fit the number": "证件类型与号码不符",
    "a record cannot be merged with itself": "不能与自身合并",
    "this is what is known already": "与现有信息一致，无需更正",
    "this person has too many numbers": "此人的证件号码已达上限",
    "who is deceased is so for good": "“已去世”标记不设截止日期",
    "a flag cannot end in the past": "标记的截止日期不能早于今天",
    "a flag ends only where it is set": "取消标记时不得填写截止日期",
    "one of assertion and card_read is needed": "须提供 assertion 或 card_read",
    "only a channel acts by a member of staff": "只有渠道可以凭工作人员身份断言办理",
    "a card is put down by its holder: nobody acts for them": "持卡办理须本人到场，不能代办",
    "a duty is named twice": "同一岗位重复",
    "an auditor has no other duty": "审计岗位不得兼任其他岗位",
    "the programme is not one of this region or of one above it": "该培训项目不属于本地区或其上级地区",
    "a face-value voucher is not for attendance only": "面值券不能仅用于考勤",
    "a voucher without face value carries none": "抵用券没有面值",
    "a GET has no body": "GET 请求不应有请求体",
}
STATES: Mapping[str, str] = {
    "issued": "已发放",
    "claimed": "已领取",
    "redeemed": "已使用",
    "applied": "已申请资金",
    "written_off": "已核销",
    "returned": "已退回",
    "expired": "已过期",
    "forfeited": "已失效",
    "revoked": "已作废",
    "draft": "草稿",
    "published": "已发布",
    "suspended": "已暂停",
    "closed": "已关闭",
    "candidate": "待准入",
    "admitted": "已准入",
    "withdrawn": "已退出",
    "proposed": "待确认",
    "confirmed": "已确认",
    "undone": "已撤销",
}


def say(sentence: str, facts: Mapping[str, str | int | None], *, chinese: bool) -> str:
    """Fill a sentence's braces; a fact that is not known is a dash.

    Where a fact ``x`` is text in English, a fact ``x_zh`` beside it says it in Chinese; it is not shown as a fact.
    """
    return _BRACE.sub(lambda found: _word(found[1], facts, chinese=chinese), sentence)


def shown(facts: Mapping[str, str | int | None]) -> dict[str, str | int | None]:
    """The facts that programs are given."""
    return {name: value for name, value in facts.items() if not name.endswith("_zh")}


def _word(name: str, facts: Mapping[str, str | int | None], *, chinese: bool) -> str:
    value = facts.get(name)
    if chinese:
        value = facts.get(f"{name}_zh", value)
    if value is None:
        return "—"
    text = str(value)
    if _INSTANT.fullmatch(text):
        local = from_text(text).astimezone(CHINA)
        return f"{local:%Y-%m-%d %H:%M:%S}" + ("（北京时间）" if chinese else " (China time)")
    if name == "reason":
        return _reason(text, chinese=chinese)
    if chinese and name == "state":
        return STATES.get(text, text)
    return text.replace("_", " ") if name == "state" else text


def _reason(text: str, *, chinese: bool) -> str:
    if text in REASONS:
        return REASONS[text][0 if chinese else 1]
    return (PHRASES.get(text, text) if chinese else text).rstrip("。.")  # the sentence has a stop of its own


_BRACE = re.compile(r"\{([a-z_]+)\}")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z")
