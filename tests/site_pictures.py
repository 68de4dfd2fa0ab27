"""Takes the README's pictures of a published site: python -m tests.site_pictures FOLDER."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.e2e.test_site import BROWSER_SETTINGS, BROWSERS, serve

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
SIZES = {"overview": (1440, 1000), "overview-phone": (390, 940)}


def take_pictures(site: Path) -> None:
    executable = next(filter(None, map(shutil.which, BROWSERS)))
    with sync_playwright() as playwright, serve(site) as url:
        browser = playwright.chromium.launch(executable_path=executable, args=BROWSER_SETTINGS)
        for name, (width, height) in SIZES.items():
            page = browser.new_page(viewport={"width": width, "height": height})
            page.goto(url, wait_until="networkidle")
            page.screenshot(path=IMAGES / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    take_pictures(Path(sys.argv[1]))
