"""CONFORMANCE.md says what the tests say."""

from __future__ import annotations

from tests.conformance import ledger


def test_every_scenario_has_a_test_or_a_remark_and_every_test_ran_on_plain_moto() -> None:
    assert ledger.problems() == []


def test_the_table_is_up_to_date() -> None:
    assert ledger.LEDGER.read_text() == ledger.ledger(), "Run `make ledger`."
