"""The main job, shown end to end on this machine: two trainings, two events, one approval, one model in Production."""
