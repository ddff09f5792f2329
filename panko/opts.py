# SPDX-License-Identifier: Apache-2.0
"""Every option of Panko; the options of its libraries are defined by them."""

from oslo_config import cfg

DEFAULT_CONNECTION = "sqlite:////var/lib/panko/panko.sqlite"

DEFAULT_OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "api_paste_config",
        default="api_paste.ini",
        help="Paste configuration of the API: a path, absolute or relative to the configuration directories. If the "
        "default file is missing, the one that comes with Panko is used.",
    ),
]

API_OPTS: list[cfg.Opt] = [
    cfg.IntOpt(
        "default_api_return_limit",
        min=1,
        default=100,
        help="Number of events in a response if the request gives no limit.",
    ),
    cfg.IntOpt(
        "max_api_return_limit",
        min=1,
        help="Maximum number of events in a response, whatever limit the request gives. Unset: no maximum; large "
        "responses are streamed.",
    ),
    cfg.IntOpt(
        "max_create_body_size",
        min=1,
        default=4 * 1024 * 1024,
        help="Maximum size in bytes of the body of a request that stores events.",
    ),
    cfg.IntOpt(
        "query_timeout",
        min=1,
        default=30,
        help="Seconds that a request may spend in the database; if its response is streamed, each piece of it. Then "
        "the query is cancelled, and the response is 503; if the database does not react, two seconds later. "
        "Each of Panko's other reads has the same limit.",
    ),
    cfg.IntOpt(
        "scan_timeout",
        min=1,
        help="Seconds that a request with a text in the filter language may search for events that no index finds. "
        "Then the response is 400, and asks for a shorter time range. It must be less than query_timeout. Unset: 10, "
        "or half of query_timeout if that is less.",
    ),
    cfg.BoolOpt(
        "basic_auth",
        default=True,
        help="Whether clients may use HTTP Basic authentication with the id and the secret of an application "
        "credential, instead of a token. The Keystone of [keystone_authtoken] auth_url checks them.",
    ),
]

SERVER_OPTS: list[cfg.Opt] = [
    # Every address, as other OpenStack services do: the default pipeline asks for a token.
    cfg.HostAddressOpt("host", default="0.0.0.0", help="Address that panko-api listens on."),  # noqa: S104
    cfg.PortOpt("port", default=8977, help="Port that panko-api listens on."),
    cfg.IntOpt("workers", min=1, help="Processes of panko-api. Unset: one for each core, at most 8."),
    cfg.IntOpt(
        "threads",
        min=1,
        default=4,
        help="Threads of each process of panko-api. A response of over 1 MiB (about 1,000 events) is streamed. At "
        "most half as many of these as there are threads, but at least one, are sent at the same time; others are "
        "refused with 503. If another server, such as uWSGI, runs the application, set this to the number of threads "
        "of its processes.",
    ),
    cfg.IntOpt(
        "max_waiting_requests",
        min=0,
        default=200,
        help="How many requests to /v2/event_feed may wait for events in each process of panko-api. They use no "
        "thread. Above this, long polls are answered at once, with Retry-After, and server-sent events end after those "
        "that there are. 0: no request waits. Each waiting request is an open connection: for thousands of them, raise "
        "the limit of open files, too.",
    ),
    cfg.IntOpt(
        "client_timeout",
        min=1,
        default=60,
        help="Seconds after which panko-api disconnects a client that has not sent the headers of its first request. "
        "Also the period over which min_client_rate is measured.",
    ),
    cfg.IntOpt(
        "min_client_rate",
        min=0,
        default=1000,
        help="Minimum rate in bytes per second. panko-api disconnects a client that sends a body or receives a "
        "response more slowly than this over client_timeout. 0: any rate is accepted.",
    ),
    cfg.IntOpt(
        "graceful_timeout",
        min=0,
        default=30,
        help="Seconds that current requests have to finish after panko-api is asked to stop.",
    ),
]

DATABASE_OPTS: list[cfg.Opt] = [
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
        help="Seconds that connecting to the database may take. Several hosts in the URL share them, with at least 2 "
        "for each. A connect_timeout in the URL overrides this. Also the seconds that a thread waits for a free "
        "connection, and that the check of an idle connection may take.",
    ),
    cfg.IntOpt(
        "statement_timeout",
        min=1,
        default=300,
        help="Seconds that a statement which stores or deletes may take before it is given up; SQLite has no such "
        "limit. A request or a publisher never waits longer than its own limit.",
    ),
    cfg.IntOpt(
        "migration_timeout",
        min=1,
        default=3600,
        help="The same for statements of panko-dbsync, which may rebuild a large table.",
    ),
    cfg.IntOpt(
        "event_time_to_live",
        default=-1,
        help="Seconds that events are kept; panko-expirer deletes older ones. -1: keep events forever.",
    ),
    cfg.IntOpt(
        "events_delete_batch_size",
        min=0,
        default=0,
        help="Number of events that panko-expirer deletes at a time: in one transaction, or in several if this is "
        "more than the driver deletes in one. 0: a size that suits the database.",
    ),
]

