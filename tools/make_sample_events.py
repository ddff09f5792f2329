# SPDX-License-Identifier: Apache-2.0
"""Make etc/panko/sample-events.jsonl: three days of a small cloud, as Ceilometer publishes them.

The notifications are invented; Ceilometer's own converter, with its default event definitions,
turns them into events. The same version of Ceilometer makes the same bytes. To run it:

    python3 -m venv /tmp/ceilometer
    /tmp/ceilometer/bin/pip install ceilometer==27.0.0
    /tmp/ceilometer/bin/python tools/make_sample_events.py [output file]
"""

import collections
import datetime
import hashlib
import json
import pathlib
import random
import shlex
import sys
import uuid

import ceilometer
from ceilometer import service
from ceilometer.event import converter
from stevedore import extension

OUTPUT = pathlib.Path(__file__).parent.parent / "etc" / "panko" / "sample-events.jsonl"
DEFINITIONS = pathlib.Path(ceilometer.__file__).parent / "pipeline" / "data" / "event_definitions.yaml"
START = datetime.datetime(2026, 1, 1)
USERS = {
    "admin": "admin",
    "alice": "web",
    "bruno": "web",
    "gwen": "web",
    "chen": "data",
    "dana": "data",
    "emeka": "lab",
    "farah": "lab",
}
FLAVOR = ("instance_flavor_id", "instance_type_id", "vcpus", "memory_mb", "root_gb", "ephemeral_gb")
FLAVORS = {
    "m1.tiny": ("1", 2, 1, 512, 1, 0),
    "m1.small": ("2", 5, 1, 2048, 20, 0),
    "m1.medium": ("3", 1, 2, 4096, 40, 0),
    "m1.large": ("4", 3, 4, 8192, 80, 0),
    "c1.batch": ("c1b", 7, 8, 16384, 40, 120),
}

