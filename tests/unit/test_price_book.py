"""The price book's rules: each is told as file, row and rule, before anything is priced."""

import csv
import io
import re
import shutil
from datetime import date, timedelta
from decimal import Decimal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dlt_pipelines.config import PROJECT_DIR, Settings
from dlt_pipelines.errors import MindweaveError, UsageError
from flows import build
from flows.price_book import SEEDS, ModelPrice, check_price_book, read_file

BOOK = {
    "vendors": ["vendor,name,source", "acme,Acme,its site", "other,Other,its site"],
    "price_bands": [
        "price_band,prompt_tokens_above,description,source",
        "standard,-1,any prompt,a test",
        "short,-1,any prompt,a test",
        "long,200000,long prompts,a test",
    ],
    "model_prices": [
        "vendor,model_id,price_band,input_usd_per_mtok,output_usd_per_mtok,"
        "cache_write_5m_usd_per_mtok,cache_write_1h_usd_per_mtok,cache_read_usd_per_mtok,status,"
        "confidence,source,note,valid_from_date,valid_to_date,known_from_date",
        "acme,big,standard,3,15,3.75,6,0.3,active,high,a test,,2026-01-01,,",
        "acme,big,long,6,22.5,7.5,12,0.6,ended,high,a test,,2026-02-01,2026-05-01,",
        'acme,small,standard,1,5,,,,,high,a test,"two\nlines",2026-01-01,2026-06-01,2025-12-24',
        "acme,small,standard,0.5,5,,,,,high,a test,,2026-06-01,,2026-05-20",
        "other,big,standard,,,,,,,none,a test,no price is known,,,",
    ],
    "price_modifiers": [
        "vendor,model_id,modifier,multiplier,valid_from_date,valid_to_date,known_from_date,"
        "confidence,source,note",
        "acme,,batch,0.5,,,,high,a test,",
        "acme,big,fast,6,2026-02-01,2026-03-01,,high,a test,",
        "acme,big,fast,2,2026-04-01,,,high,a test,after a month without",
        "other,,batch,,,,,none,a test,",
    ],
    "server_tool_prices": [
        "vendor,tool,usd_per_1k,valid_from_date,valid_to_date,known_from_date,confidence,source,"
        "note",
        "acme,web_search,10,,,,high,a test,",
    ],
    "contract_discounts": [
        "customer_id,vendor,model_id,multiplier,valid_from_date,valid_to_date,known_from_date,"
        "contract,note",
        "globex,acme,,0.9,2026-10-15,,,C-1,",
        ",acme,small,0.987654,2026-10-15,2026-11-15,,C-2,",
    ],
    "model_aliases": [
        "vendor,alias,model_id,price_region,source",
        "acme,us.acme.big-v1:0,big,us,a test",
        "acme,the big one,big,,a test",
    ],
}
# the rows of model_prices by what they are, as an editor counts them
BIG, BIG_LONG, SMALL, SMALL_LATER, OTHER_BIG, NEXT = 2, 3, 4, 6, 7, 8


@pytest.fixture
def project(tmp_path):
    """Return a project with a price book without a mistake."""
    (tmp_path / "seeds").mkdir()
    for seed, lines in BOOK.items():
        write(tmp_path, seed, "".join(f"{line}\n" for line in lines))
    return tmp_path


def write(project, seed, text, encoding="utf-8"):
    (project / "seeds" / f"{seed}.csv").write_bytes(text.encode(encoding))


def read(project, seed):
    return (project / "seeds" / f"{seed}.csv").read_bytes().decode()


def add(project, seed, *lines):
    write(project, seed, read(project, seed) + "".join(f"{line}\n" for line in lines))


def replace(project, seed, old, new):
    text = read(project, seed)
    assert text.count(old) == 1, text
    write(project, seed, text.replace(old, new))


def price(model_id, price_band="standard", prices="1,5,,,", dates=",,"):
    return f"acme,{model_id},{price_band},{prices},,high,a test,,{dates}"


def problem(project):
    with pytest.raises(MindweaveError) as caught:
        check_price_book(project)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_code == 1
    return message


def test_the_book_of_the_project_has_no_mistake():
    check_price_book()


def test_a_book_without_a_mistake_passes(project):
    check_price_book(project)


