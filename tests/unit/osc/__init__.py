# SPDX-License-Identifier: Apache-2.0
"""Tests of panko.osc, the plugin of the openstack command."""
