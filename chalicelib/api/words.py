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
    "subject": ("不是针对此券签发的", "it was made for another voucher or template"),
    "expired": ("已过期", "it has expired"),
    "future": ("签发时间在未来，请校时", "it was made in the future; set the clock"),
    "used": ("已失效，出示后该券有过变动", "the voucher has changed since it was shown"),
    "request": ("与本次请求不一致", "it was made for another request"),
    "unknown": ("没有此经办人", "there is no such operator"),
    "disabled": ("经办人已停用", "the operator is disabled"),
    "client": ("经办人不属于本应用", "the operator does not belong to this client"),
    # JSON
    "encoding": ("不是 UTF-8", "it is not UTF-8"),
    "syntax": ("语法错误", "its syntax is wrong"),
    "number": ("数字无法表示", "it has a number that JSON does not know"),
    "duplicate": ("有重复的字段名", "a field name stands twice"),
    "depth": ("嵌套太深", "it is nested too deeply"),
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
    "admitted": "已准入",
}
NOUNS: Mapping[str, str] = {
    "region": "行政区划",
    "rule_set": "规则",
    "programme": "培训项目",
    "course": "课程",
    "institution": "机构",
    "client": "应用",
    "operator": "经办人",
    "assertion_key": "断言公钥",
    "account": "专账",
    "template": "券模板",
    "voucher": "培训券",
}


def say(sentence: str, facts: Mapping[str, str | int | None], *, chinese: bool) -> str:
    """Fill a sentence's braces; a fact that is not known is a dash."""
    return _BRACE.sub(lambda found: _word(found[1], facts.get(found[1]), chinese=chinese), sentence)


def _word(name: str, value: str | int | None, *, chinese: bool) -> str:
    if value is None:
        return "—"
    text = str(value)
    if _INSTANT.fullmatch(text):
        local = from_text(text).astimezone(CHINA)
        return f"{local:%Y-%m-%d %H:%M:%S}" + ("（北京时间）" if chinese else " (China time)")
    if name == "reason" and text in REASONS:
        return REASONS[text][0 if chinese else 1]
    if chinese and name == "state":
        return STATES.get(text, text)
    if chinese and name == "what":
        return NOUNS.get(text, text)
    return text.replace("_", " ") if name in ("state", "what") else text


_BRACE = re.compile(r"\{([a-z_]+)\}")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z")
