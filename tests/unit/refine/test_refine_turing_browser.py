"""A person, played by the test, takes the visual Turing test in a real browser."""

import json
import time

import pytest
from refine_browser import NAMES, Browser, find_browser
from scipy.stats import binomtest
from turing_builders import looks_made, pile

from stages.refine.answers import read_answers
from stages.refine.turing import write_turing_page

pytestmark = pytest.mark.skipif(find_browser() is None, reason=f"no browser on PATH: none of {', '.join(NAMES)}")
ASKED = 6
COUNTS = [(0, 1), (1, 1), (0, 10), (5, 10), (10, 10), (61, 100), (50, 100), (162, 200), (517, 1000), (483, 1000)]


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "turing.html"
    write_turing_page(path, pile(20, False), pile(20, True), name="noise", images=ASKED)
    return path


@pytest.fixture
def browser(tmp_path, page):
    found = Browser(find_browser(), tmp_path)
    try:
        found.open(page)
        yield found
    finally:
        found.close()


def begin(browser, name):
    browser.click("#name")
    browser.type(name)
    browser.press("Enter")
    assert browser.visible("#examples")
    browser.click("#begin")


def image(browser):
    return browser.run("document.querySelector('#image').src")


def give(browser, act, argument):
    """One answer, when the page takes it: it lets an image stand for a fifth of a second at least."""
    time.sleep(0.25)
    act(argument)


def answer(browser, number):
    """Answer image `number` as seen, but wrong every fourth time; by mouse and keys in turn. Returns (made, said)."""
    assert browser.text("#progress") == f"{number + 1} of {2 * ASKED}"
    made = looks_made(image(browser))
    said = made != (number % 4 == 3)
    acts = [
        (browser.click, ("#say-real", "#say-made")),
        (browser.press, ("ArrowLeft", "ArrowRight")),
        (browser.press, ("r", "m")),
    ]
    act, choices = acts[number % 3]
    give(browser, act, choices[said])
    return made, said


def finish(browser, first=0):
    return [answer(browser, number) for number in range(first, 2 * ASKED)]


