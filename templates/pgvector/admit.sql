-- After each start: the role and the database that callers use, and the password as it is now.
\set ON_ERROR_STOP on
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
\set password `cat /srv/llm/secrets/pgvector.password`
SELECT 'CREATE ROLE llm LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT 90'
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'llm') \gexec
ALTER ROLE llm PASSWORD :'password';
SELECT 'CREATE DATABASE vectors OWNER llm'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'vectors') \gexec
\connect vectors
SET client_min_messages = 'warning';
CREATE EXTENSION IF NOT EXISTS vector;
