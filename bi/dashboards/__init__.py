"""Dashboards as code: small declarations in superset/dashboards/, checked and turned into what Superset imports."""
