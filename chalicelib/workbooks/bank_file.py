"""The bank file (银行代发文件): one documented CSV. docs/bank-file.md"""

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

from chalicelib.domain.money import yuan
from chalicelib.domain.payment import FileRow, PaymentBatch
from chalicelib.domain.programme import Payee

ENCODING = "gb18030"
NUMBER = "账号或社会保障卡持卡人证件号码"
HEADER = (
    "付款序号",
    "收款类型",
    "户名",
    NUMBER,
    "开户行",
    "金额（元）",
    "批次号",
    "业务编号",
)
PAYEE_ZH = {Payee.INSTITUTION: "机构账户", Payee.PERSON: "社会保障卡账户"}
TRAILER = "合计"
# A spreadsheet takes these for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def bank_file(batch: PaymentBatch, payees: Sequence[FileRow]) -> bytes:
    """Header, one line for each payee, and the trailer with the control totals; lines end with CR LF.

    The same batch makes the same bytes.
    """
    text = StringIO(newline="")
    to = csv.writer(text, lineterminator="\r\n")
    to.writerow(HEADER)
    for one in payees:
        to.writerow(
            _plain(
                (
                    str(one.sequence),
                    PAYEE_ZH[one.kind],
                    one.name,
                    one.number,
                    one.bank,
                    _amount(one.fen),
                    batch.batch_id,
                    f"{batch.batch_id}-{one.sequence}",
                )
            )
        )
    total = _amount(sum(one.fen for one in payees))
    to.writerow(_plain((TRAILER, f"{len(payees)}", "", "", "", total, batch.batch_id, "")))
    return text.getvalue().encode(ENCODING)


def _amount(fen: int) -> str:
    return yuan(fen).replace(",", "")


def _plain(cells: Iterable[str]) -> list[str]:
    return [f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells]
