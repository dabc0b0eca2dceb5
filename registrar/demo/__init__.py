"""`registrar demo`: two trainings, two events, one approval and one model in Production, all on this machine."""