@pytest.mark.parametrize(
    ("seed", "line", "rule"),
    [
        (
            "model_prices",
            price("new", dates="2026-13-01,,"),
            'valid_from_date: "2026-13-01" is not a date (YYYY-MM-DD)',
        ),
        (
            "model_prices",
            price("new", dates=",2026-02-30,"),
            'valid_to_date: "2026-02-30" is not a date (YYYY-MM-DD)',
        ),
        (
            "model_prices",
            price("new", dates=",,24/07/2026"),
            'known_from_date: "24/07/2026" is not a date (YYYY-MM-DD)',
        ),
        (
            "model_prices",
            price("new", dates="20260724,,"),
            'valid_from_date: "20260724" is not a date (YYYY-MM-DD)',
        ),
        (
            "model_prices",
            price("new", dates="1767225600,,"),
            'valid_from_date: "1767225600" is not a date (YYYY-MM-DD)',
        ),
        (
            "model_prices",
            price("new", dates="2026-07-24T00:00:00,,"),
            'valid_from_date: "2026-07-24T00:00:00" is not a date (YYYY-MM-DD)',
        ),
        (
            "model_prices",
            price("new", dates=",9999-12-31,"),
            'valid_to_date: "9999-12-31" is not from 1970-01-01 to 2100-01-01: leave the cell of '
            "an open end empty",
        ),
        (
            "model_prices",
            price("new", dates="1969-12-31,,"),
            'valid_from_date: "1969-12-31" is not from 1970-01-01 to 2100-01-01: leave the cell '
            "of an open end empty",
        ),
        (
            "model_prices",
            price("new", dates="2026-02-01,2026-02-01,"),
            "valid_to_date: 2026-02-01 is not after the period's begin, 2026-02-01",
        ),
        (
            "model_prices",
            price("new", dates="2026-02-01,2026-01-01,"),
            "valid_to_date: 2026-01-01 is not after the period's begin, 2026-02-01",
        ),
        ("model_prices", price("new", prices="-3,15,,,"), 'input_usd_per_mtok: "-3" is below 0'),
        (
            "model_prices",
            price("new", prices="3,15,,,-0.000001"),
            'cache_read_usd_per_mtok: "-0.000001" is below 0',
        ),
        *(
            (
                "model_prices",
                price("new", prices=f"{text},15,,,"),
                f'input_usd_per_mtok: "{text}" is not a number: write digits, and a point if '
                "needed",
            )
            for text in ("free", "$3", "3 USD", " 3", "1e3", "NaN", "Infinity", "1_000", "٣")
        ),
        (
            "model_prices",
            price("new", prices='"3,5",15,,,'),
            'input_usd_per_mtok: "3,5" is not a number: write digits, and a point if needed',
        ),
        (
            "model_prices",
            price("new", prices="0.1234567,15,,,"),
            'input_usd_per_mtok: "0.1234567" has more than 6 decimals',
        ),
        (
            "model_prices",
            price("new", prices="1234567890123,15,,,"),
            'input_usd_per_mtok: "1234567890123" has more than 12 digits before the point',
        ),
        (
            "model_prices",
            price("new", prices=",15,,,"),
            "input_usd_per_mtok is empty, and without it the row prices nothing",
        ),
        (
            "model_prices",
            "antropic,new,standard,1,5,,,,,high,a test,,,,",
            'vendor: "antropic" is not in seeds/vendors.csv',
        ),
        ("model_prices", ",new,standard,1,5,,,,,high,a test,,,,", "vendor is empty"),
        (
            "model_prices",
            '"acme ",new,standard,1,5,,,,,high,a test,,,,',
            'vendor: "acme " has a blank, or something invisible',
        ),
        (
            "model_prices",
            price("n\u200bew"),
            'model_id: "n\u200bew" has a blank, or something invisible',
        ),
        (
            "model_prices",
            price("new", "prompt_gt_1m"),
            'price_band: "prompt_gt_1m" is not in seeds/price_bands.csv',
        ),
        (
            "model_prices",
            "acme,new,standard,1,5,,,,,sure,a test,,,,",
            "confidence: \"sure\" is not one of 'high', 'medium', 'low' or 'none'",
        ),
        ("model_prices", "acme,new,standard,1,5,,,,,high,,,,,", "source is empty"),
        (
            "model_prices",
            "acme,new,standard,1,5,,,,,high,a test,NULL,,,",
            'note: "NULL" is not a value: leave the cell empty',
        ),
        ("model_prices", "acme,new,standard,1,5", "has 5 cells, and the header 15"),
        ("model_prices", price("new") + ",more", "has 16 cells, and the header 15"),
        ("model_prices", "", "is empty"),
        ("model_prices", 'acme,"new"er,standard', "the quotes of a cell do not match"),
        (
            "price_modifiers",
            "acme,big,faster,2,,,,high,a test,",
            "modifier: \"faster\" is not one of 'batch', 'fast', 'us_inference' or "
            "'regional_endpoint'",
        ),
        (
            "price_modifiers",
            "acme,big,us_inference,0,,,,high,a test,",
            'multiplier: "0" is not above 0',
        ),
        (
            "price_modifiers",
            "acme,big,us_inference,-1.1,,,,high,a test,",
            'multiplier: "-1.1" is not above 0',
        ),
        (
            "price_modifiers",
            "acme,big,us_inference,1.10001,,,,high,a test,",
            'multiplier: "1.10001" has more than 4 decimals',
        ),
        (
            "price_modifiers",
            "other,small,fast,2,,,,high,a test,",
            'model_id: "small" of other is not in seeds/model_prices.csv',
        ),
        (
            "server_tool_prices",
            "other,code_execution,10,,,,high,a test,",
            "tool: \"code_execution\" is not one of 'web_search'",
        ),
        (
            "server_tool_prices",
            "other,web_search,-1,,,,high,a test,",
            'usd_per_1k: "-1" is below 0',
        ),
        ("server_tool_prices", "other,web_search,,,,,high,a test,", "usd_per_1k is empty"),
        (
            "contract_discounts",
            "Globex Inc,acme,,0.9,,,,C-1,",
            'customer_id: "Globex Inc" is not a customer\'s slug',
        ),
        ("contract_discounts", "globex,acme,big,0,,,,C-1,", 'multiplier: "0" is not above 0'),
        ("contract_discounts", "globex,acme,big,,,,,C-1,", "multiplier is empty"),
        ("contract_discounts", "globex,acme,big,0.9,,,,,", "contract is empty"),
        (
            "contract_discounts",
            "globex,nobody,,0.9,,,,C-1,",
            'vendor: "nobody" is not in seeds/vendors.csv',
        ),
        (
            "model_aliases",
            "acme,acme/huge,huge,,a test",
            'model_id: "huge" of acme is not in seeds/model_prices.csv',
        ),
        (
            "model_aliases",
            "nobody,acme/big,big,,a test",
            'vendor: "nobody" is not in seeds/vendors.csv',
        ),
        (
            "model_aliases",
            "acme,small,big,,a test",
            "alias: small is a model of the book itself",
        ),
        (
            "model_aliases",
            'acme,"acme/big ",big,,a test',
            'alias: "acme/big " has a blank at an end, or something invisible',
        ),
        (
            "price_bands",
            "half,1.5,,a test",
            'prompt_tokens_above: "1.5" is not a whole number',
        ),
        ("price_bands", "minus,-2,,a test", 'prompt_tokens_above: "-2" is below -1'),
        ("price_bands", "huge,9223372036854775808,,a test", None),
    ],
)
def test_a_bad_row_is_named_with_its_file_row_and_rule(project, seed, line, rule):
    last = read(project, seed).count("\n")
    add(project, seed, line)

    rule = rule or 'prompt_tokens_above: "9223372036854775808" is too large'
    assert problem(project) == f"seeds/{seed}.csv, row {last + 1}: {rule}"


