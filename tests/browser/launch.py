"""Debian's chromium, driven by playwright."""

from playwright.async_api import Browser, Playwright

CHROMIUM = "/usr/bin/chromium"
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=IsolateSandboxedIframes",  # a process for each frame, which takes a while
)


async def launch(playwright: Playwright) -> Browser:
    """Start one, without a window."""
    return await playwright.chromium.launch(executable_path=CHROMIUM, args=list(_ARGUMENTS))
