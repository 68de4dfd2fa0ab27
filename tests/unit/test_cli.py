import subprocess
import sys

IMPORTS = """
import atexit, gc, sys
atexit.register(lambda: print("frozen", gc.get_freeze_count()))
import flows.steps
from flows.cli import main
print("collections", sum(generation["collections"] for generation in gc.get_stats()))
sys.argv = ["mindweave", "sources", "claude_code"]
main()
"""


def test_a_command_hardly_looks_for_garbage_in_what_it_imports():
    output = subprocess.check_output([sys.executable, "-c", IMPORTS], text=True).splitlines()

    numbers = dict(line.split() for line in (output[0], output[-1]))
    assert int(numbers["collections"]) < 40, "by default hundreds"
    assert int(numbers["frozen"]) > 50_000, "the end of the process looks through the rest"
