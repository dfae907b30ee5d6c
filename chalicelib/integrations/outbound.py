"""One POST to an address that somebody else decided: where it may lead, how long it may take, how much it may say.

The host is looked up once, every address of it must be a public one, and the connection goes to the very address that
was checked, so that a name cannot lead elsewhere a moment later. No redirection is followed, no proxy asked, and all
of it together ends in time whatever the other side does.
"""

import re
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

MOST_SECONDS = 3.0
CONNECT_SECONDS = 1.0
MOST_BYTES = 1_000_000
Resolve = Callable[[str, int], Sequence[tuple[str, int]]]
"""(host, port) → the (address, port) pairs that it leads to. Raises OSError."""

_URL = re.compile(r"[!-~]{1,500}")
# A path that is the same before and after encoding, so that what is signed is what is sent.
_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")
_HOST = re.compile(r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")

_NAT64 = ip_network("64:ff9b::/96")


class NoAnswer(Exception):
    """``why``: address, connection, timeout, too_large, broken_off."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Place:
    """Where a URL leads, taken apart."""

    secure: bool
    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def read_url(url: str, *, loopback_allowed: bool) -> Place | None:
    """Take a URL apart, or None where it may not be called.

    https, a host name or a public address, a plain path, nothing else in it. Where the stage allows loopback, that
    too, and by http.
    """
    if not _URL.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    literal = _literal(host)
    loopback = host == "localhost" or (literal is not None and literal.is_loopback)
    if parts.scheme not in ("https", "http") or (parts.scheme == "http" and not (loopback and loopback_allowed)):
        return None
    if "@" in parts.netloc or "?" in url or "#" in url or not _PATH.fullmatch(parts.path) or port == 0:
        return None
    if {".", ".."} & set(parts.path.split("/")):
        return None
    if literal is None:
        # What ends in a number is an address in one of its odd spellings (127.1, 0x7f.1, 2130706433).
        if not _HOST.fullmatch(host) or re.fullmatch(r"(0x[0-9a-f]*|[0-9]+)", host.rpartition(".")[2]):
            return None
        if loopback and not loopback_allowed:
            return None
    elif not may_connect(literal, loopback_allowed=loopback_allowed):
        return None
    secure = parts.scheme == "https"
    return Place(secure, host, port or (443 if secure else 80), parts.path)


def may_connect(address: IPv4Address | IPv6Address, *, loopback_allowed: bool) -> bool:
    """Public addresses only: none that is private, shared, link-local, multicast or reserved, nor one that wraps an
    IPv4 address (mapped, 6to4, Teredo, NAT64), behind which another may stand."""
    if loopback_allowed and address.is_loopback:
        return True
    if isinstance(address, IPv6Address):
        wraps = address.ipv4_mapped or address.sixtofour or address.teredo
        if wraps or address in _NAT64 or address.is_site_local or address.scope_id:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved and not address.is_unspecified


def look_up(host: str, port: int) -> Sequence[tuple[str, int]]:
    """As the machine's resolver says."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((str(one[4][0]), port) for one in found))


def post(
    place: Place,
    body: bytes,
    headers: Mapping[str, str],
    *,
    loopback_allowed: bool,
    resolve: Resolve = look_up,
    ca_certs: str | None = None,
    seconds: float = MOST_SECONDS,
) -> Answer:
    """Send it, and read the whole answer, within so many seconds in all. Where no connection comes about it is tried
    once more, at the next address if there is one. Raises NoAnswer."""
    sockets: list[socket.socket] = []
    given_up = threading.Event()

    def exchange() -> Answer:
        addresses = _addresses(place, resolve, loopback_allowed=loopback_allowed)
        return _exchange(place, addresses, body, headers, ca_certs, seconds, sockets, given_up)

    def give_up() -> None:
        given_up.set()
        for one in sockets:
            _shut(one)

    return _within(seconds, exchange, give_up)


def _addresses(place: Place, resolve: Resolve, *, loopback_allowed: bool) -> Sequence[tuple[str, int]]:
    literal = _literal(place.host)
    if literal is not None:
        found: Sequence[tuple[str, int]] = [(str(literal), place.port)]
    else:
        try:
            found = resolve(place.host, place.port)
        except (OSError, UnicodeError):
            raise NoAnswer("connection") from None
    for address, _ in found:
        literal = _literal(address)
        if literal is None or not may_connect(literal, loopback_allowed=loopback_allowed):
            raise NoAnswer("address")
    if not found:
        raise NoAnswer("connection")
    return found


def _exchange(
    place: Place,
    addresses: Sequence[tuple[str, int]],
    body: bytes,
    headers: Mapping[str, str],
    ca_certs: str | None,
    seconds: float,
    sockets: list[socket.socket],
    given_up: threading.Event,
) -> Answer:
    from urllib3.exceptions import (
        ConnectTimeoutError,
        HTTPError,
        IncompleteRead,
        NewConnectionError,
        ProtocolError,
        TimeoutError,
    )
    from urllib3.util import Timeout

    for last in (False, True):
        pool = _pool(place, addresses[int(last) % len(addresses)], ca_certs, sockets, given_up)
        try:
            with pool:
                response = pool.urlopen(
                    "POST",
                    place.path,
                    body=body,
                    headers=dict(headers),
                    retries=False,
                    redirect=False,
                    # An address that nobody answers at leaves time for the other one.
                    timeout=Timeout(connect=min(CONNECT_SECONDS, seconds), read=seconds),
                    preload_content=False,
                    decode_content=False,
                )
                said = b""
                while len(said) <= MOST_BYTES and (more := response.read(65_536)):
                    said += more
                kept = {name.lower(): value for name, value in response.headers.items()}
                status = int(response.status)
                response.close()
        except (NewConnectionError, ConnectTimeoutError):
            if last or given_up.is_set():
                raise NoAnswer("connection") from None
            continue
        except TimeoutError:
            raise NoAnswer("timeout") from None
        except (ProtocolError, IncompleteRead):
            raise NoAnswer("broken_off") from None
        except HTTPError:  # a certificate that is none, or not of this host
            raise NoAnswer("connection") from None
        if len(said) > MOST_BYTES:
            raise NoAnswer("too_large")
        return Answer(status, kept, said)
    raise AssertionError("two tries, each of which ends")


def _pool(
    place: Place,
    address: tuple[str, int],
    ca_certs: str | None,
    sockets: list[socket.socket],
    given_up: threading.Event,
) -> Any:
    """A pool of one connection that goes to this address, whatever its host's name leads to by now; the certificate
    is still checked for that name. Each socket is left where it can be shut from another thread."""
    import urllib3
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    def connect(connection: Any) -> socket.socket:
        # As urllib3's own SOCKS support does it: this method alone makes the socket.
        try:
            made = socket.create_connection(address, timeout=connection.timeout)
        except TimeoutError as late:
            raise ConnectTimeoutError(connection, "no connection in time") from late
        except OSError as refused:
            raise NewConnectionError(connection, "no connection") from refused
        sockets.append(made.dup())  # TLS takes the first one over
        if given_up.is_set():  # so late that nobody shuts it any more
            _shut(sockets[-1])
        return made

    if place.secure:
        secured = urllib3.HTTPSConnectionPool(place.host, place.port, maxsize=1, ca_certs=ca_certs)
        secured.ConnectionCls = type("Pinned", (HTTPSConnection,), {"_new_conn": connect})
        return secured
    plain = urllib3.HTTPConnectionPool(place.host, place.port, maxsize=1)
    plain.ConnectionCls = type("Pinned", (HTTPConnection,), {"_new_conn": connect})
    return plain


def _within(seconds: float, act: Callable[[], Answer], give_up: Callable[[], None]) -> Answer:
    """What ``act`` gives, if in time. No timeout of a socket bounds a whole answer: it begins anew with each byte."""
    box: SimpleQueue[Answer | BaseException] = SimpleQueue()

    def run() -> None:
        try:
            box.put(act())
        except BaseException as error:  # whatever it is, it belongs to who asked
            box.put(error)

    threading.Thread(target=run, name="outbound", daemon=True).start()
    try:
        came = box.get(timeout=seconds)
    except Empty:
        raise NoAnswer("timeout") from None
    finally:
        give_up()
    if isinstance(came, BaseException):
        raise came
    return came


def _shut(one: socket.socket) -> None:
    with suppress(OSError):  # the other side was quicker
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def _literal(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
