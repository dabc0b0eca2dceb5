"""`registrar plan` where there is no registry to ask, and where nothing is governed."""


def test_a_registry_that_does_not_answer_is_exit_code_4(run, record):
    result = run("plan", "first-model", "1", "--to", "production")
    assert (result.exit_code, "registrar: " in result.output) == (4, True)


def test_a_stage_that_nothing_is_promoted_to_is_a_mistake(run, record):
    result = run("plan", "first-model", "1", "--to", "archived")
    assert (result.exit_code, "is not one of" in result.output) == (2, True)
