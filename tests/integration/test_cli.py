"""The command as a user has it: a process, its exit status and what it prints."""

import ctypes
import json
import os
import subprocess
import sys
import time

import duckdb
import pytest

from dlt_pipelines.destinations import warehouse_at
from tests.transcripts import (
    MINDWEAVE,
    answer,
    append,
    assert_one_line,
    command_environment,
    home_settings,
    load,
    mindweave,
    rows,
    succeeds,
    tool_use,
    write,
)

CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
PR_CAPBSET_DROP = 24
MESSAGE_COUNT = "select count(distinct message_id) from {raw}.claude_code_messages"


@pytest.fixture
def home(tmp_path):
    return tmp_path / "mindweave"


@pytest.fixture
def transcript(tmp_path):
    return write(tmp_path / "transcripts" / "session-1.jsonl", answer(1), tool_use(2))


@pytest.fixture
def filled(home, transcript):
    """Return a home that a load has filled."""
    load(home_settings(home), transcript)
    return home


def message_count(home):
    [[messages]] = rows(home_settings(home), MESSAGE_COUNT)
    return messages


def fails(done, status=1):
    """Return the one line that says what is wrong."""
    assert done.returncode == status, (done.stdout, done.stderr)
    assert_one_line(done.stderr)
    return done.stderr


class TestWhatItPrints:
    def test_a_load_says_in_one_plain_line_what_it_did(self, home, transcript):
        append(transcript, "broken", {"type": "summary"})

        done = mindweave(home, "load", "--path", transcript)

        assert succeeds(done).startswith(
            "claude_code: 4 lines of 1 files, 2 loaded, 1 ignored, 1 quarantined, in "
        )
        assert done.stdout.count("\n") == 1
        assert "\x1b" not in done.stdout

    def test_a_load_without_anything_new_says_so(self, filled, transcript):
        done = mindweave(filled, "load", "--path", transcript)

        assert succeeds(done) == "claude_code: nothing new\n"

    def test_without_configuration_it_finds_the_users_own_transcripts(self, home, tmp_path):
        write(tmp_path / ".claude" / "projects" / "-shop" / "s.jsonl", answer(1))

        assert "1 loaded" in succeeds(mindweave(home, "load"))

    def test_sources_are_listed_with_their_version(self, home):
        assert "claude_code 1." in succeeds(mindweave(home, "sources"))

    def test_a_source_prints_its_configuration_as_json_schema(self, home):
        schema = json.loads(succeeds(mindweave(home, "sources", "claude_code")))

        assert schema["type"] == "object"
        assert set(schema["properties"]) >= {"roots", "keep_project_name"}
        assert schema["properties"]["keep_project_name"]["default"] is True

    def test_without_a_command_it_shows_help(self, home):
        done = mindweave(home)

        assert "Usage: mindweave" in done.stdout + done.stderr
        assert "schedule" in done.stdout + done.stderr


class TestWrongUse:
    @pytest.mark.parametrize("slug", ["Acme", "a-b", "1a", "a" * 32, "../a"])
    def test_a_bad_slug_exits_with_2_and_says_what_a_slug_is(self, home, slug):
        assert "is not a slug: use" in fails(mindweave(home, "load", "--customer", slug), 2)
        assert not home.exists(), "nothing is written under a bad name"

    def test_an_unknown_source_exits_with_2_and_names_the_installed(self, home):
        for arguments in (["load", "--source", "claude"], ["sources", "claude"]):
            message = fails(mindweave(home, *arguments), 2)
            assert "unknown source 'claude'; installed: " in message
            assert "claude_code" in message

    def test_an_unknown_kind_of_warehouse_exits_with_2(self, home, transcript):
        done = mindweave(home, "load", "--path", transcript, MINDWEAVE_WAREHOUSE="mysql://h/d")

        assert (
            "unknown scheme 'mysql'; use a DuckDB path, postgresql://… or clickhouse://…"
            in fails(done, 2)
        )

    @pytest.mark.parametrize(
        "arguments",
        [
            ["load", "--user", "dana"],
            ["load", "--path", ".", "--source", "a", "--source", "b"],
            ["load", "--no-such-option"],
            ["no-such-command"],
        ],
    )
    def test_options_that_make_no_sense_exit_with_2(self, home, arguments):
        done = mindweave(home, *arguments)

        assert done.returncode == 2
        assert "Traceback" not in done.stderr


