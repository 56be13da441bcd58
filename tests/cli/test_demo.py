"""The demo without a server: a shop, a trained model, and a slate that three views move."""

from __future__ import annotations

import socket

from bespeak.cli.storefront import DemoShop


def test_three_views_move_the_slate_with_reasons_and_a_second_run_goes_on(tmp_path, run):
    folder = tmp_path / "shop"
    first = run("demo", "--no-serve", "--people", 60, "--project", folder, "--json")
    assert "starts with consent granted" in first.err
    before, after, events = first.json["before"], first.json["after"], first.json["events"]
    category = events[0]["properties"]["category"]
    viewed = {event["properties"]["product_id"] for event in events}

    def n_in(slate):
        return sum(item["properties"]["attributes"]["category"] == category for item in slate["items"])

    assert len(viewed) == 3
    assert before["mode"] == after["mode"] == "profiled"
    assert n_in(after) > n_in(before)
    assert not viewed & {item["id"] for item in after["items"]}
    assert any(category in reason["text"] for item in after["items"] for reason in item["reasons"])
    held = DemoShop.read(folder)
    assert held is not None
    assert held.n_people == 60
    again = run("demo", "--no-serve", "--project", folder)
    assert "Going on with the shop" in again.err
    assert "Before" in again.out
    assert "After" in again.out
    assert (folder / "keys" / "demo.json").stat().st_mode & 0o077 == 0


def test_another_project_is_not_taken_for_a_demo(project, run):
    assert "not a demo" in run("demo", "--no-serve", "--project", project, expect=1).err


def test_a_port_that_is_taken_is_refused_before_a_shop_is_made(tmp_path, run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = run("demo", "--port", taken.getsockname()[1], "--project", tmp_path / "shop", expect=1).err
    assert "Address already in use" in said
    assert not (tmp_path / "shop").exists()
