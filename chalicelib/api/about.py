"""What anybody may ask: the time, the keys that sign QR codes, this API's description."""

from chalice.app import Blueprint, Response
from pydantic import ConfigDict

from chalicelib.api.answers import Plain, answers
from chalicelib.api.shapes import Instant, Shown

routes = Blueprint(__name__)


class Time(Shown):
    now: Instant
    seconds: int


class QrKey(Shown):
    """An Ed25519 key as a JWK (RFC 8037); ``kid`` stands in the token."""

    kid: str
    kty: str = "OKP"
    crv: str = "Ed25519"
    use: str = "sig"
    x: str


class QrKeys(Shown):
    keys: tuple[QrKey, ...]


class Description(Shown):
    """An OpenAPI 3.1 document."""

    model_config = ConfigDict(extra="allow")  # its fields are OpenAPI's


@answers(routes, "GET", "/v1/time", act=None, tag="about", zh="服务器时间", en="The server's time")
def get_time(call: Plain) -> Time:
    return Time(now=call.now, seconds=int(call.now.timestamp()))


@answers(routes, "GET", "/v1/keys", act=None, tag="about", zh="二维码签名公钥", en="The keys that sign QR codes")
def get_keys(call: Plain) -> QrKeys:
    keys = call.platform.keys.tokens.public_keys()
    return QrKeys(keys=tuple(QrKey(kid=kid, x=key) for kid, key in keys.items()))


@answers(routes, "GET", "/v1/openapi.json", act=None, tag="about", zh="本接口的描述", en="This API's description")
def get_openapi(call: Plain) -> Description:
    from chalicelib.api import openapi  # here, not above: few ask for it

    headers: dict[str, str | list[str]] = {"Content-Type": "application/json", "Cache-Control": "max-age=300"}
    return Response(openapi.document_text(), headers)  # type: ignore[return-value]
