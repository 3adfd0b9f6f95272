"""The page in a real headless browser; pictures of it go to build/pictures."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bulk_update.sandbox import Conduct, Limits, Sandbox, Store, open_sandbox, read_faults
from bulk_update.sandbox.page import page as page_text
from bulk_update.sandbox.records import seed_record
from tests.sandbox.browser import CHROMIUM, Page, open_page
from tests.sandbox.requests import HEADERS

PICTURES = Path(__file__).parents[2] / "build" / "pictures"
BIG = "123456789012345678901234567890"

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="NO CHROMIUM: the page is not tested in a browser")


def seed(store: Store) -> None:
    for number in range(60):
        line = {
            "organizationId": ("acme-design", "northwind")[number % 2],
            "id": f"comment-{number:03d}",
            "featureType": "comment",
            "actionType": "comment.add",
            "actionUser": {"userId": "user-4", "name": "José Nuñez <script>alert(1)</script>"},
            "displayMessageTemplate": "{{user}} added a comment",
        }
        store.put([seed_record(json.dumps(line).encode())])


async def send(sandbox: Sandbox, *activities: dict[str, object], organization: str = "acme-design") -> None:
    body = json.dumps({"data": {"organizationId": organization, "activities": activities}})
    body = body.replace('"BIG"', BIG)
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        try:
            await session.post(f"{sandbox.url}/v2/activities/update", data=body)
        except aiohttp.ClientError:
            return  # a fault


@pytest.fixture
async def sandbox(store: Store) -> AsyncIterator[Sandbox]:
    seed(store)
    conduct = Conduct(limits=Limits(), faults=read_faults("flaky", 3))
    async with open_sandbox(store, conduct=conduct) as opened:
        yield opened


def test_the_page_names_no_other_place() -> None:
    text = page_text().decode()
    assert "//" not in text.replace("// ", "").replace("data:,", "")
    assert "/* STYLE */" not in text
    assert "/* SCRIPT */" not in text


@needs_chromium
async def test_records_requests_faults_and_violations_are_seen(sandbox: Sandbox) -> None:
    for number in range(0, 40, 2):
        icon = {"actionIcon": f"https://cdn.example.com/{number}.svg", "entityData": {"n": "BIG"}}
        await send(sandbox, {"id": f"comment-{number:03d}", **icon}, {"id": "missing", "actionIcon": "x"})
    await send(
        sandbox, {"id": "comment-000", "changes": {"status": {"from": "open", "to": "done"}}}, {"id": "comment-000"}
    )
    async with open_page(f"{sandbox.url}/_sandbox/") as page:
        await page.until("document.querySelectorAll('#log tr').length >= 20")
        await page.until("document.querySelectorAll('#found button').length === 60")
        await search(page)
        await inspect(page)
        assert await page.run("document.querySelector('#kinds li:nth-child(2) b').textContent") == "1"
        await pictures(page)
        await page.run("[...document.querySelectorAll('#presets button')].find(b => b.textContent === 'slow').click()")
        await page.until("document.querySelectorAll('#presets [aria-pressed=true]').length === 2")
        assert sandbox.service.chooser.faults.name == "flaky+slow"
        await page.run("[...document.querySelectorAll('#presets button')].find(b => b.textContent === 'none').click()")
        await page.until("document.querySelector('#presets [aria-pressed=true]').textContent === 'none'")
        assert sandbox.service.chooser.faults.rules == ()
        seen = await page.run("document.querySelector('#log td').textContent")
        await send(sandbox, {"id": "comment-001", "actionIcon": "new"}, organization="northwind")
        await page.until(f"document.querySelector('#log td').textContent !== '{seen}'")
        await page.run("window.confirm = () => true; document.getElementById('reset').click()")
        await page.until("document.querySelector('#counts b').textContent === '0'")
        assert page.errors == []
        assert [url for url in page.requested if not url.startswith((f"{sandbox.url}/_sandbox/", "data:"))] == []


async def search(page: Page) -> None:
    await page.run("const t = document.getElementById('text'); t.value = '-00'; t.dispatchEvent(new Event('input'))")
    await page.until("document.querySelectorAll('#found button').length === 10")


async def inspect(page: Page) -> None:
    """Inspect the record that was changed twice: what it is, and what each request made of it."""
    await page.run("document.querySelector('#found button').click()")
    await page.until("document.querySelectorAll('#inspected .event').length >= 3")
    text = await page.run("document.getElementById('inspected').innerText")
    assert BIG in text
    assert "by request #1," in text
    assert "by a seed" in text
    assert "<script>alert(1)</script>" in text


async def pictures(page: Page) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, width, height, scheme in [
        ("light", 1400, 1200, "light"),
        ("dark", 1400, 1200, "dark"),
        ("tablet", 900, 1300, "light"),
        ("phone", 390, 844, "dark"),
    ]:
        await page.picture(PICTURES / f"{name}.png", width=width, height=height, scheme=scheme)
        fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert await page.run(fits), f"{name} scrolls sideways"