@pytest.mark.parametrize(
    ("seed", "line", "rows", "rule"),
    [
        (
            "model_prices",
            price("big", dates="2026-03-01,2026-04-01,"),
            f"{BIG} and {NEXT}",
            "the periods of acme big standard overlap",
        ),
        (
            "model_prices",
            price("small", dates="2026-01-02,2026-01-03,2025-12-24"),
            f"{SMALL} and {NEXT}",
            "the periods of acme small standard overlap, both known from 2025-12-24",
        ),
        (
            "model_prices",
            price("small", dates=",2026-01-02,2025-12-24"),
            f"{SMALL} and {NEXT}",
            "the periods of acme small standard overlap, both known from 2025-12-24",
        ),
        (
            "model_prices",
            price("big", "short"),
            f"{BIG} and {NEXT}",
            "the periods of acme big short and acme big standard overlap",
        ),
        (
            "model_prices",
            BOOK["model_prices"][1],
            f"{BIG} and {NEXT}",
            "acme big standard is there twice",
        ),
        (
            "price_modifiers",
            "acme,,batch,0.4,2026-01-01,,,high,a test,",
            "2 and 6",
            "the periods of acme every model batch overlap",
        ),
        (
            "server_tool_prices",
            "acme,web_search,12,,,,high,a test,",
            "2 and 3",
            "the periods of acme web_search overlap",
        ),
        (
            "contract_discounts",
            "globex,acme,,0.8,,2026-10-16,,C-3,",
            "2 and 4",
            "the periods of globex acme every model overlap",
        ),
        (
            "contract_discounts",
            ",acme,small,0.8,2026-11-01,,,C-3,",
            "3 and 4",
            "the periods of every customer acme small overlap",
        ),
        (
            "model_aliases",
            "acme,the big one,small,,a test",
            "3 and 4",
            "the big one is there twice",
        ),
        ("vendors", "acme,Acme again,", "2 and 4", "acme is there twice"),
        ("price_bands", "long,300000,,a test", "4 and 5", "long is there twice"),
    ],
)
def test_rows_that_no_two_may_be_are_both_named(project, seed, line, rows, rule):
    add(project, seed, line)

    assert problem(project) == f"seeds/{seed}.csv, rows {rows}: {rule}"


