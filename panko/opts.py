# SPDX-License-Identifier: Apache-2.0
"""Every option of Panko; those of the libraries it uses are theirs."""

from oslo_config import cfg

DEFAULT_CONNECTION = "sqlite:////var/lib/panko/panko.sqlite"

DEFAULT_OPTS = [
    cfg.StrOpt(
        "api_paste_config",
        default="api_paste.ini",
        help="Paste configuration of the API: a path, absolute or relative to the configuration directories. Without "
        "such a file the one that comes with Panko is used.",
    ),
]

API_OPTS = [
    cfg.IntOpt(
        "default_api_return_limit",
        min=1,
        default=100,
        help="Number of events that an answer holds where the request gives no limit.",
    ),
    cfg.IntOpt(
        "max_api_return_limit",
        min=1,
        help="Largest number of events that an answer holds, whatever the request's limit. Unset: no bound; a large "
        "answer is streamed.",
    ),
    cfg.IntOpt(
        "max_create_body_size",
        min=1,
        default=4 * 1024 * 1024,
        help="Bytes that the body of a request that stores events may have.",
    ),
    cfg.IntOpt(
        "query_timeout",
        min=1,
        default=30,
        help="Seconds that a request may spend in the database; of a streamed answer, that each piece may. Then the "
        "database is told to stop, and the request is answered with 503; where the database does not react, two "
        "seconds later. Panko's other reads have the same limit each.",
    ),
    cfg.BoolOpt(
        "basic_auth",
        default=True,
        help="Whether clients may show the id and the secret of an application credential by HTTP's Basic "
        "authentication, instead of a token. The Keystone of [keystone_authtoken] auth_url is asked about them.",
    ),
]

SERVER_OPTS = [
    # Every address, as other OpenStack services do: the default pipeline asks for a token.
    cfg.HostAddressOpt("host", default="0.0.0.0", help="Address that panko-api listens on."),  # noqa: S104
    cfg.PortOpt("port", default=8977, help="Port that panko-api listens on."),
    cfg.IntOpt("workers", min=1, help="Processes of panko-api. Unset: one for each core, 8 at most."),
    cfg.IntOpt(
        "threads",
        min=1,
        default=4,
        help="Threads of each process of panko-api. An answer of over 1 MiB (about 1,000 events) is streamed; at most "
        "half as many of those as there are threads, but at least one, are sent at the same time, and further ones "
        "are refused with 503. If another server, such as uWSGI, runs the application, set this to the number of "
        "threads of its processes.",
    ),
    cfg.IntOpt(
        "client_timeout",
        min=1,
        default=60,
        help="Seconds after which panko-api disconnects a client that has not sent the head of its first request, and "
        "over which min_client_rate is measured.",
    ),
    cfg.IntOpt(
        "min_client_rate",
        min=0,
        default=1000,
        help="Bytes a second. panko-api disconnects a client that sends a body or takes an answer more slowly than "
        "this over client_timeout. 0: any rate is accepted.",
    ),
    cfg.IntOpt(
        "graceful_timeout",
        min=0,
        default=30,
        help="Seconds that requests under way have to finish when panko-api is told to stop.",
    ),
]

DATABASE_OPTS = [
    cfg.StrOpt(
        "event_connection",
        secret=True,
        deprecated_for_removal=True,
        deprecated_reason="Use [database] connection.",
        help="Connection URL of the database if [database] connection is not set.",
    ),
    cfg.IntOpt(
        "connect_timeout",
        min=2,
        default=10,
        help="Seconds that connecting to the database may take, shared by the hosts of the URL, with 2 for each at "
        "least. Also the seconds that a thread waits for a free connection, and that a connection which was idle has "
        "to show that it still works. A connect_timeout in the URL overrides the first.",
    ),
    cfg.IntOpt(
        "statement_timeout",
        min=1,
        default=300,
        help="Seconds after which a database is given up that does not answer a statement that stores or deletes. A "
        "request or a publisher waits no longer than its own time.",
    ),
    cfg.IntOpt(
        "migration_timeout",
        min=1,
        default=3600,
        help="The same for a statement of panko-dbsync, which may rebuild a large table.",
    ),
    cfg.IntOpt(
        "event_time_to_live",
        default=-1,
        help="Seconds that events are kept: panko-expirer deletes older ones. -1: for ever.",
    ),
    cfg.IntOpt(
        "events_delete_batch_size",
        min=0,
        default=0,
        help="Number of events that panko-expirer deletes at a time: in one transaction, or several where it is more "
        "than the storage deletes in one. 0: a size that suits the database.",
    ),
]

COLLECTOR_OPTS = [
    cfg.StrOpt(
        "transport_url",
        secret=True,
        help="Message bus that panko-collector listens on, the one that Ceilometer publishes to: "
        "rabbit://user:password@host:5672/virtual_host. Unset: [oslo_messaging_notifications] transport_url, else "
        "[DEFAULT] transport_url.",
    ),
    cfg.StrOpt("control_exchange", default="ceilometer", help="Exchange that Ceilometer publishes to."),
    cfg.ListOpt(
        "topics",
        default=["event"],
        help="Topics that are listened on: [publisher_notifier] event_topic of Ceilometer. The queue of a topic is "
        "named after it and the priority: event.sample.",
    ),
    cfg.StrOpt(
        "telemetry_secret",
        secret=True,
        help="Secret that events must be signed with: [publisher] telemetry_secret of Ceilometer. Others are refused. "
        "Unset: signatures do not count.",
    ),
    cfg.IntOpt("workers", min=1, help="Processes of panko-collector. Unset: one for each core, 8 at most."),
    cfg.IntOpt(
        "batch_size",
        min=1,
        default=1000,
        help="Messages whose events are stored in one transaction, at most. Ceilometer sends one event in most.",
    ),
    cfg.FloatOpt(
        "batch_timeout",
        min=0.01,
        default=0.2,
        help="Seconds that a batch waits for more messages after its first one.",
    ),
    cfg.IntOpt(
        "graceful_timeout",
        min=1,
        default=30,
        help="Seconds that the batch at hand has to finish when panko-collector is told to stop.",
    ),
    cfg.IntOpt(
        "log_interval",
        min=1,
        default=60,
        help="Seconds after which each worker logs how many events it has stored and refused, where that has changed.",
    ),
]

STORAGE_OPTS = [
    cfg.IntOpt("max_retries", min=-1, help="Where it is set, it counts instead of [database] max_retries."),
    cfg.IntOpt("retry_interval", min=0, help="Where it is set, it counts instead of [database] retry_interval."),
]


def list_opts() -> list[tuple[str | None, list[cfg.Opt]]]:
    """Return the options by group (None: [DEFAULT]), as ``oslo-config-generator`` asks for them."""
    return [
        (None, DEFAULT_OPTS),
        ("api", API_OPTS + SERVER_OPTS),
        ("collector", COLLECTOR_OPTS),
        ("database", DATABASE_OPTS),
        ("storage", STORAGE_OPTS),
    ]
