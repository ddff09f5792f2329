# SPDX-License-Identifier: Apache-2.0
"""Typos in a configuration are named with the nearest option; what other services or releases have is not a typo."""

import logging
from pathlib import Path

import pytest

from panko import service
from panko.unknown_options import find_unknown_options

SAMPLE = Path(__file__).parents[2] / "etc/panko/panko.conf.sample"

DEPLOYED = """
[DEFAULT]
debug = False
log_dir = /var/log/panko
logfile = panko.log
use_syslog = True
syslog_log_facility = LOG_LOCAL0
log_config_append = /etc/panko/logging.conf
transport_url = rabbit://openstack:secret@192.0.2.1:5672//
control_exchange = openstack
rpc_response_timeout = 60
rpc_backend = rabbit
notification_driver = messagingv2
executor_thread_pool_size = 64
auth_strategy = keystone
host = controller-1
api_paste_config = /etc/panko/api_paste.ini

[api]
host = 192.0.2.1
port = 8977
workers = 2
default_api_return_limit = 1000

[database]
connection = mysql+pymysql://panko:secret@192.0.2.1:3306/panko?charset=utf8
event_connection = mysql+pymysql://panko:secret@192.0.2.1:3306/panko
slave_connection = mysql+pymysql://panko:secret@192.0.2.1:3306/panko
connection_recycle_time = 10
max_pool_size = 1
max_overflow = 1000
pool_timeout = 30
max_retries = -1
retry_interval = 10
db_max_retries = -1
mysql_sql_mode = TRADITIONAL
event_time_to_live = 86400
events_delete_batch_size = 1000

[storage]
max_retries = 10
retry_interval = 10

[keystone_authtoken]
www_authenticate_uri = http://192.0.2.1:5000
auth_uri = http://192.0.2.1:5000
auth_url = http://192.0.2.1:5000
auth_type = password
auth_plugin = password
auth_version = v3
auth_section = service_credentials
interface = internal
service_type = event
project_domain_id = default
user_domain_id = default
project_domain_name = Default
user_domain_name = Default
project_name = service
tenant_name = service
username = panko
user_name = panko
password = secret
cafile = /etc/ssl/ca.pem
region_name = RegionOne
memcache_security_strategy = ENCRYPT
memcache_secret_key = secret
memcached_servers = 192.0.2.1:11211
memcache_servers = 192.0.2.1:11211
memcache_use_advanced_pool = True
memcache_pool_socket_timeout = 3
token_cache_time = 300
http_connect_timeout = 3
service_token_roles = service
service_token_roles_required = True
hash_algorithms = md5
signing_dir = /var/cache/panko
revocation_cache_time = 10
identity_uri = http://192.0.2.1:35357
admin_user = panko
admin_password = secret
admin_tenant_name = service
auth_host = 192.0.2.1
auth_port = 35357
auth_protocol = http

[oslo_middleware]
enable_proxy_headers_parsing = True
max_request_body_size = 114688

[oslo_policy]
policy_file = policy.yaml
policy_dirs = policy.d
policy_default_rule = default
enforce_scope = True

[oslo_messaging_notifications]
transport_url = rabbit://openstack:secret@192.0.2.1:5672//
driver = messagingv2
topics = notifications

[oslo_messaging_rabbit]
amqp_durable_queues = true
rabbit_ha_queues = true
heartbeat_in_pthread = false
kombu_ssl_ca_certs = /etc/ssl/ca.pem

[oslo_messaging_zmq]
rpc_zmq_host = controller-1

[oslo_concurrency]
lock_path = /var/lib/panko/tmp

[cors]
allowed_origin = https://horizon.example.org

[cors.subdomain]
allowed_origin = https://horizon.example.org

[healthcheck]
backends = disable_by_file
disable_by_file_path = /etc/panko/disabled

[audit_middleware_notifications]
driver = log
"""
"""What Kolla, Puppet and OpenStack-Ansible write, with options that the libraries had in former releases."""

OTHER_SERVICES = "".join(
    f"[{section}]\nenabled = true\nport = 80\n"
    for section in (
        *(
            "api_database",
            "barbican",
            "cache",
            "compute",
            "coordination",
            "dispatcher_gnocchi",
            "event",
            "glance_store",
        ),
        *("keystone", "neutron", "notification", "oslo_limit", "oslo_reports", "paste_deploy", "placement", "polling"),
        *("profiler", "publisher", "service_credentials", "service_types", "service_user", "ssl", "vault", "wsgi"),
    )
)


@pytest.fixture
def find(tmp_path):
    def find_in(text, **options):
        path = tmp_path / "panko.conf"
        path.write_text(text)
        conf = service.prepare_service([], config_files=[str(path)], share=True, warn=False)
        return [finding.replace(f" in {path}", "") for finding in find_unknown_options(conf, **options)]

    return find_in