def test_a_row_that_is_known_later_may_overlap(project):
    add(
        project,
        "model_prices",
        price("big", dates="2026-03-01,2026-04-01,2026-06-01"),
        price("big", "short", dates="2026-07-01,,2026-07-01"),
    )
    add(project, "price_modifiers", "acme,,batch,0.4,2026-01-01,,2026-01-01,high,a test,")
    add(project, "contract_discounts", "globex,acme,,0.8,,,2026-10-01,C-3,")

    check_price_book(project)


@pytest.mark.parametrize(
    ("old", "new", "rows", "days"),
    [
        (
            "0.5,5,,,,,high,a test,,2026-06-01",
            "0.5,5,,,,,high,a test,,2026-06-02",
            2,
            "on 2026-06-01",
        ),
        (
            "0.5,5,,,,,high,a test,,2026-06-01",
            "0.5,5,,,,,high,a test,,2026-07-01",
            2,
            "from 2026-06-01 to 2026-06-30",
        ),
    ],
)
def test_days_between_two_prices_are_a_gap(project, old, new, rows, days):
    replace(project, "model_prices", old, new)

    assert problem(project) == (
        f"seeds/model_prices.csv, rows {SMALL} and {SMALL_LATER}: acme small standard has no price "
        + days
    )


def test_a_gap_of_a_server_tool_is_one_and_one_of_a_modifier_is_none(project):
    replace(project, "server_tool_prices", "10,,,", "10,,2026-01-01,")
    add(project, "server_tool_prices", "acme,web_search,12,2026-01-03,,,high,a test,")

    assert problem(project) == (
        "seeds/server_tool_prices.csv, rows 2 and 3: acme web_search has no price "
        "from 2026-01-01 to 2026-01-02"
    )


def test_a_correction_known_later_fills_a_gap(project):
    replace(
        project,
        "model_prices",
        "0.5,5,,,,,high,a test,,2026-06-01",
        "0.5,5,,,,,high,a test,,2026-07-01",
    )
    add(project, "model_prices", price("small", dates="2026-05-15,2026-07-01,2026-08-01"))

    check_price_book(project)


