"""Both pages as the documentation shows them. The pictures are kept when WEB_IMAGES names a
folder."""

import os
import pathlib
import struct

import pytest
from test_operator import look, rows

BYTES_MAXIMUM = 200_000


@pytest.fixture
def keep(tmp_path):
    folder = pathlib.Path(os.environ.get("WEB_IMAGES") or tmp_path)

    def keep(page, name, width, height, dark=False):
        page.size(width, height, dark)
        # What moves, as it is in the end.
        page.run(
            "for (const each of document.getAnimations()) {"
            "  if (each.effect.getComputedTiming().endTime < Infinity) each.finish();"
            "}")
        data = page.use().get_screenshot_as_png()
        assert struct.unpack(">II", data[16:24]) == (width, height)
        assert len(data) < BYTES_MAXIMUM
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes(data)

    return keep


def test_images(start, chat, operator, keep):
    daemon = start()
    anna = chat(daemon, "anna", to="bert").connected()
    bert = chat(daemon, "bert", to="anna").connected()
    watch = operator(daemon)
    carla = chat(daemon, "carla", to="anna").connected()
    anna.say("Good morning, Bert. Did the parcel arrive?")
    bert.shows(["Good morning, Bert. Did the parcel arrive?"])
    bert.say("It did, an hour ago. Thank you!", "The tea smells wonderful.")
    anna.settles("acknowledged", 2, is_mine=False)
    anna.say("Then put the kettle on, I shall be there at four.")
    carla.say("Are you coming on Thursday?")
    anna.settles("accepted", 2)
    anna.until(
        lambda: anna.run("return document.querySelector('#peers .unread')"), "Carla is unread")
    anna.find("#switch").click()
    anna.say("If the bus is on time, that is.")
    anna.settles_as(["accepted", "accepted", "waiting"])
    keep(anna, "chat", 1_200, 720)
    keep(anna, "chat-dark", 1_200, 720, dark=True)
    anna.run("document.getElementById('wire').open = false")
    keep(anna, "chat-narrow", 390, 720)
    # Something to be seen in the figures; more of it when the pictures are kept.
    count = 1
    for round in range(40 if os.environ.get("WEB_IMAGES") else 4):
        size = 8 + 3 * (round * round % 7)
        carla.burst(*(f"{round}.{number}" for number in range(size)))
        count += size
        carla.settles("accepted", count)
    watch.until(lambda: watch.text("#state") == "live", "the figures are live")
    look(watch, "anna")
    watch.until(lambda: len(rows(watch, "mailboxes")) == 2, "two wrote")
    watch.run("document.querySelector('[data-sender=carla] button').click()")
    watch.until(lambda: len(rows(watch, "messages")) == 20, "her messages are there")
    keep(watch, "operator", 1_200, 900)
    keep(watch, "operator-dark", 1_200, 900, dark=True)
    keep(watch, "operator-narrow", 390, 900)
