"""One suite for every side (``suite``), and a module for each server that it is run against."""

import pytest

pytest.register_assert_rewrite("tests.contract.suite")