@pytest.mark.parametrize(
    ("dates", "days"),
    [
        ("2026-01-01,,", "from 2026-01-01 to 2026-02-28"),
        ("2026-02-28,2026-04-01,", "on 2026-02-28"),
        (",2026-04-01,", "until 2026-02-28"),
        ("2026-03-01,,", "from 2026-05-01 on"),
        ("2026-06-01,2026-07-01,", "from 2026-06-01 to 2026-06-30"),
    ],
)
def test_a_model_has_a_price_for_short_prompts_on_every_day(project, dates, days):
    add(project, "model_prices", price("new", "short", dates="2026-03-01,2026-05-01,"))
    add(project, "model_prices", price("new", "long", dates=dates))

    assert problem(project).removesuffix(" (and 1 more)") == (
        f"seeds/model_prices.csv, row {NEXT + 1}: acme new long is for long prompts, and short "
        f"ones have no price {days}"
    )


def test_a_model_that_has_prices_for_long_prompts_only_is_refused(project):
    add(project, "model_prices", price("new", "long"))

    assert problem(project) == (
        f"seeds/model_prices.csv, row {NEXT}: acme new long is for long prompts, and short ones "
        "have no price on any day"
    )


def test_a_dearer_band_may_begin_later_and_end_earlier(project):
    add(project, "model_prices", price("new", dates="2026-01-01,,"))
    add(project, "model_prices", price("new", "long", dates="2026-02-01,2026-03-01,"))

    check_price_book(project)


def test_a_model_may_go_over_to_bands_of_other_names(project):
    add(project, "model_prices", price("new", dates="2026-01-01,2026-02-01,"))
    add(project, "model_prices", price("new", "short", dates="2026-02-01,,"))

    check_price_book(project)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_column_that_is_missing_is_named(project, seed):
    header, *rows = csv.reader(io.StringIO(read(project, seed)))
    for number, column in enumerate(header):
        stream = io.StringIO()
        csv.writer(stream).writerows(
            [cell for place, cell in enumerate(row) if place != number] for row in (header, *rows)
        )
        write(project, seed, stream.getvalue())

        assert problem(project) == f"seeds/{seed}.csv: the column {column} is missing"


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda text: "", ": the file is empty"),
        (lambda text: "\ufeff", ": the file is empty"),
        (
            lambda text: text.replace(",", ";"),
            ', row 1: the cells are separated by ";": use commas',
        ),
        (lambda text: text.replace("name", "label"), ": the column name is missing (and 1 more)"),
        (
            lambda text: re.sub(r"(?m)$(?<=.)", ",x", text),
            ', row 1: the column "x" is unknown',
        ),
        (
            lambda text: re.sub(r"(?m)$(?<=.)", ",name", text),
            ", row 1: the column name is there twice",
        ),
        (lambda text: text.replace("its site", '"its site', 1), ", row 2: the quotes"),
        (lambda text: text + "\n", ", row 4: is empty"),
    ],
)
def test_a_file_that_is_no_table_is_refused(project, change, rule):
    write(project, "vendors", change(read(project, "vendors")))

    assert problem(project).startswith(f"seeds/vendors.csv{rule}")


def test_a_file_that_is_missing_is_named(project):
    (project / "seeds" / "price_bands.csv").unlink()

    assert problem(project) == "seeds/price_bands.csv: the file is missing"


def test_a_folder_in_the_place_of_a_file_is_named(project):
    (project / "seeds" / "vendors.csv").unlink()
    (project / "seeds" / "vendors.csv").mkdir()

    assert problem(project) == "seeds/vendors.csv: the file cannot be read: Is a directory"


def test_another_encoding_is_named_with_its_row(project):
    text = read(project, "model_prices").replace("no price is known", "kein Preis für alle")
    write(project, "model_prices", text, "latin-1")

    assert problem(project) == (
        f"seeds/model_prices.csv, row {OTHER_BIG}: is not UTF-8: save the file in that encoding"
    )


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_mark_of_the_encoding_and_the_lines_of_any_system_are_no_mistake(project, newline):
    for seed in SEEDS:
        write(project, seed, "\ufeff" + read(project, seed).replace("\n", newline))

    check_price_book(project)
    add(project, "vendors", "a cme,Acme,")
    assert problem(project).startswith("seeds/vendors.csv, row 4: vendor")


def test_the_first_problem_is_told_and_the_others_are_counted(project):
    add(project, "model_aliases", "acme,acme/huge,,,a test", "acme,,big,,a test")
    add(project, "model_prices", price("new", prices="-1,-2,,,"))

    assert problem(project) == (
        f'seeds/model_prices.csv, row {NEXT}: input_usd_per_mtok: "-1" is below 0 (and 3 more)'
    )


