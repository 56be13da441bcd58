"""What holds for every command: help, exit status, streams, and what bad input is answered with."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys

import pytest
from rich.text import Text
from typer.core import TyperGroup

from bespeak.cli.app import program
from bespeak.cli.on_demand import with_all


def paths(command, before=()):
    """Every command as the words that call it."""
    for name, inner in getattr(command, "commands", {}).items():
        if getattr(inner, "commands", None):
            yield from paths(inner, (*before, name))
        else:
            yield (*before, name)


ALL = sorted(paths(with_all(program())))


def test_the_commands_are_those_of_the_design():
    wanted = {
        "apply", "backup", "config pull", "decide", "demo", "doctor", "evaluate", "export", "import", "init",
        "privacy erase", "privacy export", "profile", "rejects list", "rejects replay", "report", "restore",
        "segment list", "segment members", "serve", "simulate", "train", "work",
    }  # fmt: skip
    assert wanted <= {" ".join(path) for path in ALL}


def lines(group, before=()):
    """Words that call a command or a group of them -> the line that it is listed with."""
    for name, command in group.commands.items():
        yield (*before, name), " ".join(command.help.partition("\n\n")[0].split())
        if isinstance(command, TyperGroup):
            yield from lines(command, (*before, name))


def test_the_line_that_stands_for_a_command_is_the_first_of_its_own_help():
    said = dict(lines(with_all(program())))
    for words, line in lines(program()):
        assert line == said[words], f"cli/app.py lists `bespeak {' '.join(words)}` with another line"


def helps(group):
    """Every text that a help shows."""
    for command in group.commands.values():
        yield command.help
        yield from (parameter.help for parameter in command.params if getattr(parameter, "help", None))
        if isinstance(command, TyperGroup):
            yield from helps(command)


def test_no_word_of_a_help_is_taken_for_markup_and_left_out():
    for text in helps(with_all(program())):
        assert Text.from_markup(text).plain == text


def test_the_commands_are_listed_without_importing_any(run):
    program = (
        "import sys; from bespeak.cli.app import program\n"
        "program()(['--help'], standalone_mode=False)\n"
        "assert not {'bespeak.engine', 'numpy', 'bespeak.cli.demo'} & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(name in done.stdout for name in ("demo", "import", "measure", "config"))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_a_command_says_what_it_does(path, run):
    said = run(*path, "--help").out
    assert f"bespeak {' '.join(path)}" in said
    assert len(said.split("\n\n")) >= 2


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_a_command_refuses_an_option_it_does_not_have(path, run):
    ran = run(*path, "--no-such-option", expect=2)
    assert ran.out == ""
    assert "--no-such-option" in ran.err


def test_without_a_project_the_way_to_one_is_shown(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    ran = run("profile", "u1", expect=1)
    assert ran.out == ""
    assert ran.err.startswith("Error: ")
    assert "bespeak init DIR" in ran.err


def test_a_project_is_found_upwards_and_by_its_option(project, run, monkeypatch, tmp_path):
    (project / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(project / "deep" / "er")
    assert run("report", "--json").json["n_events"] == 0
    monkeypatch.chdir(tmp_path)
    assert run("report", "--json", "--project", project).json["n_events"] == 0


def test_init_prints_keys_once_and_keeps_no_secret(tmp_path, run):
    shown = run("init", tmp_path / "shop", "--json").json
    text = (tmp_path / "shop" / "bespeak.toml").read_text()
    assert shown["keys"]["write_key"] in text
    for name in ("server_key", "secret_key", "token_private_key"):
        assert shown["keys"][name] not in text
    assert shown["keys"]["write_key"] in shown["scriptTag"]
    assert "holds a project already" in run("init", tmp_path / "shop", expect=1).err


def test_a_changed_file_is_announced_until_it_is_applied(project, run):
    config = project / "bespeak.toml"
    config.write_text(config.read_text().replace("[segments]", '[segments]\nkeen = "orders >= 1"'))
    ran = run("segment", "list", "--json")
    assert ran.json == {"segments": []}
    assert "differs from what is active" in ran.err
    assert "+keen" in run("apply", "--dry-run").out
    assert run("apply", "--json").json["applied"] is True
    ran = run("segment", "list", "--json")
    assert ran.err == ""
    assert [s["name"] for s in ran.json["segments"]] == ["keen"]
    assert run("apply", "--json").json["applied"] is False
    assert run("segment", "members", "keen", "--json").json["members"] == []
    assert "There is no segment 'ken'" in run("segment", "members", "ken", expect=1).err


def test_config_pull_writes_back_what_is_active(project, run):
    config = project / "bespeak.toml"
    before = config.read_text()
    config.write_text(before.replace("# Bespeak project.", "# Another project."))
    assert "--yes" in run("config", "pull", expect=1).err
    run("config", "pull", "--yes")
    assert config.read_text() == before


def test_a_wrong_setting_is_named_with_file_key_and_what_is_allowed(project, run):
    config = project / "bespeak.toml"
    config.write_text(config.read_text().replace("[train]", '[train]\nevry = "6h"'))
    ran = run("report", expect=1)
    assert "bespeak.toml: train.evry" in ran.err
    assert "every" in ran.err


def test_a_file_that_cannot_be_read_is_named(project, run):
    assert "nothing.csv cannot be read" in run("import", "events", "nothing.csv", expect=1).err


def test_a_missing_column_lists_those_there_are(project, run):
    (project / "e.csv").write_text("who,what\nu1,p1\n")
    ran = run("import", "events", "e.csv", "--map", "user=customer,item=what", expect=1)
    assert "there is no column 'customer'" in ran.err
    assert "who, what" in ran.err


def test_malformed_lines_are_reported_by_number_and_cost_only_themselves(project, run):
    rows = ["user_id,product_id,timestamp", *(f"u{i},p{i % 7},{1_760_000_000 + i}" for i in range(50))]
    rows[20] = "u20,p1,yesterday"
    rows[30] = "u30,p1,1760000000,too,many"
    (project / "e.csv").write_text("\n".join(rows) + "\n")
    ran = run("import", "events", "e.csv", "--json")
    report = ran.json["files"][0]
    assert (report["accepted"], report["rejected"]) == (48, 2)
    assert [line["line_number"] for line in report["rejects"]] == [21, 31]
    listed = run("rejects", "list", "--json").json
    assert sum(listed["counts"].values()) == 2
    assert {r["line_number"] for r in listed["rejects"]} == {21, 31}
    assert "invalid_timestamp" in run("rejects", "list").out


def test_an_item_without_an_id_is_rejected_and_its_neighbours_are_kept(project, run):
    (project / "i.csv").write_text("id,title\np1,One\n,Two\np3,Three\n")
    report = run("import", "items", "i.csv", "--json").json["files"][0]
    assert (report["accepted"], report["rejected"]) == (2, 1)
    assert report["rejects"][0]["line_number"] == 3


def test_unknown_names_are_answered_with_the_known_ones(project, run):
    assert "Did you mean 'home'?" in run("decide", "hom", expect=1).err
    assert "There is no column 'colour'" in run("decide", "home", "--filter", "colour = 'x'", expect=1).err
    for command in ("decide", "home"), ("page", "front"):
        assert "There is no market 'de'.\nKnown: default." in run(*command, "--market", "de", expect=1).err
    (project / "e.csv").write_text("user,item\nu1,p1\n")
    assert "There is no source 'we'" in run("import", "events", "e.csv", "--source", "we", expect=1).err
    assert "end it in" in run("export", "events", "--out", "x.txt", expect=1).err.lower()


def test_exports_are_complete_and_are_not_replaced_unasked(project, run, film_files):
    run("import", "events", film_files / "ratings.csv")
    assert run("export", "events", "--out", "e.jsonl", "--json").json["rows"] == 960
    first = json.loads((project / "e.jsonl").read_text().splitlines()[0])
    assert {"messageId", "person", "userId", "source"} <= first.keys()
    assert "there already" in run("export", "events", "--out", "e.jsonl", expect=1).err
    assert run("export", "profiles", "--out", "p.parquet", "--json").json["rows"] == 60


def test_doctor_passes_a_fresh_project_and_fails_one_full_of_rejects(project, run):
    assert {c["status"] for c in run("doctor", "--json").json["checks"]} <= {"PASS", "WARN"}
    (project / "e.csv").write_text("user,item,timestamp\n" + "u1,p1,never\n" * 20)
    run("import", "events", "e.csv", "--map", "user=user,item=item,timestamp=timestamp", expect=1)
    ran = run("doctor", "--json", expect=1)
    assert any(c["status"] == "FAIL" and "invalid_timestamp" in c["message"] for c in ran.json["checks"])
    assert "FAIL" in run("doctor", expect=1).out


def test_the_installed_command_answers_with_its_version():
    program = "import sys; from bespeak.cli import main; main(sys.argv[1:])"
    done = subprocess.run([sys.executable, "-c", program, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("bespeak ")


def test_the_package_runs_as_the_command(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["bespeak", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("bespeak", run_name="__main__")
    assert not ended.value.code
    assert capsys.readouterr().out.startswith("bespeak ")


@pytest.mark.parametrize(
    ("command", "place", "said"),
    [
        (("import", "events", "../events.csv"), "bespeak.cli.data.import_file", "the same command goes on"),
        (("train",), "bespeak.engine.training.models.Models.train", "The models in use stay"),
    ],
)
def test_a_command_that_is_stopped_says_what_it_leaves(project, run, monkeypatch, command, place, said):
    (project.parent / "events.csv").write_text("user,item\nann,p1\n", encoding="utf-8")

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(place, stopped)
    ran = run(*command, expect=130)
    assert "Stopped. " in ran.err
    assert said in ran.err
    assert ran.out == ""
