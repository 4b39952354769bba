"""The JSON Schemas (2020-12) of every definition and of what a run writes: from types and known ids."""

from model_contracts.schemas.generated import DIALECT as DIALECT
from model_contracts.schemas.generated import NAMES as NAMES
from model_contracts.schemas.generated import file_name as file_name
from model_contracts.schemas.generated import generate as generate
from model_contracts.schemas.generated import text as text
from model_contracts.schemas.generated import write as write
