"""What continuous integration systems have in common: rules of registrar.yml that turn their news into our events."""
