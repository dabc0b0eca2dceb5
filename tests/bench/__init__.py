"""How fast and how large Registrar is, beside alternatives: `make bench`, docs/explanation/performance.md.

One module per bench. It has a TITLE and

    def measure(options: Options) -> Result

and is found by its TITLE line. What it compares it measures in one run, in turns (`rounds.py`), so that a slow
moment of the machine meets all. Nothing here is collected as a timed test; test_*.py see to it that the benches measure
what they say.
"""
