"""The pages: each module has its ROUTES, and its templates in `templates`."""
