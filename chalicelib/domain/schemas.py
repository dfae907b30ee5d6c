"""The templates of rosters: which columns each has, what their headers may say, what their cells hold."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chalicelib.domain.errors import Invalid
from chalicelib.domain.region import RosterColumn
from chalicelib.domain.sheets import Column, Schema, names_of, plain_title

_NAME = Column(
    "name", "姓名", "Name", ("人员姓名", "学员姓名", "申请人姓名"), True, "name", "与证件上的姓名一致。", "王小明"
)
_ID_TYPE = Column(
    "id_type",
    "证件类型",
    "ID type",
    ("证件种类", "身份证件类型"),
    False,
    "id_type",
    "不填时按号码识别；填写时须与号码相符。",
    "居民身份证",
    (
        ("居民身份证", "resident_id"),
        ("港澳台居民居住证", "hk_macao_taiwan_permit"),
        ("外国人永久居留身份证", "foreign_permanent"),
    ),
)
_ID_NUMBER = Column(
    "id_number",
    "证件号码",
    "ID number",
    (
        "社会保障号码",
        "社会保障号",
        "证件号码(社会保障号码)",
        "身份证号",
        "身份证号码",
        "身份证",
        "公民身份号码",
        "居民身份证号码",
        "证件号",
    ),
    True,
    "id_number",
    "文本格式，18 位；末位为英文字母 X 时不能写成 × 等符号。",
    "（18 位号码）",
)
_MOBILE = Column(
    "mobile",
    "手机号",
    "Mobile",
    ("手机", "手机号码", "联系电话", "联系方式"),
    False,
    "mobile",
    "11 位手机号。",
    "（11 位号码）",
)
_INSTITUTION = Column(
    "institution",
    "培训机构统一社会信用代码",
    "Institution's credit code",
    ("统一社会信用代码", "机构统一社会信用代码", "培训机构代码", "机构代码"),
    False,
    "uscc",
    "参加培训的机构，18 位，文本格式。",
    "91350100M000100Y43",
)
_COURSE = Column("course", "课程编号", "Course", ("课程代码", "课程号"), False, "text", "平台上的课程编号。", "")
_REMARK = Column("remark", "备注", "Remark", ("说明",), False, "text", "不参与比对。", "")

VOUCHERS = Schema(
    "vouchers",
    "定向券发放名单",
    "2026.1",
    (
        _NAME,
        _ID_TYPE,
        _ID_NUMBER,
        _MOBILE,
        Column(
            "category", "人员类别", "Category", ("人员类型", "人群类别"), False, "text", "如：企业职工。", "企业职工"
        ),
        _INSTITUTION,
        _COURSE,
        _REMARK,
    ),
)
ELIGIBLE = Schema(
    "eligible",
    "适用人群名单",
    "2026.1",
    (
        _NAME,
        _ID_NUMBER,
        Column(
            "group",
            "人群类别",
            "Group",
            ("人员类别", "类别"),
            True,
            "text",
            "规则中使用的人群代码。",
            "migrant_worker",
        ),
        Column("since", "开始日期", "Since", ("起始日期",), False, "date", "含当日；不填为不限。", "2026-01-01"),
        Column("until", "结束日期", "Until", ("截止日期",), False, "date", "含当日；不填为不限。", "2026-12-31"),
    ),
)
INSTITUTIONS = Schema(
    "institutions",
    "培训机构名单",
    "2026.1",
    (
        Column(
            "name_zh",
            "机构名称",
            "Name",
            ("培训机构名称", "单位名称"),
            True,
            "text",
            "登记的全称。",
            "示范职业培训学校",
        ),
        Column(
            "name_en", "英文名称", "Name in English", ("机构英文名称",), True, "text", "", "Model Vocational School"
        ),
        replace(_INSTITUTION, name="institution_id", required=True, explanation="18 位，文本格式。"),
        Column("region", "行政区划代码", "Region", ("区划代码",), True, "text", "6 位。", "440300"),
        Column(
            "kind",
            "机构类型",
            "Kind",
            (),
            True,
            "choice",
            "",
            "培训机构",
            (
                ("培训机构", "training"),
                ("院校", "school"),
                ("企业", "enterprise"),
                ("线上平台", "platform"),
                ("评价机构", "assessment"),
            ),
        ),
        Column("latitude", "纬度", "Latitude", (), True, "text", "十进制度。", "22.543096"),
        Column("longitude", "经度", "Longitude", (), True, "text", "十进制度。", "114.057865"),
        Column(
            "datum",
            "坐标系",
            "Datum",
            (),
            True,
            "choice",
            "坐标从哪里取得。",
            "高德/腾讯（GCJ-02）",
            (("GPS（WGS-84）", "wgs84"), ("高德/腾讯（GCJ-02）", "gcj02"), ("百度（BD-09）", "bd09")),
        ),
    ),
)
COURSES = Schema(
    "courses",
    "课程名单",
    "2026.1",
    (
        Column("name_zh", "课程名称", "Name", (), True, "text", "", "电工（初级）"),
        Column("name_en", "课程英文名称", "Name in English", ("英文名称",), True, "text", "", "Electrician, junior"),
        replace(_INSTITUTION, name="institution_id", required=True, explanation="18 位，文本格式。"),
        Column("programme_id", "培训项目编号", "Programme", ("项目编号",), True, "text", "平台上的项目编号。", ""),
        Column("hours", "学时", "Class hours", ("课时",), True, "integer", "", "40"),
        Column(
            "online",
            "是否线上",
            "Online",
            ("线上",),
            False,
            "choice",
            "不填为否。",
            "否",
            (("是", "yes"), ("否", "no")),
        ),
        Column("occupation", "职业（工种）编码", "Occupation", ("职业编码", "工种编码"), False, "text", "", ""),
        Column("level", "技能等级", "Level", ("等级",), False, "integer", "5 为最低，1 为最高。", ""),
    ),
)
STAFF = Schema(
    "staff",
    "机构人员名单",
    "2026.1",
    (_NAME, _ID_TYPE, _ID_NUMBER, _MOBILE, replace(_INSTITUTION, required=True, explanation="任职的机构，18 位。")),
)
# Not 结果 and 原因: so are called the two columns in which a result workbook tells what became of a row.
SETTLEMENTS = Schema(
    "settlements",
    "外部结算结果",
    "2026.1",
    (
        Column("application", "申请编号", "Application", ("资金申请编号",), True, "text", "平台上的资金申请编号。", ""),
        Column("voucher", "券编号", "Voucher", ("培训券编号",), True, "text", "资金申请明细中的券编号。", ""),
        Column(
            "outcome",
            "结算结果",
            "Outcome",
            ("办理结果",),
            True,
            "choice",
            "退回的可再次申请，不予通过的不能。",
            "已拨付",
            (("已拨付", "paid"), ("不予通过", "refused"), ("退回", "returned")),
        ),
        Column("fen", "金额(元)", "Amount (yuan)", ("金额", "拨付金额"), False, "yuan", "已拨付的必填。", "2000.00"),
        Column("reference", "凭证号", "Reference", ("拨付凭证号",), False, "code", "已拨付的必填。", ""),
        Column("settled_on", "日期", "Date", ("结算日期", "拨付日期"), True, "date", "办理的日期。", "2026-01-31"),
        Column("reason", "结算原因", "Reason", ("办理原因",), False, "text", "未拨付的必填。", "材料不全"),
    ),
)
PAYMENT_RESULTS = Schema(
    "payment_results",
    "拨付结果名单",
    "2026.1",
    (
        Column("batch", "批次号", "Batch", ("拨付批次", "批次"), True, "text", "与银行文件一致。", "（批次号）"),
        Column("sequence", "付款序号", "Sequence", (), True, "integer", "与银行文件一致。", "1"),
        Column("amount", "金额（元）", "Amount (yuan)", ("付款金额",), True, "yuan", "与银行文件一致。", "2000.00"),
        Column(
            "result",
            "付款结果",
            "Payment result",
            ("交易结果",),
            True,
            "choice",
            "",
            "成功",
            (("成功", "paid"), ("失败", "failed")),
        ),
        Column("reason", "失败原因", "Reason", (), False, "text", "付款失败时填写。", ""),
        Column("reference", "银行流水号", "Bank reference", ("流水号", "交易流水号"), False, "code", "文本格式。", ""),
    ),
)
SCHEMAS: Mapping[str, Schema] = {
    one.kind: one for one in (VOUCHERS, ELIGIBLE, INSTITUTIONS, COURSES, STAFF, SETTLEMENTS, PAYMENT_RESULTS)
}


def regional(kind: str, columns: Sequence[RosterColumn]) -> Schema:
    """The template of a kind with what a region's rules add to it.

    Raises Invalid (/roster_columns/…): a column that the template has not and that has no title, one that is added
    twice, and a word that would mean two columns.
    """
    schema = SCHEMAS[kind]
    there = {one.name: one for one in schema.columns}
    for i, column in enumerate(columns):
        if column.kind != kind:
            continue
        at, known = f"/roster_columns/{i}", there.get(column.name)
        if known is None and column.title is None:
            raise Invalid(pointer=f"{at}/name", reason="the template has no such column, and a new one needs a title")
        if known is not None and column.title is not None:
            raise Invalid(pointer=f"{at}/title", reason="the template has this column, which keeps its title")
        for word in (column.title, column.title_en, *column.aliases):
            meant = names_of(replace(schema, columns=tuple(there.values()))).get(plain_title(word or ""))
            if meant not in (None, column.name):
                raise Invalid(pointer=at, reason="a word of the header already means another column")
        added = known or Column(
            column.name,
            column.title or "",
            column.title_en or "",
            explanation=column.explanation or "",
        )
        there[column.name] = replace(added, aliases=(*added.aliases, *column.aliases))
    return replace(schema, columns=tuple(there.values()))
