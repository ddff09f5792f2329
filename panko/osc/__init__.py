# SPDX-License-Identifier: Apache-2.0
"""The plugin for the openstack command: ``openstack event``. It imports nothing of the server."""
