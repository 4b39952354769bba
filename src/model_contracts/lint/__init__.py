"""Contracts and other definitions read for what can never apply, guards nothing, repeats, shadows or names nobody."""

from model_contracts.lint.flaws import Flaw as Flaw
from model_contracts.lint.run import linted as linted
