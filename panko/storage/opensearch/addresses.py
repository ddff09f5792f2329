# SPDX-License-Identifier: Apache-2.0
"""The address of a cluster: ``opensearch://user:password@host:9200,host:9200/prefix``."""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from panko.storage.errors import StorageMisconfigured

DEFAULT_PORT = 9200
DEFAULT_PREFIX = "panko"

_PREFIX = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/@]+)(?::(\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a cluster is, and how to log in.

    :param nodes: host and port of each node that requests are sent to
    :param prefix: what the names of all indices begin with
    :param uses_tls: whether the nodes speak HTTPS
    """

    nodes: tuple[tuple[str, int], ...]
    prefix: str
    uses_tls: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Return the address of a URL.

        :raises StorageMisconfigured: if it is not one of a cluster; the text does not repeat the password
        """
        scheme, _, rest = url.partition("://")
        if scheme not in ("opensearch", "opensearch+https"):
            raise StorageMisconfigured(f"{scheme} is neither opensearch nor opensearch+https")
        # A password may have any character; neither hosts nor prefix have this one.
        login, has_login, place = rest.rpartition("@")
        hosts, _, path = place.partition("/")
        if "?" in place or "#" in place:
            raise StorageMisconfigured("the URL of OpenSearch has no parameters: its options are in [opensearch]")
        user, _, password = login.partition(":")
        prefix = unquote(path).strip("/") or DEFAULT_PREFIX
        if not _PREFIX.fullmatch(prefix):
            raise StorageMisconfigured(
                f"the prefix {prefix!r} of the indices is not made of up to 100 of a-z, 0-9, '_', '.' and '-'"
            )
        nodes = tuple(_parse_node(host) for host in hosts.split(","))
        if not has_login:
            return cls(nodes, prefix, scheme.endswith("https"))
        return cls(nodes, prefix, scheme.endswith("https"), unquote(user), unquote(password))


def _parse_node(text: str) -> tuple[str, int]:
    match = _HOST.fullmatch(text)
    port = int(match[2] or DEFAULT_PORT) if match else 0
    if not match or not 0 < port < 1 << 16:
        raise StorageMisconfigured(f"{text!r} is not a host or host:port; several are separated by commas")
    return match[1].strip("[]"), port
