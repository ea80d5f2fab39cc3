"""Prepare Superset's own database: schema, roles, users, and the connections to Trino. Runs in Superset's environment.

Everything secret comes from the environment, never from the command line. Idempotent: passwords are set to the given ones
again, roles to the permissions of roles.json, so a second call heals what was changed by hand. With the word `listeners`, only
the listeners' log-ins are brought up to date.
"""

import json
import os
import pathlib
import sys

LISTENERS = "listener_"
HERE = pathlib.Path(__file__).resolve().parent
USERS = {"admin": ["Admin"], "listener": ["Listener"], "analyst": ["Listener", "Analyst"]}
# name -> uuid, Trino user, environment variable of the password, in SQL Lab; bi/dashboards/bundle.py names the first uuid too.
CONNECTIONS = {
    "Lakehouse": ("6d2a4c1e-3f0b-5a77-9f53-0c6a4a0f6a01", "bi", "TRINO_BI_PASSWORD", False),
    "Lakehouse for analysts": ("6d2a4c1e-3f0b-5a77-9f53-0c6a4a0f6a02", "analyst", "TRINO_ANALYST_PASSWORD", True),
}


def set_roles(manager, connections):
    """Give each of our roles exactly the permissions of roles.json; analysts may use their connection."""
    roles = {name: [tuple(pair) for pair in pairs] for name, pairs in json.loads((HERE / "roles.json").read_text()).items()}
    roles["Analyst"].append(("database_access", connections["Lakehouse for analysts"].perm))
    for name, pairs in roles.items():
        role = manager.add_role(name)
        role.permissions = [manager.add_permission_view_menu(*pair) for pair in pairs]
    # Nobody is let in without a log-in, and what someone clicked together for everybody is taken back.
    manager.find_role(manager.auth_role_public).permissions = []


def set_users(manager):
    """Create or mend the three log-ins."""
    from werkzeug.security import check_password_hash

    for name, roles in USERS.items():
        password = os.environ[f"SUPERSET_{name.upper()}_PASSWORD"]
        found = [manager.find_role(role) for role in roles]
        user = manager.find_user(name)
        if user is None:
            user = manager.add_user(name, name.title(), "-", f"{name}@localhost", found, password=password)
            if not user:
                sys.exit(f"error: the Superset user {name} could not be created; see the lines above")
        elif not check_password_hash(user.password, password):
            manager.reset_password(user.id, password)
        user.roles, user.active = found, True


def set_listeners(manager, users):
    """Create or mend the log-ins of listeners; one that is no longer listed cannot log in."""
    role = manager.find_role("Listener")
    for name, listed in users.items():
        user = manager.find_user(name)
        if user is None:
            user = manager.add_user(name, name, "-", f"{name}@localhost", [role], hashed_password=listed["password_hash"])
            if not user:
                sys.exit(f"error: the Superset user {name} could not be created; see the lines above")
        user.password, user.roles, user.active = listed["password_hash"], [role], True
    for user in manager.get_all_users():
        if user.username.startswith(LISTENERS) and user.username not in users:
            user.active = False


def listed():
    """The listeners' log-ins, as `lakehouse listener` wrote them."""
    path = pathlib.Path(os.environ["SUPERSET_LISTENERS"])
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def set_connections(session):
    """Create or mend the connections to Trino; read-only by Trino's rules, and by these switches."""
    from superset.models.core import Database

    place = os.environ["TRINO_ADDRESS"]
    arguments = {"http_scheme": "https", "verify": os.environ["TRINO_CA"]}
    made = {}
    for name, (uuid, user, variable, for_analysts) in CONNECTIONS.items():
        database = session.query(Database).filter_by(uuid=uuid).one_or_none() or Database(uuid=uuid)
        session.add(database)
        database.database_name = name
        database.set_sqlalchemy_uri(f"trino://{user}:{os.environ[variable]}@{place}/lakehouse")
        database.extra = json.dumps({"engine_params": {"connect_args": arguments}, "allows_virtual_table_explore": False})
        database.expose_in_sqllab = for_analysts
        # Analysts write into their own tables (catalog notes) and nowhere else; Trino sees to that.
        database.allow_dml = for_analysts
        database.allow_ctas = database.allow_cvas = database.allow_file_upload = False
        database.is_managed_externally = True
        made[name] = database
    session.commit()
    return made


def main():
    """All steps; raises KeyError for a secret that is missing."""
    from superset.app import create_app

    app = create_app()
    with app.app_context():
        from flask_migrate import upgrade

        from superset import appbuilder, db, security_manager

        if sys.argv[1:] == ["listeners"]:
            set_listeners(security_manager, listed())
            db.session.commit()
            return
        upgrade(directory=app.extensions["migrate"].directory)
        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
        set_roles(security_manager, set_connections(db.session))
        set_users(security_manager)
        set_listeners(security_manager, listed())
        db.session.commit()


if __name__ == "__main__":
    main()
