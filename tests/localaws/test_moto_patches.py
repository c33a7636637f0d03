"""What is put into moto itself."""

from types import ModuleType

import pytest

from helpers.localaws.common import moto_patches


def test_what_moto_no_longer_has_is_not_replaced() -> None:
    module = ModuleType("of_moto")
    with pytest.raises(AttributeError, match="gone"):
        moto_patches.replace(module, "gone", "ours")
    assert not hasattr(module, "gone")


def test_what_was_worked_out_stays_although_moto_assigns_it() -> None:
    class Ours:
        @moto_patches.WorkedOut
        def policies(self) -> str:
            return "ours"

    made = Ours()
    made.policies = "moto's"
    assert made.policies == "ours"


def test_what_moto_made_becomes_one_of_ours() -> None:
    class Theirs:
        pass

    class Ours(Theirs):
        pass

    made = Theirs()
    assert moto_patches.become(made, Ours) is made
    assert type(made) is Ours
