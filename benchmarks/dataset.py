# SPDX-License-Identifier: Apache-2.0
"""A deterministic event set like OpenStack's, made with the installed panko: this project or Panko 10.0.

events(n, seed) yields panko.storage.models.Event objects: about 12 traits each (text, integer,
float, datetime), 40 event types with a skewed mix, 200 projects, 1,000 users; 2% carry no
project_id. `generated` grows by 1 s per event with jitter, so a set of n spans n seconds.
"""

import datetime
import random
import uuid

START = datetime.datetime(2026, 1, 1)

NOUNS = [
    "compute.instance",
    "image",
    "network",
    "port",
    "subnet",
    "router",
    "volume",
    "snapshot",
    "identity.user",
    "identity.project",
]
VERBS = ["create.start", "create.end", "delete.start", "update"]
TYPES = [f"{n}.{v}" for n in NOUNS for v in VERBS]
WEIGHTS = [1.0 / (i + 1) for i in range(len(TYPES))]
STATES = ["active", "building", "deleted", "error", "paused", "stopped"]


def _uuid(rnd):
    return str(uuid.UUID(int=rnd.getrandbits(128), version=4))


def events(n, seed=0, start=START, raw=False):
    from panko.storage import models

    T, E = models.Trait, models.Event
    rnd = random.Random(seed)
    projects = [_uuid(random.Random(10_000 + i)).replace("-", "") for i in range(200)]
    users = [_uuid(random.Random(20_000 + i)).replace("-", "") for i in range(1000)]
    instances = [_uuid(random.Random(30_000 + i)) for i in range(5000)]
    for i in range(n):
        when = start + datetime.timedelta(seconds=i, microseconds=rnd.randrange(1_000_000))
        kind = rnd.choices(TYPES, WEIGHTS)[0]
        traits = [
            T("service", T.TEXT_TYPE, f"{kind.split('.')[0]}.host-{rnd.randrange(300):03d}"),
            T("request_id", T.TEXT_TYPE, "req-" + _uuid(rnd)),
            T("resource_id", T.TEXT_TYPE, rnd.choice(instances)),
            T("display_name", T.TEXT_TYPE, f"vm-{rnd.randrange(20_000)}"),
            T("state", T.TEXT_TYPE, rnd.choice(STATES)),
            T("memory_mb", T.INT_TYPE, 512 * 2 ** rnd.randrange(8)),
            T("vcpus", T.INT_TYPE, 2 ** rnd.randrange(6)),
            T("disk_gb", T.INT_TYPE, rnd.randrange(1, 2000)),
            T("progress", T.FLOAT_TYPE, round(rnd.random() * 100, 6)),
            T("launched_at", T.DATETIME_TYPE, when - datetime.timedelta(seconds=rnd.randrange(86_400))),
        ]
        if rnd.random() >= 0.02:
            p = min(int(rnd.expovariate(1 / 30.0)), 199)
            traits.append(T("project_id", T.TEXT_TYPE, projects[p]))
            traits.append(T("user_id", T.TEXT_TYPE, users[p * 5 + rnd.randrange(5)]))
        body = {"event_type": kind, "payload": {"id": i, "tags": ["a", "b"], "nested": {"x": 1.5}}} if raw else {}
        yield E(_uuid(rnd), kind, when, traits, body)


def projects():
    return [_uuid(random.Random(10_000 + i)).replace("-", "") for i in range(200)]


def users():
    return [_uuid(random.Random(20_000 + i)).replace("-", "") for i in range(1000)]


def instances():
    return [_uuid(random.Random(30_000 + i)) for i in range(5000)]


def batches(iterable, size):
    batch = []
    for item in iterable:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def published(event):
    """Return an event as Ceilometer's publisher http sends it, to be written as JSON."""
    traits = [[trait.name, int(trait.dtype), _to_json(trait.value)] for trait in event.traits]
    return {
        "message_id": event.message_id,
        "event_type": event.event_type,
        "generated": event.generated.isoformat(),
        "traits": traits,
        "raw": event.raw,
    }


def _to_json(value):
    return value.isoformat() if isinstance(value, datetime.datetime) else value


def plain(event):
    """Return an event as lists and strings, for comparison."""
    traits = sorted([trait.name, int(trait.dtype), str(trait.value)] for trait in event.traits)
    return [event.message_id, event.event_type, event.generated.isoformat(), traits, event.raw]