# Each line: time (UTC), user, kind.step, name (or several names: one request each), and the words of the request.
STORY = """
2025-12-20T09:12 alice server.old bastion flavor=m1.tiny image=debian-12
2025-12-27T13:40 chen server.old db-01 flavor=m1.large image=ubuntu-24.04
2025-12-27T13:52 chen volume.old db-data size=200 type=ssd server=db-01
2025-12-29T10:05 bruno server.old web-00 flavor=m1.small image=ubuntu-24.04
2026-01-01T00:00 cron all.audit usage
2026-01-01T06:48 gwen server.reboot web-00
2026-01-01T07:31 admin project.create lab
2026-01-01T07:33 admin user.create emeka,farah
2026-01-01T07:36 admin grant.create emeka,farah
2026-01-01T08:04 emeka network.create lab-net
2026-01-01T08:05 emeka subnet.create lab-subnet network=lab-net cidr=192.0.2.0/25 ip_version=4
2026-01-01T08:07 emeka router.create lab-router
2026-01-01T08:09 emeka router.plug lab-router subnet=lab-subnet network=lab-net
2026-01-01T08:14 emeka security_group.create lab-ssh
2026-01-01T08:15 emeka security_group_rule.create lab-ssh-22 security_group=lab-ssh protocol=tcp
2026-01-01T08:21 emeka keypair.create emeka-laptop
2026-01-01T08:26 emeka server.create lab-01 flavor=m1.small image=ubuntu-24.04
2026-01-01T08:31 emeka port.create lab-01-port network=lab-net
2026-01-01T08:33 emeka floatingip.create lab-fip floating_ip_address=203.0.113.21
2026-01-01T08:35 emeka floatingip.update lab-fip port=lab-01-port
2026-01-01T08:47 alice login.fail alice
2026-01-01T08:52 alice image.create web-golden
2026-01-01T08:53 alice image.upload web-golden size=2361393152
2026-01-01T09:03 alice port.create web-01-port,web-02-port network=web-net
2026-01-01T09:05 alice server.create web-01,web-02 flavor=m1.small image=web-golden
2026-01-01T09:25 alice lb.create web-lb description="Public entry of the shop" vip_address=192.0.2.140
2026-01-01T09:41 bruno zone.create shop.example.org.
2026-01-01T10:02 chen volume.create warehouse size=500 type=ssd
2026-01-01T10:06 chen server.create dwh-01 flavor=m1.large image=ubuntu-24.04
2026-01-01T10:12 chen volume.attach warehouse server=dwh-01
2026-01-01T10:40 dana stack.create analytics
2026-01-01T10:42 dana server.create analytics-a,analytics-b,analytics-c flavor=m1.medium image=ubuntu-24.04
2026-01-01T11:20 farah server.nohost gpu flavor=c1.batch image=debian-12 reason="No valid host was found."
2026-01-01T12:15 gwen server.resize web-00 flavor=m1.medium
2026-01-01T13:30 gwen alarm.create web-cpu
2026-01-01T14:02 dana share.create données size=50 proto=NFS description="Notebooks of Zoë and José"
2026-01-01T14:37 alice volume.create web-media size=80 type=hdd
2026-01-01T14:41 alice volume.attach web-media server=web-01
2026-01-01T15:10 bruno server.create ci-runner-1 flavor=m1.medium image=debian-12
2026-01-01T15:40 dana volume.create scratch size=100 type=hdd
2026-01-01T16:22 aodh alarm.state web-cpu detail='{"state": "alarm", "transition_reason": "3 over 80"}'
2026-01-01T16:25 alice server.create web-03 flavor=m1.small image=web-golden
2026-01-01T16:58 aodh alarm.state web-cpu detail='{"state": "ok", "transition_reason": "all under 80"}'
2026-01-01T17:45 bruno server.delete ci-runner-1
2026-01-01T18:20 farah server.create étude-01 flavor=m1.medium image=debian-12
2026-01-01T19:05 emeka server.power_off lab-01
2026-01-01T20:12 chen object.put backups/db-01.dump
2026-01-02T00:00 cron all.audit usage
2026-01-02T02:15 chen snapshot.create db-data-0102 volume=db-data volume_size=200
2026-01-02T03:00 dana server.create batch-1,batch-2 flavor=c1.batch image=ubuntu-24.04
2026-01-02T03:03 dana server.fail batch-3 flavor=c1.batch image=ubuntu-24.04
2026-01-02T05:42 dana server.delete batch-1,batch-2,batch-3
2026-01-02T06:55 emeka server.power_on lab-01
2026-01-02T07:40 admin server.migrate bastion host=node7
2026-01-02T08:30 bruno server.create ci-runner-2 flavor=m1.medium image=debian-12
2026-01-02T09:02 gwen image.fail web-golden-2 message="Image storage media is full: 0 bytes left on device"
2026-01-02T09:20 gwen image.create web-golden-3
2026-01-02T09:21 gwen image.upload web-golden-3 size=2415919104
2026-01-02T09:24 gwen image.update web-golden-3 name=web-golden-2026
2026-01-02T09:45 alice volume.resize web-media size=120
2026-01-02T10:10 chen volume.fail huge size=40960 type=ssd reason="No valid backend was found."
2026-01-02T10:33 dana cluster.create k8s-analytics
2026-01-02T10:48 dana cluster.fail k8s-analytics
2026-01-02T11:05 farah server.suspend étude-01
2026-01-02T13:05 farah server.resume étude-01
2026-01-02T13:26 emeka stack.fail lab-cluster state_reason="Resource CREATE failed: port quota exceeded"
2026-01-02T13:48 emeka stack.delete lab-cluster
2026-01-02T14:12 alice zone.update shop.example.org. ttl=300
2026-01-02T14:30 dana share.extend données size=80
2026-01-02T15:16 alice server.rebuild web-02 image=web-golden-3
2026-01-02T16:05 gwen lb.update web-lb description="Public entry of the shop, HTTP/2"
2026-01-02T17:30 bruno server.delete ci-runner-2
2026-01-02T18:11 admin user.update gwen
2026-01-02T20:14 chen object.put backups/db-01.dump
2026-01-03T00:00 cron all.audit usage
2026-01-03T02:15 chen snapshot.create db-data-0103 volume=db-data volume_size=200
2026-01-03T02:31 chen snapshot.delete db-data-0102
2026-01-03T03:00 dana server.create batch-4,batch-5,batch-6 flavor=c1.batch image=ubuntu-24.04
2026-01-03T05:20 dana server.delete batch-4,batch-5,batch-6
2026-01-03T08:33 bruno server.create ci-runner-3 flavor=m1.medium image=debian-12
2026-01-03T09:10 alice volume.detach web-media
2026-01-03T09:20 alice server.delete web-01
2026-01-03T09:22 alice port.delete web-01-port
2026-01-03T09:30 alice server.create web-04 flavor=m1.medium image=web-golden-3
2026-01-03T09:36 alice volume.attach web-media server=web-04
2026-01-03T10:01 gwen image.delete web-golden
2026-01-03T10:20 chen object.get backups/db-01.dump
2026-01-03T10:41 chen volume.retype warehouse type=hdd
2026-01-03T11:15 emeka server.create lab-02,lab-03 flavor=m1.tiny image=debian-12
2026-01-03T13:20 farah login.fail farah
2026-01-03T14:05 dana cluster.delete k8s-analytics
2026-01-03T14:20 dana volume.delete scratch
2026-01-03T15:00 farah server.delete étude-01
2026-01-03T15:10 dana share.delete données
2026-01-03T15:40 gwen lb.delete web-lb
2026-01-03T16:05 bruno zone.delete shop.example.org.
2026-01-03T16:40 emeka floatingip.delete lab-fip
2026-01-03T16:45 emeka server.delete lab-01,lab-03
2026-01-03T17:05 gwen alarm.delete web-cpu
2026-01-03T17:30 bruno server.delete ci-runner-3
2026-01-03T18:02 admin user.delete bruno
2026-01-03T20:13 chen object.put backups/db-01.dump
2026-01-03T23:40 chen server.reboot dwh-01
"""