def fits(browser):
    return browser.run("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_whole_test_is_taken_resumed_saved_and_read_back(browser, page):
    begin(browser, "Ann B.")
    given = [answer(browser, number) for number in range(5)]
    before = image(browser)
    browser.reload(page)
    assert (image(browser), browser.text("#progress")) == (before, "6 of 12")
    given += finish(browser, first=5)
    right = sum(made == said for made, said in given)
    assert browser.text("#score") == f"{right} of 12 right" == "9 of 12 right"
    expected = binomtest(9, 12, alternative="greater").pvalue
    assert float(browser.run("document.querySelector('#p').value")) == pytest.approx(expected, rel=1e-9)
    assert browser.text("#p") == f"{expected:#.3g}" == "0.0730"
    low, high = binomtest(9, 12).proportion_ci()
    assert browser.text("#interval") == f"{100 * low:.1f} to {100 * high:.1f} %"
    shown = [int(browser.text(f"#{truth}-{said}")) for truth in ("real", "made") for said in ("real", "made")]
    assert shown == [given.count((made, said)) for made in (False, True) for said in (False, True)]

    browser.click("#download")
    (file,) = browser.downloaded(1)
    assert file.name.startswith("answers-refined-ann-b-")
    pooled = read_answers([file])
    assert list(pooled.counts.values()) == shown
    assert pooled.people[0].subject == "Ann B."
    assert [(one.truth == "made", one.answer == "made") for one in pooled.people[0].answers] == given
    assert pooled.score.p_value == pytest.approx(expected)


def test_the_next_person_sees_another_order_and_both_files_are_pooled(browser, page):
    orders = []
    for name in ("1", "2"):
        begin(browser, name)
        orders.append(browser.run("JSON.stringify(orderOf(store.current))"))
        finish(browser)
        browser.click("#download")
        browser.downloaded(len(orders))
        browser.click("#next")
        assert browser.visible("#start")
    assert orders[0] != orders[1]
    pooled = read_answers(browser.downloaded(2))
    assert (len(pooled.people), pooled.score.total, pooled.score.right) == (2, 24, 18)
    browser.click("#name")
    browser.type("1")
    browser.press("Enter")
    assert browser.text("#score") == "9 of 12 right"  # what that person did before


def question(browser, number):
    """The HTML of the question, but for the image and its number."""
    html = browser.run("document.querySelector('#question').outerHTML")
    for part in (image(browser), f"{number + 1} of {2 * ASKED}", f'value="{number}"'):
        assert part in html
        html = html.replace(part, "")
    return html


def test_nothing_is_told_before_the_end(browser):
    begin(browser, "Ann")
    seen = []
    for number in range(4):
        seen.append(question(browser, number))
        answer(browser, number)
        assert not browser.run("document.querySelector('#question').matches(':has(button:focus)')")
    assert len(set(seen)) == 1
    assert set(json.loads(browser.run("localStorage.getItem(KEY)"))["runs"][0]) == {"subject", "answers"}
    assert not browser.visible("#result")


def test_a_browser_that_keeps_nothing_says_so_and_the_test_goes_on(browser):
    browser.run("Storage.prototype.setItem = () => { throw new Error('full'); }")
    begin(browser, "Ann")
    assert browser.visible("#unsaved")
    finish(browser)
    assert browser.text("#score") == "9 of 12 right"


def test_double_clicks_and_held_keys_answer_once(browser):
    begin(browser, "Ann")
    give(browser, browser.click, "#say-real")
    browser.click("#say-real")
    assert browser.text("#progress") == "2 of 12"
    time.sleep(0.25)
    browser.press("m", repeated=True)
    assert browser.text("#progress") == "2 of 12"
    browser.press("m")
    assert browser.text("#progress") == "3 of 12"


def test_the_tab_and_enter_keys_suffice(browser):
    browser.click("#name")
    browser.type("Ann")
    browser.press("Enter")
    browser.click("#begin")
    for key in ("Tab", "Tab"):
        browser.press(key)
    for _ in range(2 * ASKED):
        assert browser.run("document.activeElement.id") == "say-made"
        give(browser, browser.press, "Enter")
    assert browser.text("#score") == "6 of 12 right"
    assert [browser.text(f"#{truth}-made") for truth in ("real", "made")] == ["6", "6"]


def test_a_test_needs_a_name(browser):
    browser.click("#name")
    browser.type("   ")
    browser.press("Enter")
    assert browser.visible("#start")


def test_chance_is_computed_as_scipy_does(browser):
    for right, total in COUNTS:
        expected = binomtest(right, total, alternative="greater").pvalue
        assert browser.run(f"pValue({right}, {total})") == pytest.approx(expected, rel=1e-9)
        low, high = binomtest(right, total).proportion_ci()
        assert browser.run(f"interval({right}, {total})") == pytest.approx([low, high], abs=1e-9)


def test_orders_are_fair_permutations(browser):
    orders = browser.run("Array.from({ length: 2400 }, (_, i) => orderOf(String(i)))")
    assert all(sorted(order) == list(range(2 * ASKED)) for order in orders)
    for place in range(2 * ASKED):
        found = [sum(order[place] == number for order in orders) for number in range(2 * ASKED)]
        assert all(130 < count < 270 for count in found)  # 200, give or take 5 deviations of 13.5
    assert browser.run("orderOf('Ann').join() === orderOf('Ann').join()")


@pytest.mark.parametrize(("width", "height"), [(1000, 800), (375, 700)])
def test_every_screen_fits_and_nothing_is_fetched(browser, page, width, height):
    browser.resize(width, height)
    assert fits(browser)
    begin(browser, "Ann")
    assert fits(browser)
    bottom = browser.run("document.querySelector('#say-made').getBoundingClientRect().bottom")
    assert bottom <= height  # image and buttons at once, without scrolling
    finish(browser)
    assert fits(browser)
    assert browser.run("document.activeElement.id") == "score"
    requests = [e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"]
    assert requests
    assert {url.partition(":")[0] for url in requests} <= {"file", "data"}
    assert not [e for e in browser.events if e["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")]