class TestWhatIsNotThere:
    def test_no_transcripts_names_the_folders_and_how_to_name_one(self, home, tmp_path):
        message = fails(mindweave(home, "load"))

        assert f"{tmp_path / '.claude'}, {tmp_path / '.config' / 'claude'}" in message
        assert "--path" in message
        assert "CLAUDE_CONFIG_DIR" in message

    @pytest.mark.parametrize("path", ["nowhere", "empty", "/dev/null"])
    def test_a_path_without_transcripts_is_named(self, home, tmp_path, path):
        (tmp_path / "empty").mkdir()

        assert str(tmp_path / path) in fails(mindweave(home, "load", "--path", path))

    def test_a_build_before_a_load_says_what_to_do(self, home):
        message = fails(mindweave(home, "build"))

        assert "nothing is loaded for customer local" in message
        assert "run `mindweave load` first" in message

    def test_a_build_for_a_customer_who_has_loaded_nothing_says_so(self, filled):
        message = fails(mindweave(filled, "build", "--customer", "globex"))

        assert "nothing is loaded for customer globex" in message

    def test_a_server_that_does_not_answer_is_named_without_its_password(self, home, transcript):
        url = "postgresql://me:hunter2@127.0.0.1:1/usage"
        done = mindweave(home, "load", "--path", transcript, MINDWEAVE_WAREHOUSE=url)

        assert "cannot reach postgresql://127.0.0.1:1/usage" in fails(done)
        assert "hunter2" not in done.stdout + done.stderr


class TestBrokenInput:
    def test_strict_exits_with_1_where_a_line_was_quarantined_but_keeps_the_rest(
        self, home, transcript
    ):
        append(transcript, "broken")

        done = mindweave(home, "load", "--strict", "--path", transcript)

        assert done.returncode == 1
        assert "2 loaded, 0 ignored, 1 quarantined" in done.stdout
        assert "Traceback" not in done.stderr
        again = mindweave(home, "load", "--strict", "--path", transcript)
        assert succeeds(again) == "claude_code: nothing new\n"

    def test_strict_is_content_with_clean_input(self, home, transcript):
        succeeds(mindweave(home, "load", "--strict", "--path", transcript))

    def test_a_file_that_may_not_be_read_is_quarantined_and_read_once_it_may(
        self, home, transcript
    ):
        closed = write(transcript.with_name("closed.jsonl"), answer(3))
        closed.chmod(0)

        done = as_anybody(home, "load", "--path", transcript.parent)

        assert "2 loaded, 0 ignored, 1 quarantined" in succeeds(done)
        settings = home_settings(home)
        assert rows(settings, "select reason from {raw}.quarantine") == [
            ("the file cannot be read: Permission denied",)
        ]
        closed.chmod(0o600)
        done = as_anybody(home, "load", "--path", transcript.parent)
        assert "1 lines of 1 files, 1 loaded" in succeeds(done)

    def test_a_folder_that_may_not_be_read_is_quarantined_and_the_others_are_read(
        self, home, transcript
    ):
        closed = write(transcript.parent / "closed" / "session.jsonl", answer(3)).parent
        closed.chmod(0)
        try:
            done = as_anybody(home, "load", "--path", transcript.parent)
        finally:
            closed.chmod(0o700)

        assert "2 loaded, 0 ignored, 1 quarantined" in succeeds(done)

    def test_a_path_that_may_not_be_read_is_wrong_use(self, home, transcript):
        transcript.parent.chmod(0)
        try:
            done = as_anybody(home, "load", "--path", transcript.parent)
        finally:
            transcript.parent.chmod(0o700)

        assert done.returncode == 2
        assert f"path '{transcript.parent}' is not readable" in done.stderr

    def test_a_home_that_may_not_be_written_says_so(self, home, transcript):
        home.mkdir(mode=0o500)

        message = fails(as_anybody(home, "load", "--path", transcript))

        assert f"cannot write to {home}: Permission denied; set MINDWEAVE_HOME" in message


