# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC1091
# Runs a phase of the DevStack plugin with stand-ins for the functions of DevStack, which record their calls.
# Usage: devstack.sh PHASE...; the variables DEST, PLUGIN, CALLS, IS_ENABLED, DATABASE_URL and BUS_URL are set.
set -o errexit -o pipefail

STACK_USER=$(id --user --name)
SERVICE_HOST=127.0.0.1
REGION_NAME=RegionOne
ENABLE_DEBUG_LOG_LEVEL=False

record() { printf '%s\n' "$*" >> "$CALLS"; }

enable_service() { record enable_service "$@"; }
echo_summary() { record echo_summary "$@"; }
recreate_database() { record recreate_database "$@"; }
create_service_user() { record create_service_user "$@"; }
get_or_create_service() { record get_or_create_service "$@"; }
get_or_create_endpoint() { record get_or_create_endpoint "$@"; }
run_process() { record run_process "$@"; }
stop_process() { record stop_process "$@"; }
sudo() { "$@"; }
database_connection_url() { echo "$DATABASE_URL"; }
get_notification_url() { echo "$BUS_URL"; }
is_service_enabled() { [[ " $IS_ENABLED " == *" $1 "* ]]; }

# iniset FILE SECTION OPTION VALUE
iniset() {
    python3 - "$@" <<'END'
import configparser, sys
path, section, option, value = sys.argv[1:]
parser = configparser.RawConfigParser(default_section="")
parser.read(path)
if not parser.has_section(section):
    parser.add_section(section)
parser.set(section, option, value)
with open(path, "w") as file:
    parser.write(file)
END
}

# configure_keystone_authtoken_middleware FILE USER
configure_keystone_authtoken_middleware() {
    iniset "$1" keystone_authtoken username "$2"
    iniset "$1" keystone_authtoken www_authenticate_uri http://127.0.0.1/identity
}

source "$PLUGIN/settings"
source "$PLUGIN/plugin.sh" "$@"
