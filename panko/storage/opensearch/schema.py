# SPDX-License-Identifier: Apache-2.0
"""The schema: the fields of the indices, their version, and the secret that was made with them."""

import base64
import secrets
from collections.abc import Mapping
from typing import Any

from panko.storage.errors import SchemaMismatch, SchemaMissing, SchemaOutdated, StorageMisconfigured, StorageUnavailable
from panko.storage.opensearch.client import Client
from panko.storage.opensearch.errors import IndexMissing
from panko.storage.opensearch.indices import Indices, list_some
from panko.storage.opensearch.mapping import VERSION

SCHEMA = "schema"
"""The ``_id`` of the document that has the version and the secret."""

SECRET_BYTES = 32

SUPPORTED = ("2", "3")
"""The major versions of OpenSearch that Panko is tested with."""


def check_product(greeting: Any) -> None:
    """Check that a node is one that this driver works with.

    :param greeting: what it says about itself
    :raises StorageMisconfigured: if it is not
    """
    version = greeting.get("version") if isinstance(greeting, dict) else None
    if not isinstance(version, dict) or "number" not in version:
        raise StorageMisconfigured("What answers there is not OpenSearch. Correct [database] connection.")
    product = "OpenSearch" if version.get("distribution") == "opensearch" else "Elasticsearch"
    number = str(version["number"])
    if product != "OpenSearch" or number.partition(".")[0] not in SUPPORTED:
        raise StorageMisconfigured(f"The cluster is {product} {number}, but Panko needs OpenSearch 2 or 3.")


class Schema:
    """Implements what :class:`panko.storage.base.Connection` says about the schema.

    :param client: sends requests
    :param indices: the indices
    """

    def __init__(self, client: Client, indices: Indices):
        self._client = client
        self._indices = indices

    def upgrade(self) -> None:
        """Create the schema, or upgrade it. Several processes may do so at once, or be killed in between."""
        self._check_ownership(self._indices.read_versions())
        self._indices.create_shared()
        found = self._read() or self._create()
        version = found["version"]
        self._refuse_newer(version)
        versions = self._indices.read_versions()
        self._check_ownership(versions)
        self._indices.add_fields([name for name, each in versions.items() if each is not None and each < VERSION])
        if version < VERSION:
            # At last, so that an upgrade that was interrupted is repeated.
            self._client.write("PUT", f"{self._indices.meta}/_doc/{SCHEMA}", _document(found["secret"]))

    def check(self) -> None:
        """Check that the schema is the one of this version.

        :raises SchemaMismatch: if it is not, with what to do
        """
        versions = self._indices.read_versions()
        self._check_ownership(versions)
        found = self._read()
        cluster = f"The cluster {self._client.name}"
        if found is None:
            raise SchemaMissing(f"{cluster} has no schema yet. Run panko-dbsync.")
        self._refuse_newer(found["version"])
        if self._indices.feed not in versions:
            raise SchemaOutdated(f"{cluster} has no index {self._indices.feed}. Run panko-dbsync.")
        oldest = min([found["version"], *(version for version in versions.values() if version is not None)])
        if oldest < VERSION:
            raise SchemaOutdated(f"{cluster} has the schema {oldest}, not {VERSION}. Run panko-dbsync.")

    def read_secret(self) -> bytes:
        """Return the secret.

        :raises SchemaMissing: if there is none
        """
        found = self._read()
        if found is None:
            raise SchemaMissing(f"The cluster {self._client.name} has no schema yet. Run panko-dbsync.")
        return base64.b64decode(found["secret"])

    def _read(self) -> Mapping[str, Any] | None:
        try:
            found = self._client.find(self._indices.meta, SCHEMA)
        except IndexMissing:
            return None
        return found and found["_source"]["content"]

    def _create(self) -> Mapping[str, Any]:
        """Create the document, unless another process has just done so, and return it."""
        secret = base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
        self._client.create(self._indices.meta, SCHEMA, _document(secret))
        found = self._read()
        if found is None:
            raise StorageUnavailable("the schema was deleted while it was created")
        return found

    def _refuse_newer(self, version: int) -> None:
        if version > VERSION:
            raise SchemaMismatch(
                f"The cluster {self._client.name} has the schema {version} of a newer version of Panko, not {VERSION}. "
                "Install that version, or give [database] connection another prefix."
            )

    def _check_ownership(self, versions: Mapping[str, int | None]) -> None:
        """Check that Panko has created all indices that have our names."""
        foreign = [name for name, version in versions.items() if version is None]
        if foreign:
            raise SchemaMismatch(
                f"The cluster {self._client.name} has indices that Panko did not create, but that have names of "
                f"Panko's: {list_some(foreign)}. Delete or rename them, or give [database] connection another prefix: "
                "opensearch://host:9200/prefix."
            )


def _document(secret: str) -> dict[str, Any]:
    return {"content": {"version": VERSION, "secret": secret}}