@pytest.mark.parametrize(
    ("section", "option", "meant"),
    [
        ("database", "event_time_to_life", "event_time_to_live"),
        ("database", "conection", "connection"),
        ("database", "time_to_live", "event_time_to_live"),
        ("database", "max_poolsize", "max_pool_size"),
        ("api", "Port", "port"),
        ("API", "max-create-body-size", "max_create_body_size"),
        ("collector", "telemetrysecret", "telemetry_secret"),
        ("storage", "max_retry", "max_retries"),
        ("DEFAULT", "api_paste_confg", "api_paste_config"),
        ("keystone_authtoken", "usrname", "username"),
        ("keystone_authtoken", "www_authenticate_url", "www_authenticate_uri"),
        ("oslo_policy", "policyfile", "policy_file"),
        ("oslo_middleware", "enable_proxy_header_parsing", "enable_proxy_headers_parsing"),
        ("cors", "allowed_origins", "allowed_origin"),
        ("healthcheck", "disable_by_file_pth", "disable_by_file_path"),
    ],
)
def test_a_misspelt_option_is_named_with_the_nearest(find, section, option, meant):
    name = section if section == "DEFAULT" else section.lower()
    assert find(f"[{section}]\n{option} = 1\n") == [
        f"[{name}] {option} is not an option and is ignored. Did you mean {meant}?"
    ]


@pytest.mark.parametrize(
    ("section", "meant"),
    [
        ("apii", "api"),
        ("databse", "database"),
        ("default", "DEFAULT"),
        ("collectors", "collector"),
        ("keystone_authtokn", "keystone_authtoken"),
        ("oslo_policcy", "oslo_policy"),
        ("oslo_messaging_rabit", "oslo_messaging_rabbit"),
    ],
)
def test_a_misspelt_section_is_named_with_the_nearest(find, section, meant):
    assert find(f"[{section}]\nport = 1\nhost = h\n") == [
        f"[{section}] is not a section of Panko's and is ignored. Did you mean [{meant}]?"
    ]


@pytest.mark.parametrize("section", ["api", "collector", "database", "storage"])
def test_an_option_that_is_like_no_other_is_named_in_our_own_sections_alone(find, section):
    assert find(f"[{section}]\nxylophone = 1\n") == [f"[{section}] xylophone is not an option and is ignored."]
    assert find("[keystone_authtoken]\nxylophone = 1\n[DEFAULT]\nxylophone = 1\n") == []


@pytest.mark.parametrize("text", [DEPLOYED, OTHER_SERVICES, "", "[DEFAULT]\n"], ids=["deployed", "others", "no", "one"])
def test_what_deployment_tools_write_and_other_services_read_is_no_typo(find, text):
    assert find(text) == []


def test_the_sample_configuration_has_no_typo(find):
    text = SAMPLE.read_text()
    assert find("".join(line.removeprefix("#") for line in text.splitlines(True) if not line.startswith("# "))) == []


def test_without_the_libraries_of_the_api_their_sections_are_left_alone(find):
    assert find("[keystone_authtoken]\nusrname = panko\n[corss]\nx = 1\n[apii]\nx = 1\n", libraries=()) == [
        "[apii] is not a section of Panko's and is ignored. Did you mean [api]?"
    ]


def test_the_environment_is_looked_at_too(find, monkeypatch):
    monkeypatch.setenv("OS_DATABASE__EVENT_TIME_TO_LIFE", "1")
    monkeypatch.setenv("OS_DATABASE__MAX_RETRIES", "1")
    monkeypatch.setenv("OS_AUTH_URL", "http://keystone.example.org")
    monkeypatch.setenv("OS_DEFAULT__DEBUG", "true")
    (finding,) = find("")
    assert finding.startswith("[database] event_time_to_life in the environment is not an option")


@pytest.mark.parametrize("ttl", [-5, -2, 0])
def test_a_time_to_live_that_only_looks_like_one_is_named(find, ttl):
    (finding,) = find(f"[database]\nevent_time_to_live = {ttl}\n")
    assert finding.startswith(f"[database] event_time_to_live is {ttl}, so events are kept forever. Set it to -1 ")
    assert find("[database]\nevent_time_to_live = -1\n") == []


def test_typos_are_logged_at_the_start(tmp_path, caplog):
    path = tmp_path / "panko.conf"
    path.write_text("[database]\nevent_time_to_life = 1\n")
    service.prepare_service([], config_files=[str(path)], share=True)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"event_time_to_life in {path} is not an option" in record.getMessage()
