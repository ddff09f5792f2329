# SPDX-License-Identifier: Apache-2.0
"""The commands: one module for each resource. The openstack command loads only the module that it needs."""
