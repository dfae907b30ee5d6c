"""botocore's client without what it does anew for each call and need not.

This knows botocore's inside, as PynamoDB does: it is pinned with it, and tests/storage/test_wire.py looks at both.
"""

from typing import Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)


def lighten(client: Any) -> None:
    """Have this client send each request at once, to the address that it was made with."""
    # botocore looks its address up in rules for each call, a twentieth of the CPU of a call. It would find another one
    # only for credentials that name their account.
    client._ruleset_resolver = None
    # The client has called nobody yet, so there is no pool of another kind.
    client._endpoint.http_session._manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


class _AtOnce:
    """Headers and body in one piece. With urllib3 2 botocore sends two: a packet, a TLS record and a wake-up of either
    side more, some 6 % of the time of a small call."""

    _held: list[bytes] | None = None

    def request(self, *args: Any, **kwargs: Any) -> None:
        held = list[bytes]()
        self._held = held
        try:
            super().request(*args, **kwargs)  # type: ignore[misc]
        finally:
            self._held = None
        self.send(b"".join(held))

    def send(self, data: bytes) -> None:
        if self._held is None:
            super().send(data)  # type: ignore[misc]
        else:
            self._held.append(data)


class _Connection(_AtOnce, AWSHTTPConnection):  # type: ignore[misc]
    pass


class _SecureConnection(_AtOnce, AWSHTTPSConnection):  # type: ignore[misc]
    pass


class _Pool(AWSHTTPConnectionPool):  # type: ignore[misc]
    ConnectionCls = _Connection


class _SecurePool(AWSHTTPSConnectionPool):  # type: ignore[misc]
    ConnectionCls = _SecureConnection