class TestWarehouseInTheWay:
    def test_a_warehouse_that_another_program_holds_is_said(self, filled, transcript):
        append(transcript, answer(3))
        warehouse = home_settings(filled).warehouse_url
        with duckdb.connect(warehouse):
            messages = [
                fails(mindweave(filled, *arguments))
                for arguments in (["load", "--path", transcript], ["build"])
            ]

        for message in messages:
            assert f"the warehouse {warehouse} is in use by another process: wait" in message
        assert "1 loaded" in succeeds(mindweave(filled, "load", "--path", transcript))

    def test_a_warehouse_that_a_reader_holds_is_said_when_it_is_written(self, filled, transcript):
        append(transcript, answer(3))
        with duckdb.connect(home_settings(filled).warehouse_url, read_only=True):
            message = fails(mindweave(filled, "load", "--path", transcript))

        assert "is in use by another process" in message
        succeeds(mindweave(filled, "load", "--path", transcript))
        assert message_count(filled) == 3, "what was ready to be loaded then is loaded first"

    @pytest.mark.parametrize("content", [b"this is no database\n" * 1000, b"x", None])
    def test_a_file_that_is_no_duckdb_file_is_named_and_left_alone(
        self, home, transcript, tmp_path, content
    ):
        path = tmp_path / "other.duckdb"
        if content is None:
            path.mkdir()
        else:
            path.write_bytes(content)

        done = mindweave(home, "load", "--path", transcript, MINDWEAVE_WAREHOUSE=str(path))

        assert str(path) in fails(done)
        assert content is None or path.read_bytes() == content

    def test_a_second_run_at_the_same_time_says_so(self, filled, transcript):
        warehouse = warehouse_at(home_settings(filled).warehouse_url)
        holder = (
            "import sys; from filelock import FileLock\n"
            "with FileLock(sys.argv[1]): print('held', flush=True); sys.stdin.read()"
        )
        lock = filled / "locks" / f"{warehouse.identity}.lock"
        lock.parent.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-c", holder, lock],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        message = fails(mindweave(filled, "load", "--path", transcript))
        process.communicate("")

        assert "another run of customer local is writing to" in message
        assert "wait until it is done" in message
        succeeds(mindweave(filled, "load", "--path", transcript))

    def test_two_loads_started_together_land_everything_once(self, home, transcript):
        both = [
            subprocess.Popen(
                [MINDWEAVE, "load", "--path", transcript],
                env=command_environment(home),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        printed = [process.communicate(timeout=60) for process in both]

        for process, (_, stderr) in zip(both, printed, strict=True):
            if process.returncode:
                assert "another run of customer local" in stderr
                assert_one_line(stderr)
        assert 0 in {process.returncode for process in both}
        assert rows(home_settings(home), "select count(*) from {raw}.loads") == [(1,)]

    def test_a_full_disk_is_said_and_the_next_run_goes_on(self, home, transcript):
        append(transcript, *(answer(number) for number in range(3, 2000)))
        home.mkdir()
        script = f"""
            mount -t tmpfs -o size=200k tmpfs '{home}' || exit 77
            '{MINDWEAVE}' load --path '{transcript}'; echo "status $?"
            mount -o remount,size=200m '{home}' || exit 77
            '{MINDWEAVE}' load --path '{transcript}'; echo "status $?"
            cp '{home}/mindweave.duckdb' '{home}.duckdb'
        """
        # in a mount namespace of its own, which is gone with the process
        done = subprocess.run(
            ["unshare", "--mount", "--map-root-user", "sh", "-c", script],
            env=command_environment(home),
            capture_output=True,
            text=True,
        )
        if done.returncode == 77 or "unshare" in done.stderr:
            pytest.skip("a small disk cannot be mounted here: that takes a namespace of our own")

        assert_one_line(done.stderr)
        assert f"no space left on the disk of {home}" in done.stderr
        statuses = [line for line in done.stdout.splitlines() if line.startswith("status")]
        assert statuses == ["status 1", "status 0"]
        with duckdb.connect(f"{home}.duckdb") as connection:
            assert connection.execute(
                MESSAGE_COUNT.format(raw="customer_local_raw")
            ).fetchone() == (1999,)


class TestStackTraces:
    def test_only_debug_shows_where_an_error_came_from(self, home):
        plain, debug = (
            mindweave(home, *options, "load", "--path", "nowhere") for options in ([], ["--debug"])
        )

        assert "Traceback" not in plain.stderr
        assert "Traceback" in debug.stderr
        assert debug.returncode == plain.returncode == 1
        assert "no transcripts found" in debug.stderr

    def test_an_interrupt_is_one_line_and_what_was_loaded_stays(self, filled, transcript):
        append(transcript, *(answer(number) for number in range(3, 20_000)))
        process = subprocess.Popen(
            [MINDWEAVE, "load", "--path", transcript],
            env=command_environment(filled),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 30
        landing = filled / "landing" / "local-claude_code"
        while not landing.exists() and time.monotonic() < deadline:
            time.sleep(0.001)
        process.send_signal(2)
        _, stderr = process.communicate(timeout=60)

        assert process.returncode == 130
        assert_one_line(stderr)
        assert "stopped; what was loaded stays, the next run goes on from there" in stderr
        succeeds(mindweave(filled, "load", "--path", transcript))
        assert message_count(filled) == 19_999


def as_anybody(home, *arguments):
    """Run the command with no right to read what is closed to it, which root otherwise has."""

    def give_up_rights():
        for right in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            if ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, right, 0, 0, 0):
                os._exit(77)

    done = subprocess.run(
        [MINDWEAVE, *arguments],
        env=command_environment(home),
        capture_output=True,
        text=True,
        preexec_fn=give_up_rights if os.geteuid() == 0 else None,  # noqa: PLW1509
    )
    if done.returncode == 77:
        pytest.skip("root cannot give up its right to read everything here")
    return done


def test_the_pseudonym_of_a_person_is_the_one_that_lands(tmp_path, monkeypatch, capsys):
    from dlt_pipelines.privacy import customer_key
    from flows.cli import pseudonym

    monkeypatch.setenv("MINDWEAVE_HOME", str(tmp_path))

    pseudonym(["Dana@Example.com", "dana"], customer="local")

    key = customer_key(tmp_path, "local")
    assert capsys.readouterr().out.splitlines() == [
        f"{key.person('dana@example.com')} Dana@Example.com",
        f"{key.person('dana')} dana",
    ]
