-- Databases and their owners, with passwords from the environment. May run again at any time: it heals what is missing.
\set ON_ERROR_STOP on
\set QUIET on
-- No statement with a password in a log, even where it fails.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
\getenv owner_password POSTGRES_PASSWORD
\getenv superset_password SUPERSET_DB_PASSWORD
\getenv notes_password NOTES_DB_PASSWORD

\if :{?owner_password}
ALTER ROLE CURRENT_USER PASSWORD :'owner_password';
\endif

SELECT 'CREATE ROLE superset LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'superset') \gexec
SELECT 'CREATE ROLE notes LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'notes') \gexec
ALTER ROLE superset PASSWORD :'superset_password';
ALTER ROLE notes PASSWORD :'notes_password';

SELECT 'CREATE DATABASE superset OWNER superset' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'superset') \gexec
SELECT 'CREATE DATABASE notes OWNER notes' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'notes') \gexec
REVOKE ALL ON DATABASE superset, notes, postgres, template1 FROM PUBLIC;

\connect notes
SET client_min_messages = 'warning';
CREATE SCHEMA IF NOT EXISTS notes AUTHORIZATION notes;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
