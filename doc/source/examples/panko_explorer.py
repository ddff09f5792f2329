# SPDX-License-Identifier: Apache-2.0
"""Horizon: the action "Show Events" of instances and volumes, for projects and for administrators."""

from urllib.parse import urlencode

from horizon import tables
from openstack_dashboard.dashboards.admin.instances import views as admin_instances
from openstack_dashboard.dashboards.admin.volumes import views as admin_volumes
from openstack_dashboard.dashboards.project.instances import views as instances
from openstack_dashboard.dashboards.project.volumes import views as volumes

EXPLORER = "https://panko.example.org/explorer"


class ShowEvents(tables.LinkAction):
    """A link to all that happened to the resource of the row."""

    name = "events"
    verbose_name = "Show Events"
    icon = "list"
    attrs = {"target": "_blank"}

    def get_link_url(self, datum=None):
        """Return the address of the explorer's page."""
        return f"{EXPLORER}/resource?{urlencode({'id': self.table.get_object_id(datum)})}"


def with_events(table):
    """Return a class of tables like another one, whose rows have the action too."""
    meta = type("Meta", (table.Meta,), {"row_actions": (*table.Meta.row_actions, ShowEvents)})
    return type(table)(table.__name__, (table,), {"Meta": meta})


for view in (instances.IndexView, admin_instances.AdminIndexView, volumes.VolumesView, admin_volumes.VolumesView):
    view.table_class = with_events(view.table_class)