def test_a_row_that_cannot_be_read_is_not_missed_by_others_too(project):
    replace(project, "model_prices", "acme,big,standard,3,", "acme,big,standard,three,")

    assert "more)" not in problem(project)


def test_what_is_shown_of_a_cell_is_short_and_one_line(project):
    add(project, "model_prices", price("new", prices='"' + "9\n" * 500 + '",5,,,'))

    assert len(problem(project)) < 300


def test_the_build_checks_before_it_looks_at_the_warehouse(monkeypatch):
    def refuse():
        raise MindweaveError("a bad row")

    monkeypatch.setattr(build, "check_price_book", refuse)
    monkeypatch.setattr(build, "current_state", lambda settings: pytest.fail("it went on"))
    builder = build.Builder(Settings(PROJECT_DIR, "nowhere.duckdb", "local"))

    with pytest.raises(MindweaveError, match="a bad row"):
        builder.build()


def test_the_fields_of_a_row_are_the_columns_of_its_seed():
    for seed, kind in SEEDS.items():
        folder = PROJECT_DIR / "seeds"
        [properties] = yaml.safe_load((folder / f"{seed}.yml").read_text("utf-8"))["seeds"]
        types = properties["config"]["column_types"]
        assert set(kind.model_fields) == set(types), seed
        with (folder / f"{seed}.csv").open(newline="", encoding="utf-8") as stream:
            assert next(csv.reader(stream)) == list(types), seed
        for column, info in kind.model_fields.items():
            digits = re.fullmatch(r"numeric\((\d+),(\d+)\)", types[column])
            kept = str(info)
            assert bool(digits) == ("max_digits" in kept), column
            if digits:
                assert f"max_digits={digits[1]}" in kept, column
                assert f"decimal_places={digits[2]}" in kept, column


@pytest.fixture
def own_book(tmp_path):
    """Return a copy of the project's own price book."""
    shutil.copytree(PROJECT_DIR / "seeds", tmp_path / "seeds")
    return tmp_path


def test_the_rows_that_the_guide_adds_are_right(own_book):
    examples = re.findall(r"```csv\n(.+?)```", GUIDE, re.DOTALL)
    for example in examples:
        [cells, *_] = csv.reader(example.splitlines())
        [seed] = [seed for seed, is_meant in MEANT.items() if is_meant(cells)]
        add(own_book, seed, example.rstrip())

    assert len(examples) >= 6
    check_price_book(own_book)


MEANT = {
    "model_prices": lambda cells: len(cells) == 15,
    "price_modifiers": lambda cells: len(cells) == 10,
    "contract_discounts": lambda cells: len(cells) == 9,
    "model_aliases": lambda cells: len(cells) == 5,
}
GUIDE = (PROJECT_DIR / "docs" / "prices.md").read_text("utf-8")
MISTAKES = re.findall(r"(?m)^\| `(.+,.*)` \| `(seeds/.+)` \|$", GUIDE)


@pytest.mark.parametrize(("line", "message"), MISTAKES)
def test_a_build_says_to_a_bad_row_what_the_guide_says(own_book, line, message):
    add(own_book, "model_prices", line)

    # rows are added all the time: where a row stands is not what the guide promises
    assert re.sub(r"\d+:", "N:", problem(own_book)) == re.sub(r"\d+:", "N:", message)


def test_the_guide_has_mistakes_of_every_kind():
    assert len(MISTAKES) >= 10


PRICES_FILE = (
    "vendor,model_id,input_usd_per_mtok,output_usd_per_mtok,cache_write_5m_usd_per_mtok,"
    "cache_write_1h_usd_per_mtok,cache_read_usd_per_mtok\n"
)


def test_a_users_file_needs_only_vendor_model_and_prices(project, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        PRICES_FILE + "acme,big,2.5,10,,,0\nacme,unheard of,1,1,1,1,1\n".replace(" ", "-")
    )

    rows = read_file(path, "model_prices", project)

    assert [row.model_id for row in rows if isinstance(row, ModelPrice)] == ["big", "unheard-of"]
    assert rows[0].model_dump() == {
        **dict.fromkeys(SEEDS["model_prices"].model_fields),
        **{"vendor": "acme", "model_id": "big", "price_band": "standard"},
        **{"input_usd_per_mtok": Decimal("2.5"), "output_usd_per_mtok": 10},
        **{"cache_read_usd_per_mtok": 0, "confidence": "none", "source": "a file"},
    }


