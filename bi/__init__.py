"""The BI stack: Trino, Superset and Postgres over the lakehouse, their access rules, and dashboards as code."""
