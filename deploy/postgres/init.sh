#!/bin/sh
# Two databases, each with an owner that can't enter the other. Runs once, when the volume is still empty; as
# POSTGRES_USER, over the socket. The passwords are read by psql itself: no command line shows them.
set -eu

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\set ledger_password `cat /run/secrets/ledger_password`
\set mlflow_password `cat /run/secrets/mlflow_password`
CREATE ROLE registrar LOGIN PASSWORD :'ledger_password';
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow_password';
CREATE DATABASE registrar OWNER registrar;
CREATE DATABASE mlflow OWNER mlflow;
REVOKE ALL ON DATABASE registrar, mlflow FROM PUBLIC;
SQL