COLLECTOR_OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "transport_url",
        secret=True,
        help="URL of the message bus that Ceilometer publishes to: rabbit://user:password@host:5672/virtual_host. "
        "Overrides [oslo_messaging_notifications] transport_url, which overrides [DEFAULT] transport_url.",
    ),
    cfg.StrOpt("control_exchange", default="ceilometer", help="Exchange that Ceilometer publishes to."),
    cfg.ListOpt(
        "topics",
        default=["event"],
        help="Topics to listen on: [publisher_notifier] event_topic of Ceilometer. The name of a topic's queue is the "
        "topic and the priority: event.sample.",
    ),
    cfg.StrOpt(
        "telemetry_secret",
        secret=True,
        help="Secret that events must be signed with: [publisher] telemetry_secret of Ceilometer. Other events are "
        "refused. Unset: signatures are ignored.",
    ),
    cfg.IntOpt("workers", min=1, help="Processes of panko-collector. Unset: one for each core, at most 8."),
    cfg.IntOpt(
        "batch_size",
        min=1,
        default=1000,
        help="Maximum number of messages whose events are stored in one transaction. Most messages hold one event.",
    ),
    cfg.FloatOpt(
        "batch_timeout",
        min=0.01,
        default=0.2,
        help="Seconds to wait for more messages after the first one of a batch.",
    ),
    cfg.IntOpt(
        "graceful_timeout",
        min=1,
        default=30,
        help="Seconds that the current batch has to finish after panko-collector is asked to stop.",
    ),
    cfg.IntOpt(
        "log_interval",
        min=1,
        default=60,
        help="Seconds between the log lines of each worker that say how many events it has stored and refused; no line "
        "if this has not changed.",
    ),
]

EXPLORER_OPTS: list[cfg.Opt] = [
    cfg.BoolOpt(
        "enabled",
        help="Whether people can look at events in a browser, at /explorer. With Keystone, they sign in there. Without "
        "it (panko+noauth), whoever reaches the server sees all events there, unless a proxy sets identity headers. "
        "Unset: yes for panko+noauth, no for every other application of the paste file.",
    ),
]

STORAGE_OPTS: list[cfg.Opt] = [
    cfg.IntOpt("max_retries", min=-1, help="Overrides [database] max_retries."),
    cfg.IntOpt("retry_interval", min=0, help="Overrides [database] retry_interval."),
]


OPENSEARCH_OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "period",
        default="month",
        choices=["day", "week", "month", "year"],
        help="Events of such a period share an index; a period that has expired as a whole is dropped at once. Few "
        "large indices are faster than many small ones: aim at 10 to 50 GB each.",
    ),
    cfg.IntOpt("shards", min=1, default=1, help="Primary shards of each index of events that is created from now on."),
    cfg.IntOpt(
        "replicas",
        min=0,
        help="Copies of each shard besides the primary one, on other nodes. Unset: two, or as many as there are other "
        "nodes when an index is created.",
    ),
    cfg.IntOpt(
        "wait_for_active_shards",
        min=1,
        help="Copies of a shard, the primary one included, that must be there before events are stored. Unset: the "
        "majority; with one replica, one.",
    ),
    cfg.BoolOpt(
        "refresh",
        default=True,
        help="Whether events can be read as soon as they are stored. Otherwise it takes about a second, and storing "
        "many is faster. In panko-collector, panko-import and Ceilometer's publisher, the default is false.",
    ),
    cfg.IntOpt(
        "node_timeout",
        min=1,
        default=10,
        help="Seconds after which a request that a node has not answered is sent to another one.",
    ),
    cfg.StrOpt("cafile", help="Certificates of the authorities that issue those of the nodes, in PEM format."),
    cfg.StrOpt("certfile", help="Client certificate with which Panko identifies itself, in PEM format."),
    cfg.StrOpt("keyfile", help="Private key of certfile, if that file does not contain it."),
    cfg.BoolOpt("insecure", default=False, help="Whether certificates of nodes are accepted without a check."),
]


def list_opts() -> list[tuple[str | None, list[cfg.Opt]]]:
    """Return the options by group (None: [DEFAULT]), in the form that ``oslo-config-generator`` expects."""
    return [
        (None, DEFAULT_OPTS),
        ("api", API_OPTS + SERVER_OPTS),
        ("collector", COLLECTOR_OPTS),
        ("database", DATABASE_OPTS),
        ("explorer", EXPLORER_OPTS),
        ("opensearch", OPENSEARCH_OPTS),
        ("storage", STORAGE_OPTS),
    ]