# The acts of each step, in order: `.type` sends a notification of the kind, `/type` one of another kind,
# `!` makes it an error; `field=value` changes the resource (`now` is the time, an empty value clears it);
# `~` applies the words of the request, which a new resource has at once; `+n` waits about n seconds.
CRUD = {
    "create": ".create.start .create.end",
    "update": ".update.start ~ .update.end",
    "delete": ".delete.start .delete.end",
}
KEYSTONE = {"create": ".created", "update": ".updated", "delete": ".deleted"}
STEPS = {
    "network": CRUD,
    "subnet": CRUD,
    "port": CRUD,
    "floatingip": CRUD,
    "security_group": CRUD,
    "security_group_rule": CRUD,
    "keypair": CRUD,
    "project": KEYSTONE,
    "user": KEYSTONE,
    "grant": KEYSTONE,
    "router": CRUD | {"plug": "/router.interface.create"},
    "login": {"issue": "outcome=success .", "fail": "outcome=failure ."},
    "server": {
        "old": "state=active launched_at=now",
        "create": ".update .create.start +12 state=active launched_at=now .update .create.end",
        "nohost": "host=ctl1 .update /scheduler.select_destinations.start state=error .update"
        " !/compute_task.build_instances",
        "fail": ".update .create.start +30 state=error .update !.create.error",
        "reboot": ".reboot.start +6 .reboot.end",
        "rebuild": "~ .rebuild.start +25 launched_at=now .rebuild.end",
        "power_off": ".power_off.start +5 state=stopped .update .power_off.end",
        "power_on": ".power_on.start +3 state=active .update .power_on.end",
        "suspend": ".suspend.start +8 state=suspended .update .suspend.end",
        "resume": ".resume.start +4 state=active .update .resume.end",
        "resize": ".resize.prep.start .resize.prep.end .resize.start +20 .resize.end ~ .finish_resize.start"
        " state=resized .update .finish_resize.end +60 .resize.confirm.start state=active"
        " .resize.confirm.end",
        "migrate": ".live_migration.pre.start .live_migration.pre.end +40 .live_migration._post.start ~"
        " .live_migration.post.dest.start .live_migration.post.dest.end .live_migration._post.end",
        "delete": ".delete.start .shutdown.start +4 .shutdown.end state=deleted deleted_at=now"
        " terminated_at=now .update .delete.end",
    },
    "volume": {
        "old": "status=in-use",
        "create": "status=creating .create.start +4 status=available .create.end",
        "fail": "status=error !/scheduler.create_volume",
        "attach": "~ status=attaching .attach.start status=in-use .attach.end",
        "detach": "status=detaching .detach.start volume_attachment= status=available .detach.end",
        "resize": "status=extending .resize.start ~ +5 status=in-use .resize.end",
        "retype": "~ .retype",
        "delete": "status=deleting .delete.start status=deleted .delete.end",
    },
    "snapshot": {
        "create": "status=creating .create.start +9 status=available .create.end",
        "delete": "status=deleting .delete.start status=deleted .delete.end",
    },
    "image": {
        "create": ".create",
        "upload": "status=saving .prepare +40 ~ status=active .upload .activate",
        "fail": ".create !.upload",
        "update": "~ .update",
        "delete": "status=deleted deleted_at=now .delete",
    },
    "stack": {
        "create": "state=CREATE_IN_PROGRESS .create.start +300 state=CREATE_COMPLETE .create.end",
        "fail": "state=CREATE_IN_PROGRESS .create.start +70 state=CREATE_FAILED !.create.error",
        "delete": "state=DELETE_IN_PROGRESS .delete.start +15 state=DELETE_COMPLETE .delete.end",
    },
    "zone": {
        "create": ".create",
        "update": "action=UPDATE updated_at=now ~ .update",
        "delete": "action=DELETE updated_at=now .delete",
    },
    "lb": {"create": "+45 .create.end", "update": "~ +5 .update.end", "delete": "+10 .delete.end"},
    "share": {
        "create": "status=creating .create.start +6 status=available .create.end",
        "extend": "status=extending .extend.start ~ status=available .extend.end",
        "delete": "status=deleting .delete.start status=deleted .delete.end",
    },
    "cluster": {
        "create": "action=create outcome=pending .create",
        "fail": "outcome=failure !.create",
        "delete": "action=delete outcome=pending .delete +90 outcome=success .delete",
    },
    "alarm": {
        "create": ".creation",
        "state": "type=state_transition ~ .state_transition",
        "delete": "type=deletion .deletion",
    },
    "object": {"get": "action=read .", "put": "action=update ."},
}
PREFIXES = {  # of the event types; by default the kind
    "server": "compute.instance",
    "stack": "orchestration.stack",
    "zone": "dns.zone",
    "lb": "octavia.loadbalancer",
    "cluster": "magnum.cluster",
    "project": "identity.project",
    "user": "identity.user",
    "grant": "identity.role_assignment",
    "login": "identity.authenticate",
    "object": "objectstore.http.request",
}
PUBLISHERS = {  # by the event type or its first word; Octavia has none; the default is Neutron's
    "compute": "compute.{host}",
    "compute_task": "compute_task.ctl1",
    "scheduler": "scheduler.ctl1",
    "keypair": "api.ctl1",
    "volume": "volume.block1@ceph",
    "snapshot": "snapshot.block1@ceph",
    "image": "image.ctl1",
    "identity": "identity.ctl1",
    "dns": "central.ctl1",
    "orchestration": "orchestration.ctl1",
    "octavia": None,
    "share": "share.nas1@nfs",
    "magnum": "magnum.ctl1",
    "objectstore": "ceilometermiddleware",
    "alarm": "aodh.api",
    "alarm.state_transition": "aodh.evaluator",
}
NO_CONTEXT = {"image", "identity", "alarm", "objectstore"}  # kinds that have an empty context

