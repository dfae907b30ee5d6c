"""STUB"""

from chalicelib.domain.sheets import Column, Schema

VOUCHERS = Schema(
    "vouchers",
    "名单",
    "1",
    tuple(
        Column(n, t)
        for n, t in (
            ("name", "姓名"),
            ("id_number", "证件号码"),
            ("mobile", "手机号"),
            ("institution", "培训机构统一社会信用代码"),
            ("course", "课程编号"),
            ("remark", "备注"),
        )
    ),
)
SCHEMAS = {"vouchers": VOUCHERS}
