"""Labels are names of registrar.yml and our own alone: others would make series without end."""

UNKNOWN = "(unknown)"  # stands for all sources that registrar.yml does not have