# Payload of notifications about a new resource, by kind; names in braces are replaced.
OWNER = {"tenant_id": "{project}", "user_id": "{user}"}
CINDER = OWNER | {"availability_zone": "nova", "display_name": "{name}", "created_at": "{second}+00:00"}
NEUTRON = {
    "id": "{id}",
    "name": "{name}",
    "tenant_id": "{project}",
    "project_id": "{project}",
    "description": "",
    "status": "ACTIVE",
    "created_at": "{second}Z",
    "revision_number": 1,
}
CADF = {
    "typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event",
    "eventType": "activity",
    "outcome": "success",
    "observer": {"typeURI": "service/security", "id": "{observer}"},
    "target": {"typeURI": "service/security/account/user", "id": "{other}"},
}
RESOURCE = CADF | {"resource_info": "{id}"}
FIELDS = {
    "server": OWNER
    | {
        "instance_id": "{id}",
        "display_name": "{name}",
        "reservation_id": "r-{id:.8}",
        "hostname": "{name}",
        "architecture": "x86_64",
        "availability_zone": "nova",
        "cell_name": "",
        "host": "{node}",
        "created_at": "{second}+00:00",
        "launched_at": "",
        "deleted_at": "",
        "terminated_at": "",
        "os_type": "linux",
        "kernel_id": "",
        "ramdisk_id": "",
        "state": "building",
        "old_state": "building",
        "state_description": "",
        "progress": "",
        "access_ip_v4": "",
        "access_ip_v6": "",
        "metadata": {},
    },
    "volume": CINDER
    | {
        "volume_id": "{id}",
        "host": "block1@ceph#volumes",
        "replication_status": "disabled",
        "launched_at": "{second}+00:00",
        "metadata": [],
        "volume_attachment": [],
    },
    "snapshot": CINDER | {"snapshot_id": "{id}", "deleted": "", "metadata": ""},
    "image": {
        "id": "{id}",
        "name": "{name}",
        "owner": "{project}",
        "status": "queued",
        "created_at": "{second}Z",
        "updated_at": "{second}Z",
        "disk_format": "qcow2",
    },
    "stack": {
        "tenant_id": "{project}",
        "user_id": "{user_name}",
        "user_identity": "{user}",
        "tags": [],
        "stack_identity": "{id}",
        "stack_name": "{name}",
        "create_at": "{second}Z",
    },
    "zone": {
        "id": "{id}",
        "tenant_id": "{project}",
        "name": "{name}",
        "email": "hostmaster@example.org",
        "pool_id": "{other}",
        "type": "PRIMARY",
        "action": "CREATE",
        "status": "PENDING",
        "version": 1,
        "serial": 1767225600,
        "ttl": 3600,
        "refresh": 3570,
        "retry": 600,
        "expire": 86400,
        "created_at": "{now}",
    },
    "lb": {"loadbalancer_id": "{id}", "project_id": "{project}", "name": "{name}", "admin_state_up": True},
    "share": {
        "share_id": "{id}",
        "project_id": "{project}",
        "user_id": "{user}",
        "name": "{name}",
        "availability_zone": "nova",
        "host": "nas1@nfs#pool",
        "is_public": False,
    },
    "alarm": {
        "event_id": "{other}",
        "alarm_id": "{id}",
        "type": "creation",
        "user_id": "{user}",
        "project_id": "{project}",
        "on_behalf_of": "{project}",
        "severity": "low",
        "detail": '{{"name": "{name}", "alarm_id": "{id}", "project_id": "{project}", "user_id": '
        '"{user}", "state": "insufficient data", "enabled": true, "severity": "low", '
        '"type": "gnocchi_resources_threshold"}}',
    },
    "keypair": OWNER | {"key_name": "{name}"},
    "user": RESOURCE | {"target": {"typeURI": "data/security/account/user", "id": "{id}"}},
    "project": RESOURCE | {"target": {"typeURI": "data/security/project", "id": "{id}"}},
    "grant": CADF | {"role": "{role}", "user": "{id}", "project": "{lab}", "inherited_to_projects": False},
    "login": CADF,
    "cluster": CADF
    | {
        "target": {"typeURI": "service/magnum/cluster", "id": "{id}", "name": "{name}"},
        "observer": {"typeURI": "service/magnum/cluster", "id": "{other}"},
    },
    "object": CADF
    | {
        "observer": {"id": "target"},
        "target": {
            "typeURI": "service/storage/object",
            "id": "{project}",
            "metadata": {"path": "v1/AUTH_{project}/{name}", "version": "v1", "container": "backups"},
        },
    },
}


