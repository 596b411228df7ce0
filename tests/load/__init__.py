"""How operators hold under load and faults: `python -m load` measures and prints, the tests of the operator use it in small."""
