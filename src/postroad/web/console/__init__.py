"""``/api/v1/console``: what operators see and do in a browser. `door.Door` lets nobody else in.

Templates, webhooks and suppressions are under the same paths as in the API: the door leads to its
routes, so there is one of each.
"""