def ident(kind, name):
    """Return an id that is the same in every run: hexadecimal if it is of Keystone, a UUID otherwise."""
    kind = "user" if kind == "grant" else kind
    value = uuid.UUID(bytes=hashlib.sha256(f"{kind}/{name}".encode()).digest()[:16], version=4)
    return value.hex if kind in ("user", "project", "role") else str(value)


def fill(value, facts):
    """Replace the names in braces in a value, at any depth."""
    if isinstance(value, dict):
        return {key: fill(part, facts) for key, part in value.items()}
    return value.format(**facts) if isinstance(value, str) else value


def expand(kind, words):
    """Return the payload fields for the words of a request."""
    fields = {}
    for key, _, value in (word.partition("=") for word in words):
        if key == "flavor":
            fields |= {"instance_type": value, **dict(zip(FLAVOR, FLAVORS[value], strict=True))}
            fields["disk_gb"] = fields["root_gb"] + fields["ephemeral_gb"]
        elif key == "image":
            fields["image_ref_url"] = "http://image.example.org/images/" + ident(key, value)
            fields["image_meta"] = {
                "base_image_ref": ident(key, value),
                "org.openstack__1__architecture": "x86_64",
                "org.openstack__1__os_distro": "debian" if "debian" in value else "ubuntu",
                "org.openstack__1__os_version": "12" if "debian" in value else "24.04",
            }
        elif key == "server":
            fields["volume_attachment"] = [{"server_id": ident(key, value), "attach_status": "attached"}]
        elif kind == "volume" and key == "type":
            fields["volume_type"] = ident(key, value)
        elif key in STEPS:
            fields[key + "_id"] = ident(key, value)
        else:
            fields[key] = int(value) if value.isdigit() else value
    return fields


