# SPDX-License-Identifier: Apache-2.0
"""A client for the tests' Keystone: users, projects, roles, tokens and the catalog."""

import contextlib
import functools
import secrets
from collections.abc import Iterator
from typing import Any

from keystoneauth1.identity import v3
from keystoneauth1.session import Session

ADMIN = "admin"
"""The administrator that keystone-manage bootstrap creates, in the project of that name and in the system."""

REGION = "RegionOne"


class Identities:
    """A Keystone at ``url``, whose users all have the password ``password``."""

    url: str
    password: str

    # Requests of the administrator.

    @functools.cached_property
    def _administrator(self) -> Session:
        return Session(self._plugin(ADMIN, ADMIN))

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """Send a request as administrator to a path below /v3; return the answer, None if it is empty."""
        answer = self._administrator.request(
            f"{self.url}/v3{path}", method, json=body, headers=headers, user_agent="tests", redirect=0
        )
        return answer.json() if answer.content else None

    def project_id(self, name: str) -> str:
        """Return the id of a project."""
        return self._id_of("project", name)

    def user_id(self, name: str) -> str:
        """Return the id of a user."""
        return self._id_of("user", name)

    def _id_of(self, kind: str, name: str) -> str | None:
        return next((each["id"] for each in self.request("GET", f"/{kind}s?name={name}")[f"{kind}s"]), None)

    def create(self, kind: str, **members: Any) -> dict[str, Any]:
        """Create a "project", "user", "role" and so on, and return it."""
        return self.request("POST", f"/{kind}s", {kind: members})[kind]

    def create_project(self, name: str) -> str:
        """Create a project and return its id."""
        return self.create("project", name=name, domain_id="default")["id"]

    def disable_project(self, name: str) -> None:
        """Disable a project."""
        self.request("PATCH", f"/projects/{self.project_id(name)}", {"project": {"enabled": False}})

    def grant(
        self,
        role: str,
        user: str,
        *,
        project: str | None = None,
        system_scope: str | None = None,
        domain: str | None = None,
    ) -> None:
        """Grant a user a role in a project, the system or a domain; create user and role if missing."""
        role_id = self._id_of("role", role) or self.create("role", name=role)["id"]
        new_user = {"name": user, "domain_id": "default", "password": self.password}
        user_id = self._id_of("user", user) or self.create("user", **new_user)["id"]
        where = (
            "/system" if system_scope else f"/domains/{domain}" if domain else f"/projects/{self.project_id(project)}"
        )
        self.request("PUT", f"{where}/users/{user_id}/roles/{role_id}")

    @contextlib.contextmanager
    def endpoint(self, url: str) -> Iterator[str]:
        """Add an address for the service "event" to the catalog, in a new region, and yield the region's name.

        The region lets each test have its own Panko in the shared Keystone.
        """
        region = self.create("region", id=f"region-{secrets.token_hex(4)}")["id"]
        (service,) = self.request("GET", "/services?type=event")["services"]
        made = self.create("endpoint", service_id=service["id"], interface="public", url=url, region_id=region)
        yield region
        self.request("DELETE", f"/endpoints/{made['id']}")
        self.request("DELETE", f"/regions/{region}")

    # Requests of users.

    def _plugin(
        self, user: str, project: str | None = None, system_scope: str | None = None, domain: str | None = None
    ) -> v3.Password:
        return v3.Password(
            f"{self.url}/v3",
            username=user,
            password=self.password,
            user_domain_id="default",
            project_name=project,
            project_domain_id="default" if project else None,
            system_scope=system_scope,
            domain_id=domain,
        )

    def token(
        self, user: str, *, project: str | None = None, system_scope: str | None = None, domain: str | None = None
    ) -> str:
        """Return a new token of a user for a project, the system ("all") or a domain (its id), or an unscoped one."""
        return self._plugin(user, project, system_scope, domain).get_access(Session()).auth_token

    def revoke(self, token: str) -> None:
        """Revoke a token."""
        self.request("DELETE", "/auth/tokens", headers={"X-Subject-Token": token})

    def application_credential(self, user: str, project: str, expires_at: str | None = None) -> tuple[str, str]:
        """Return id and secret of a new application credential with all roles of the user in the project."""
        session = Session(self._plugin(user, project))
        path = f"{self.url}/v3/users/{session.get_user_id()}/application_credentials"
        wanted = {"application_credential": {"name": secrets.token_hex(8), "expires_at": expires_at}}
        made = session.post(path, json=wanted).json()["application_credential"]
        return made["id"], made["secret"]

    def delete_application_credential(self, user: str, project: str, identifier: str) -> None:
        """Delete an application credential, which revokes its tokens."""
        session = Session(self._plugin(user, project))
        session.delete(f"{self.url}/v3/users/{session.get_user_id()}/application_credentials/{identifier}")

    def token_by_application_credential(self, identifier: str, secret: str) -> str:
        """Return a new token for an application credential."""
        plugin = v3.ApplicationCredential(
            f"{self.url}/v3", application_credential_id=identifier, application_credential_secret=secret
        )
        return plugin.get_access(Session()).auth_token

    def environment(
        self,
        user: str,
        *,
        project: str | None = None,
        system_scope: str | None = None,
        domain: str | None = None,
        region: str = REGION,
    ) -> dict[str, str]:
        """Return the environment variables of the openstack command for a user in a project, the system or a domain."""
        scope = {"OS_SYSTEM_SCOPE": system_scope, "OS_DOMAIN_ID": domain, "OS_PROJECT_NAME": project}
        return {
            "OS_AUTH_URL": f"{self.url}/v3",
            "OS_IDENTITY_API_VERSION": "3",
            "OS_USERNAME": user,
            "OS_PASSWORD": self.password,
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_REGION_NAME": region,
            **({"OS_PROJECT_DOMAIN_NAME": "Default"} if project else {}),
            **{name: value for name, value in scope.items() if value},
        }
