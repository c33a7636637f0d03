"""The names of AWS's things: the examples in the module are true."""

import doctest

from helpers.localaws.common import arns


def test_each_function_has_an_example_that_is_true() -> None:
    tests = [each for each in doctest.DocTestFinder().find(arns) if each.name != arns.__name__]
    runner = doctest.DocTestRunner(verbose=False)
    outcomes = {each.name: runner.run(each) for each in tests}
    assert [name for name, outcome in outcomes.items() if outcome.failed] == []
    assert [name for name, outcome in outcomes.items() if not outcome.attempted] == []
    assert len(outcomes) > 10
