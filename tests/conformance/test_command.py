"""`mindweave conformance`: MindWeave or another tool, held against the pack."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from dlt_pipelines.errors import MindweaveError, UsageError
from flows.conformance import CASES, compare, judged, read_cases, run_mindweave
from tests.transcripts import assert_one_line, mindweave, succeeds

CASE = "streamed_snapshots_are_one_call"
RIGHT = {"totals": {"total_cost_usd": "0.05535900", "output_tokens": 412}}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def tool(folder: Path, program: str) -> str:
    """Write a Python program; return the command that runs it."""
    script = folder / "tool.py"
    script.write_text(program, "utf-8")
    return f"{sys.executable} {script}"


def verdict(command: str, name: str = CASE) -> str:
    """Return what is said of a command and a case."""
    ((_, comparison),) = judged(read_cases([name]), command)
    return str(comparison)


def test_mindweave_itself_needs_no_settings_and_leaves_nothing(home, monkeypatch):
    temporary = home.parent / "temporary"
    temporary.mkdir()
    done = mindweave(
        home,
        *("conformance", "--case", CASE, "--case", "a_contract_begins_on_a_day"),
        TMPDIR=str(temporary),
        MINDWEAVE_WAREHOUSE="nowhere://at/all",
        MINDWEAVE_CUSTOMER="somebody",
        MINDWEAVE_READER_PREFIX="reader_",
    )

    assert succeeds(done).splitlines() == [
        "a_contract_begins_on_a_day: ok",
        f"{CASE}: ok",
        "2 of 2 cases ok",
    ]
    assert not home.exists()
    assert list(temporary.iterdir()) == []


def test_another_price_turns_a_case_red(tmp_path):
    cases = tmp_path / "cases"
    shutil.copytree(CASES / CASE, cases / CASE)
    seeds = cases / CASE / "seeds"
    seeds.mkdir()
    (seeds / "model_prices.csv").write_text(
        "vendor,model_id,price_band,valid_from_date,known_from_date,input_usd_per_mtok,"
        "output_usd_per_mtok,cache_write_5m_usd_per_mtok,cache_write_1h_usd_per_mtok,"
        "cache_read_usd_per_mtok,status,confidence,source\n"
        "anthropic,claude-sonnet-4-6,standard,2026-02-17,2026-10-01,4,15,3.75,6,0.3,"
        "active,high,a wrong price\n"
    )
    (case,) = read_cases(folder=cases)
    found = run_mindweave([case], tmp_path / "home", {"here": None})["here"]

    # 10 tokens of input at 4 instead of 3 dollars a million
    assert compare(case.expected, found[CASE]).differences[0] == (
        "total_cost_usd is 0.055369, expected 0.055359"
    )


def test_a_tool_is_judged_by_what_it_prints(home):
    command = tool(home.parent, f"print({json.dumps(json.dumps(RIGHT))})")
    done = mindweave(home, "conformance", "--case", CASE, "--command", command)

    assert succeeds(done).splitlines() == [
        f"{CASE}: ok [compared: totals (output_tokens, total_cost_usd)]",
        "1 of 1 cases ok",
    ]


def test_a_tool_gets_the_input_folder_and_the_time_zone(tmp_path):
    command = tool(
        tmp_path,
        "import os, pathlib, sys\n"
        "assert list(pathlib.Path(sys.argv[1]).glob('projects/*/*.jsonl')), sys.argv\n"
        "assert os.environ['TZ'] == 'Europe/Berlin'\n"
        'print(\'{"totals": {"total_calls": 26}}\')',
    )

    assert verdict(command, "the_clock_goes_back_in_berlin").endswith("(total_calls)]")


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (
            """print('{"totals": {"total_cost_usd": 0.156567, "total_calls": 1}}')""",
            "total_cost_usd is 0.156567, expected 0.055359 "
            "[compared: totals (total_calls, total_cost_usd)]",
        ),
        (
            """print('{"days": {"2026-05-11": {"output_tokens": 1}}}')""",
            "2026-05-11 is a day too many; 2026-05-12 is missing [compared: days]",
        ),
        (
            """print('{"calls": [{"output_tokens": 412}, {"output_tokens": 3}]}')""",
            "calls: found output_tokens 3 [compared: calls (output_tokens)]",
        ),
        ("""print('{"totals": {"sum": 1}}')""", "nothing that was found could be compared"),
        ("print('{}')", "nothing that was found could be compared"),
        (
            """print('{"total": 1}')""",
            "the command printed no answer in JSON: 'total' is none of "
            "totals, days, calls, tool_calls, quarantine",
        ),
        ("print('[]')", "the command printed no answer in JSON: it is no object"),
        (
            "print('cost: 5')",
            "the command printed no answer in JSON: Expecting value: line 1 column 1 (char 0)",
        ),
        ("import sys; sys.exit('no prices')", "the command ended with 1 and said: no prices"),
        ("raise SystemExit(3)", "the command ended with 3 and said: nothing"),
    ],
)
def test_a_case_that_a_tool_does_not_pass_says_why(tmp_path, program, said):
    assert verdict(tool(tmp_path, program)) == said


def test_a_case_that_is_not_passed_makes_the_command_fail(home):
    command = tool(home.parent, "import sys; sys.exit('no prices [yet]')")
    done = mindweave(home, "conformance", "--case", CASE, "--command", command)

    assert done.stdout.splitlines() == [
        f"{CASE}: the command ended with 1 and said: no prices [yet]",
        "0 of 1 cases ok",
    ]
    assert done.stderr == ""
    assert done.returncode == 1


@pytest.mark.parametrize("command", ["/", "", "a 'quote"])
def test_a_command_that_cannot_be_read_or_run_is_refused(command):
    with pytest.raises(UsageError):
        verdict(command)


def test_a_command_that_is_not_there_is_wrong_use(home):
    done = mindweave(home, "conformance", "--case", CASE, "--command", "no-such-tool --json")

    assert_one_line(done.stderr)
    assert "no-such-tool cannot be run: No such file or directory" in done.stderr
    assert done.returncode == 2


def test_a_case_that_is_not_there_is_wrong_use(home):
    done = mindweave(home, "conformance", "--case", "streamed_snapshots")

    assert_one_line(done.stderr)
    assert f"did you mean {CASE}?" in done.stderr
    assert done.returncode == 2


def test_without_the_pack_it_says_where_to_get_it(tmp_path):
    with pytest.raises(MindweaveError, match="comes with the repository"):
        read_cases(folder=tmp_path / "cases")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "an_own_case/expected.json: Expecting property name"),
        ('{"costs": 1}', "an_own_case/expected.json: 'costs' is none of totals"),
        ('{"calls": [{"a": 1}, {"b": 1}]}', "the rows of calls do not all have the same columns"),
        ('{"days": {"2026-01-01": 1}}', "days does not hold objects"),
    ],
)
def test_an_answer_that_cannot_be_read_is_named(tmp_path, text, message):
    case = tmp_path / "an_own_case"
    case.mkdir()
    (case / "expected.json").write_text(text, "utf-8")

    with pytest.raises(MindweaveError, match=message):
        read_cases(folder=tmp_path)


@pytest.mark.parametrize(
    ("seed", "message"),
    [("model_costs", "has no seed model_costs.csv"), ("contract_discounts", "'discount'")],
)
def test_rows_for_no_seed_or_column_are_named(tmp_path, seed, message):
    case = tmp_path / "cases" / CASE
    shutil.copytree(CASES / CASE, case)
    (case / "seeds").mkdir()
    (case / "seeds" / f"{seed}.csv").write_text("vendor,discount\nanthropic,0.9\n")

    with pytest.raises(MindweaveError, match=message):
        run_mindweave(read_cases(folder=tmp_path / "cases"), tmp_path / "home", {"here": None})


def differences(expected, found):
    return compare(expected, found).differences


def test_amounts_are_compared_as_decimals_to_the_last_digit():
    wanted = {"totals": {"total_cost_usd": "0.50"}}

    assert differences(wanted, {"totals": {"total_cost_usd": "0.5"}}) == []
    assert differences(wanted, {"totals": {"total_cost_usd": "0.500000000000001"}}) == [
        "total_cost_usd is 0.500000000000001, expected 0.5"
    ]


def test_unknown_is_not_nothing():
    wanted = {"totals": {"total_cost_usd": None}}

    assert differences(wanted, {"totals": {"total_cost_usd": "0"}}) == [
        "total_cost_usd is 0, expected null"
    ]


def test_rows_are_compared_as_a_bag():
    row, other = {"model_id": "a", "total_cost_usd": "1"}, {"model_id": "b", "total_cost_usd": "2"}

    assert differences({"calls": [row, other]}, {"calls": [other, row]}) == []
    assert differences({"calls": [row, other]}, {"calls": [row, row]}) == [
        "calls: expected model_id b, total_cost_usd 2",
        "calls: found model_id a, total_cost_usd 1",
    ]
    assert differences({"calls": []}, {"calls": [row]}) == ["calls: found a row"]


def test_what_mindweave_does_not_have_is_a_difference():
    assert differences({"totals": {"total_cots": 1}}, {"totals": {}}) == ["total_cots is missing"]
    assert differences({"calls": [{"costs": 1}]}, {"calls": [{"cost": 1}]}) == [
        "calls has no costs"
    ]
