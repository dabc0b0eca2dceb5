"""Rules of registrar.yml that turn reports of CI systems into events; shared by all CI sources."""
