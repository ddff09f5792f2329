# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# DevStack plugin: installs Panko's API and its collector of events from the message bus.
# DevStack sources this file with a phase as arguments, such as "stack install".

# Install Panko into its own virtual environment.
function install_panko {
    local extras=collector,mysql
    is_service_enabled postgresql && extras=collector,postgresql
    [[ -x $PANKO_VENV/bin/pip ]] || python3 -m venv "$PANKO_VENV"
    "$PANKO_VENV/bin/pip" install --constraint "$PANKO_DIR/constraints.txt" --editable "${PANKO_DIR}[$extras]"
}

# Write panko.conf.
function configure_panko {
    sudo install -d -o "$STACK_USER" -m 0750 "$PANKO_CONF_DIR"
    # A configuration of an earlier run would add its options.
    rm -f "$PANKO_CONF"
    install -m 0640 /dev/null "$PANKO_CONF"
    iniset "$PANKO_CONF" DEFAULT debug "$ENABLE_DEBUG_LOG_LEVEL"
    iniset "$PANKO_CONF" database connection "$(database_connection_url panko)"
    iniset "$PANKO_CONF" database event_time_to_live "$PANKO_EVENT_TTL"
    iniset "$PANKO_CONF" api port "$PANKO_SERVICE_PORT"
    iniset "$PANKO_CONF" collector transport_url "$(get_notification_url)"
    if [[ -n $PANKO_TELEMETRY_SECRET ]]; then
        iniset "$PANKO_CONF" collector telemetry_secret "$PANKO_TELEMETRY_SECRET"
    fi
    configure_keystone_authtoken_middleware "$PANKO_CONF" panko
}

# Create Panko's user, and its service and endpoint in the catalog.
function create_panko_accounts {
    local url="$PANKO_SERVICE_PROTOCOL://$PANKO_SERVICE_HOST:$PANKO_SERVICE_PORT"
    create_service_user panko
    get_or_create_service panko event "OpenStack events"
    get_or_create_endpoint event "$REGION_NAME" "$url" "$url"
}

# Create the database and its tables.
function init_panko {
    recreate_database panko
    "$PANKO_VENV/bin/panko-dbsync" --config-file "$PANKO_CONF"
}

function start_panko {
    run_process panko-api "$PANKO_VENV/bin/panko-api --config-file $PANKO_CONF"
    if is_service_enabled panko-collector; then
        run_process panko-collector "$PANKO_VENV/bin/panko-collector --config-file $PANKO_CONF"
    fi
}

function stop_panko {
    stop_process panko-collector
    stop_process panko-api
}

function clean_panko {
    sudo rm -rf "$PANKO_CONF_DIR"
    rm -rf "$PANKO_VENV"
}

if is_service_enabled panko-api; then
    case "$1 ${2:-}" in
        "stack install")
            echo_summary "Installing Panko"
            install_panko
            ;;
        "stack post-config")
            echo_summary "Configuring Panko"
            configure_panko
            create_panko_accounts
            init_panko
            ;;
        "stack extra")
            echo_summary "Starting Panko"
            start_panko
            ;;
        "unstack ")
            stop_panko
            ;;
        "clean ")
            clean_panko
            ;;
    esac
fi
