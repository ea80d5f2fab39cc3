"""Superset's configuration, the same native and in a container. A secret that is missing in the environment stops the start."""

import json
import os
import pathlib

SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = os.environ["SUPERSET_DB_URI"]
GUEST_TOKEN_JWT_SECRET = os.environ["SUPERSET_GUEST_SECRET"]
HTTPS = os.environ.get("SUPERSET_HTTPS") == "1"

AUTH_USER_REGISTRATION = False
PUBLIC_ROLE_LIKE = None
FAB_ADD_SECURITY_API = False
# The limit counts per process, so the server has one worker with threads.
RATELIMIT_ENABLED = True
RATELIMIT_STORAGE_URI = "memory://"
AUTH_RATE_LIMITED = True
AUTH_RATE_LIMIT = "10 per minute"

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = HTTPS
PERMANENT_SESSION_LIFETIME = 8 * 3600
WTF_CSRF_ENABLED = True
TALISMAN_ENABLED = True
TALISMAN_CONFIG = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "script-src": ["'self'", "'strict-dynamic'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,
    "session_cookie_secure": HTTPS,
}
HTML_SANITIZATION = True
ENABLE_UI_THEME_ADMINISTRATION = False
# The dashboards' colours are made for a light page.
THEME_DARK = None

# One listener's rows must not come out of the cache for another.
FEATURE_FLAGS = {"DASHBOARD_RBAC": True, "CACHE_QUERY_BY_USER": True}


def DB_CONNECTION_MUTATOR(uri, params, username, security_manager, source):  # noqa: N802
    """Ask Trino as the listener who looks, so that its rules decide which rows they see; Superset logs in as itself."""
    if username is not None and username.startswith("listener_"):
        params.setdefault("connect_args", {})["user"] = username
    return uri, params


def _kept(prefix):
    return {"CACHE_TYPE": "SupersetMetastoreCache", "CACHE_KEY_PREFIX": prefix, "CACHE_DEFAULT_TIMEOUT": 7 * 24 * 3600}


FILTER_STATE_CACHE_CONFIG = _kept("fs_")
EXPLORE_FORM_DATA_CACHE_CONFIG = _kept("ef_")
# New numbers are seen after this many seconds, or at once with "Refresh dashboard".
DATA_CACHE_CONFIG = {"CACHE_TYPE": "SimpleCache", "CACHE_DEFAULT_TIMEOUT": 300}
CACHE_CONFIG = {"CACHE_TYPE": "SimpleCache", "CACHE_DEFAULT_TIMEOUT": 300}

PALETTES = json.loads((pathlib.Path(__file__).resolve().parent / "palettes.json").read_text())
EXTRA_CATEGORICAL_COLOR_SCHEMES = PALETTES["categories"]
EXTRA_SEQUENTIAL_COLOR_SCHEMES = PALETTES["ramps"]


def FLASK_APP_MUTATOR(app):  # noqa: N802
    """Limit POSTed log-ins: Superset 6.1 puts AUTH_RATE_LIMIT on a view that only answers GET."""
    limiter = app.appbuilder.sm.limiter
    for endpoint in ("AuthDBView.login", "SecurityApi.login"):
        app.view_functions[endpoint] = limiter.limit(AUTH_RATE_LIMIT, methods=["POST"])(app.view_functions[endpoint])