def test_a_users_file_of_discounts_needs_only_vendor_and_multiplier(project, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("vendor,multiplier\nacme,0.85\n")

    [row] = read_file(path, "contract_discounts", project)

    assert row.model_dump(exclude_none=True) == {
        "vendor": "acme",
        "multiplier": Decimal("0.85"),
        "contract": "a file",
    }


@pytest.mark.parametrize(
    ("seed", "text", "rule"),
    [
        ("model_prices", PRICES_FILE + "acme,big,-1,,,,\n", ', row 2: input_usd_per_mtok: "-1"'),
        ("model_prices", PRICES_FILE + "acme,big,1,,,,\n" * 2, ", rows 2 and 3: acme big standard"),
        ("model_prices", PRICES_FILE + "nobody,big,1,,,,\n", ', row 2: vendor: "nobody" is not in'),
        ("model_prices", "vendor,model_id\n", ": the column input_usd_per_mtok is missing (and 4"),
        ("contract_discounts", "vendor,multiplier,rebate\n", ', row 1: the column "rebate" is unk'),
        (
            "contract_discounts",
            "vendor,model_id,multiplier\nacme,huge,0.9\n",
            ', row 2: model_id: "huge" of acme is not in seeds/model_prices.csv',
        ),
    ],
)
def test_a_bad_row_of_a_users_file_is_named_with_it(project, tmp_path, seed, text, rule):
    path = tmp_path / "mine.csv"
    path.write_text(text)

    with pytest.raises(MindweaveError) as caught:
        read_file(path, seed, project)

    assert str(caught.value).startswith(f"{path}{rule}")


def test_a_users_file_that_is_not_there_is_wrong_use(project, tmp_path):
    with pytest.raises(UsageError, match=r"there is no file .*mine\.csv"):
        read_file(tmp_path / "mine.csv", "model_prices", project)


@st.composite
def _periods(draw):
    """Return up to four periods within a month, open ends included."""
    days = st.none() | st.integers(0, 30)
    periods = draw(st.lists(st.tuples(days, days), min_size=1, max_size=4))
    return [(begin, end) for begin, end in periods if begin is None or end is None or begin < end]


@settings(deadline=None)
@given(_periods())
def test_overlaps_and_gaps_are_what_counting_days_finds(tmp_path_factory, periods):
    def day(number):
        return "" if number is None else str(date(2026, 1, 1) + timedelta(days=number))

    project = tmp_path_factory.mktemp("book")
    (project / "seeds").mkdir()
    for seed, lines in BOOK.items():
        write(project, seed, "".join(f"{line}\n" for line in lines))
    add(project, "model_prices", *(price("new", dates=f"{day(a)},{day(b)},") for a, b in periods))
    in_force = [
        sum(
            (-1 if begin is None else begin) <= number < (32 if end is None else end)
            for begin, end in periods
        )
        for number in range(-1, 32)
    ]
    priced = [number for number, rows in enumerate(in_force) if rows]
    has_gap = bool(priced) and 0 in in_force[priced[0] : priced[-1]]
    try:
        check_price_book(project)
        message = ""
    except MindweaveError as error:
        message = str(error)
    shutil.rmtree(project)

    if max(in_force) > 1:
        assert "overlap" in message or "is there twice" in message
    elif has_gap:
        assert "has no price" in message
    else:
        assert message == ""


@settings(deadline=None)
@given(st.binary() | st.text(alphabet='vendor,name,source"\r\n ').map(str.encode))
def test_whatever_a_file_holds_the_error_is_one_line(tmp_path_factory, content):
    project = tmp_path_factory.mktemp("book")
    shutil.copytree(PROJECT_DIR / "seeds", project / "seeds")
    (project / "seeds" / "vendors.csv").write_bytes(content)

    assert problem(project).startswith("seeds/vendors.csv")
    shutil.rmtree(project)