class Request:
    """A user's request; its clock advances with each notification."""

    def __init__(self, rng, when, user, words):
        self.rng, self.now, self.user, self.words = rng, when, user, words
        self.project = USERS.get(user)
        self.id = "req-" + self.uuid()

    def uuid(self):
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def wait(self, low, high):
        self.now += datetime.timedelta(microseconds=round(self.rng.uniform(low, high) * 1_000_000))

    def context(self, prefix):
        if prefix in NO_CONTEXT:
            return {}
        if prefix == "octavia" or self.project is None:
            return {"request_id": self.id, "is_admin": True, "read_only": False}
        project = ident("project", self.project)
        return {
            "request_id": self.id,
            "user_id": ident("user", self.user),
            "user_name": self.user,
            "project_id": project,
            "project_name": self.project,
            "tenant_id": project,
            "read_only": False,
            "is_admin": self.user == "admin",
            "roles": ["member", "reader"],
            "timestamp": str(self.now),
        }


def neutron(event_type, thing, request):
    """Return a payload of Neutron: the resource inside its kind; a start has only the fields of the request."""
    kind, _, action = event_type.partition(".")
    asked, whole = expand(kind, request.words), {kind: dict(thing)}
    return {
        "interface.create": {"router_interface": {"id": thing["id"], **asked}},
        "create.start": {kind: {"name": thing["name"], **asked}},
        "update.start": {kind: asked, "id": thing["id"]},
        "delete.start": {kind + "_id": thing["id"]},
        "delete.end": {**whole, kind + "_id": thing["id"]},
    }.get(action, whole)


def cadf(event_type, thing, request):
    """Return an audit record of Keystone, Magnum or the middleware of Swift."""
    user, project = ident("user", request.user), ident("project", request.project)
    address = f"198.51.100.{10 + list(USERS).index(request.user)}"
    return {
        "id": request.uuid(),
        "eventTime": request.now.isoformat() + "+0000",
        "action": ".".join(reversed(event_type.split(".")[1:])),
        **thing,
        "initiator": {
            "typeURI": "service/security/account/user",
            "id": user,
            "user_id": user,
            "project_id": project,
            "domain_id": "default",
            "host": {"address": address, "agent": "python-openstackclient"},
        },
    }


def scheduling(event_type, thing, request):
    """Return a payload of the schedulers of Nova and Cinder, or of nova-conductor for the first."""
    noun = "instance" if "instance_id" in thing else "volume"
    asked = {
        noun + "_properties": {key: thing[key] for key in thing if key not in ("reason", "old_state")},
        noun + "_id": thing[noun + "_id"],
    }
    if event_type == "scheduler.select_destinations.start":
        return {"request_spec": asked}
    return {
        "request_spec": asked,
        **asked,
        "state": "error",
        "method": event_type.partition(".")[2],
        "reason": thing["reason"],
    }


def nova(event_type, thing, request):
    message = f"Build of instance {thing['instance_id']} aborted: Failed to allocate the network(s)"
    extra = {"message": message, "exception": message, "code": 500} if event_type.endswith(".error") else {}
    return {key: thing[key] for key in thing if key != "old_state" or event_type.endswith(".update")} | extra


def plain(event_type, thing, request):
    """Return the resource unchanged, as most services send it; errors of Glance are only a text."""
    return thing["message"] if event_type == "image.upload" and "message" in thing else dict(thing)


PAYLOADS = {
    "compute": nova,
    "compute_task": scheduling,
    "scheduler": scheduling,
    "identity": cadf,
    "magnum": cadf,
    "objectstore": cadf,
}


