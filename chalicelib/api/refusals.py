"""Refusals that only HTTP knows, beside those of ``chalicelib.domain.errors``."""

from chalicelib.domain.errors import DomainError, Invalid, NotFound


class TooManyRequests(DomainError):
    code = "too_many_requests"
    zh = "请求过于频繁：每 {window_seconds} 秒最多 {limit} 次；请在 {retry_after_seconds} 秒后重试。"
    en = "Too many requests: {limit} in {window_seconds} seconds at most. Try again in {retry_after_seconds} seconds."


class BodyTooLarge(Invalid):
    code = "body_too_large"
    zh = "请求体太大，最多 {limit} 字节。"
    en = "The body is too large; {limit} bytes at most."


class UnsupportedMediaType(Invalid):
    code = "unsupported_media_type"
    zh = "不支持这种内容类型，请用 application/json。"
    en = "Unsupported content type, use application/json."


class MalformedJson(Invalid):
    """``reason``: encoding, syntax, number, duplicate, depth."""

    code = "malformed_json"
    zh = "请求体不是规范的 JSON：{reason}。"
    en = "The body is not proper JSON: {reason}."


class IdempotencyKeyRequired(Invalid):
    code = "idempotency_key_required"
    zh = "此操作需要幂等键（Idempotency-Key，1 至 255 个可见 ASCII 字符）。"
    en = "This operation needs an Idempotency-Key of 1 to 255 visible ASCII characters."


class IdempotencyKeyNotTaken(Invalid):
    code = "idempotency_key_not_taken"
    zh = "此操作不改变数据，不接受幂等键。"
    en = "This operation changes nothing and takes no Idempotency-Key."


class InvalidFields(Invalid):
    """Fields or parameters that do not fit; each of ``details`` names one and says why in both languages."""

    code = "invalid_fields"
    zh = "有 {count} 处内容不符合要求，见 errors。"
    en = "{count} things do not fit; see errors."

    def __init__(self, details: tuple["Detail", ...]) -> None:
        super().__init__(count=len(details))
        self.details = details


class Detail:
    """One thing that does not fit: a body's field (``pointer``, RFC 6901) or a query ``parameter``."""

    __slots__ = ("en", "name", "place", "zh")

    def __init__(self, place: str, name: str, zh: str, en: str) -> None:
        self.place, self.name, self.zh, self.en = place, name, zh, en


class NoSuchRoute(NotFound):
    code = "no_such_route"
    zh = "没有这个地址。"
    en = "No such address."


class MethodNotAllowed(NotFound):
    code = "method_not_allowed"
    zh = "此地址不支持该方法；可用：{allowed}。"
    en = "This address does not know the method; it knows {allowed}."


class BadRequest(Invalid):
    code = "bad_request"
    zh = "请求无法读取。"
    en = "The request cannot be read."


class InternalError(DomainError):
    code = "internal_error"
    zh = "系统内部错误，结果未知；请用同一幂等键重试，并把 request_id 告诉技术支持。"
    en = (
        "An internal error; the outcome is unknown. Repeat with the same idempotency key; support needs the request_id."
    )


STATUS: dict[type[DomainError], int] = {
    BodyTooLarge: 413,
    UnsupportedMediaType: 415,
    MethodNotAllowed: 405,
    TooManyRequests: 429,
    InternalError: 500,
}
"""Statuses that do not follow from the base class."""
