"""QR codes drawn from tokens: SVG for screens, PNG where a picture file is needed, blocks for a terminal.

A token is base32, so it goes in alphanumeric mode (5.5 bits a symbol) at level M: version 8, readable by any phone.
"""

import base64
import struct
import zlib

PNG_SCALE = 8
"""Pixels to a module."""


def svg(token: str) -> str:
    """A complete SVG document, one black path on white, one unit to a module."""
    rows = _modules(token)
    runs = "".join(f"M{x} {y}h{length}v1h-{length}z" for y, row in enumerate(rows) for x, length in _runs(row))
    size = len(rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" width="{size * PNG_SCALE}"'
        f' height="{size * PNG_SCALE}" shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{size}v{size}H0z"/><path d="{runs}"/></svg>'
    )


def png_data_uri(token: str) -> str:
    """A black and white PNG as ``data:image/png;base64,…``."""
    return "data:image/png;base64," + base64.b64encode(_png(_modules(token))).decode()


def terminal(token: str) -> str:
    """Half blocks, two rows of modules a line, dark on light whatever the terminal's colours."""
    rows = _modules(token)
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    lines = []
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        lines.append("".join(_BLOCKS[above, below] for above, below in zip(upper, lower, strict=True)))
    return "\n".join(f"\x1b[30;107m{line}\x1b[0m" for line in lines)


_BLOCKS = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def _modules(token: str) -> list[list[bool]]:
    """Rows of modules, dark is True, with the quiet zone of four that the standard wants."""
    # Here, not above: a container that never draws does not load it.
    import qrcode
    from qrcode.constants import ERROR_CORRECT_M
    from qrcode.util import MODE_ALPHA_NUM, QRData

    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=4)
    code.add_data(QRData(token, mode=MODE_ALPHA_NUM), optimize=0)
    code.make(fit=True)
    return [[bool(module) for module in row] for row in code.get_matrix()]


def _runs(row: list[bool]) -> list[tuple[int, int]]:
    """Start and length of each dark run."""
    runs: list[tuple[int, int]] = []
    for x, dark in enumerate(row):
        if dark and runs and sum(runs[-1]) == x:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        elif dark:
            runs.append((x, 1))
    return runs


def _png(rows: list[list[bool]]) -> bytes:
    """One bit a pixel, greyscale: small enough to write here, which spares Pillow's megabytes in the package."""
    width = len(rows[0]) * PNG_SCALE
    lines = []
    for row in rows:
        bits = "".join(("0" if dark else "1") * PNG_SCALE for dark in row)
        packed = int(bits, 2).to_bytes(width // 8, "big")  # PNG_SCALE fills whole bytes
        lines.append((b"\0" + packed) * PNG_SCALE)
    header = struct.pack(">IIBBBBB", width, len(rows) * PNG_SCALE, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(lines), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