class Cloud:
    """The existing resources, and the sent notifications with their priorities."""

    def __init__(self):
        self.rng = random.Random(20260101)  # noqa: S311 (nothing here is secret)
        self.things, self.logins, self.sent = {}, set(), []

    def play(self, when, user, verb, name, *words):
        """Run a step of the story; a user's first step on a day needs a login."""
        kind, step = verb.split(".")
        if user in USERS and when >= START and kind != "login" and (user, when.date()) not in self.logins:
            self.logins.add((user, when.date()))
            self.play(when, user, "login.issue", user)
        request = Request(self.rng, when, user, words)
        request.wait(*((0, 20) if kind == "login" else (25, 55)))
        if kind == "all":
            return self.audit(request)
        if (kind, name) not in self.things:
            self.things[kind, name] = self.make(request, kind, name)
        for act in STEPS[kind][step].split():
            self.take(request, kind, self.things[kind, name], act)

    def make(self, request, kind, name):
        facts = {
            "id": ident(kind, name),
            "other": ident("other " + kind, name),
            "name": name,
            "now": request.now.isoformat(),
            "second": request.now.isoformat(timespec="seconds"),
            "user": ident("user", request.user),
            "user_name": request.user,
            "project": ident("project", request.project),
            "lab": ident("project", "lab"),
            "role": ident("role", "member"),
            "observer": ident("service", "keystone"),
            "node": f"node{self.rng.randint(1, 6)}",
        }
        return fill(FIELDS.get(kind, NEUTRON), facts) | expand(kind, request.words)

    def take(self, request, kind, thing, act):
        """Run one act of a step."""
        if act == "~":
            thing |= expand(kind, request.words)
        elif act.startswith("+"):
            request.wait(0.8 * int(act[1:]), 1.2 * int(act[1:]))
        elif "=" in act:
            key, _, value = act.partition("=")
            if key == "state" and "old_state" in thing:
                thing["old_state"] = thing["state"]
            thing[key] = request.now.isoformat() if value == "now" else value
        else:
            name = act.lstrip("!")
            event_type = name[1:] if name[0] == "/" else PREFIXES.get(kind, kind) + name.rstrip(".")
            self.send(request, event_type, thing, "error" if act[0] == "!" else "info")

    def audit(self, request):
        """Send the daily usage records of all resources that existed on the day before."""
        end = request.now.replace(hour=0, minute=0, second=0, microsecond=0)
        begin = end - datetime.timedelta(days=1)
        period = {"audit_period_beginning": str(begin), "audit_period_ending": str(end)}
        for (kind, _), thing in self.things.items():
            alive = not thing.get("deleted_at") or thing["deleted_at"] >= begin.isoformat()
            if kind in ("server", "volume", "snapshot", "zone") and alive:
                self.send(request, PREFIXES.get(kind, kind) + ".exists", thing | period)

    def send(self, request, event_type, thing, priority="info"):
        request.wait(0.1, 2.5)
        prefix = event_type.partition(".")[0]
        publisher = PUBLISHERS.get(event_type) or PUBLISHERS.get(prefix, "network.ctl1")
        make_payload = PAYLOADS.get(prefix, plain if prefix in PUBLISHERS else neutron)
        self.sent.append(
            (
                priority,
                {
                    "ctxt": request.context(prefix),
                    "publisher_id": publisher and publisher.format(**thing),
                    "event_type": event_type,
                    "payload": make_payload(event_type, thing, request),
                    "metadata": {"message_id": request.uuid(), "timestamp": str(request.now)},
                },
            )
        )


def make_converter():
    """Return Ceilometer's converter, set up as by its notification agent, which keeps the raw of errors."""
    conf = service.prepare_service(["make_sample_events"], config_files=[])
    conf.set_override("definitions_cfg_file", str(DEFINITIONS), group="event")
    conf.set_override("store_raw", ["error"], group="event")
    return converter.setup_events(conf, extension.ExtensionManager("ceilometer.event.trait_plugin"))


def main():
    cloud = Cloud()
    for line in STORY.strip().splitlines():
        when, user, verb, names, *words = shlex.split(line)
        for name in names.split(","):
            cloud.play(datetime.datetime.fromisoformat(when), user, verb, name, *words)
    to_event = make_converter().to_event
    events = [to_event(*sent).serialize() for sent in cloud.sent]
    events.sort(key=lambda event: event["generated"])
    output = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT
    output.write_text("".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events), "utf-8")
    dtypes = collections.Counter(dtype for event in events for _, dtype, _ in event["traits"])
    print(
        f"{len(events)} events of {len({event['event_type'] for event in events})} types; "
        f"traits by dtype: {dict(sorted(dtypes.items()))}"
    )


if __name__ == "__main__":
    main()
