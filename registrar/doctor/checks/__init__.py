"""The parts that `registrar doctor` looks at, one file each; registrar/doctor/__init__.py says what one offers."""
