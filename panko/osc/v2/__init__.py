# SPDX-License-Identifier: Apache-2.0
"""The commands, a module for each kind of thing; the openstack command loads the one that it is asked for."""
