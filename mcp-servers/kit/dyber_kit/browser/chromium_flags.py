"""Holds the arguments with which the pool starts Chromium."""

from __future__ import annotations

_ALWAYS = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-breakpad",
    "--no-first-run",
    "--mute-audio",
    "--renderer-process-limit=2",
)
_NO_IMAGES = "--blink-settings=imagesEnabled=false"
#: The lists under the address bar, which nobody sees here. Chromium loads them for every page, as pages of their own in
#: a process of their own, which takes more processor time than most pages.
_ADDRESS_BAR_LISTS = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup")
#: The features that Playwright disables. They are repeated here because Chromium obeys only its last list of features.
_DISABLED_BY_PLAYWRIGHT = (
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "DialMediaRouteProvider",
    "GlobalMediaControls",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
    "BlockOriginHeaderModificationOnRedirect",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "Translate",
    "AutoDeElevate",
    "OptimizationHints",
    "NetworkTimeServiceQuerying",
    "AimEnabled",
    "msForceBrowserSignIn",
    "msEdgeUpdateLaunchServicesPreferredVersion",
)


def chromium_flags(*, images: bool) -> list[str]:
    """Return the arguments for Chromium, besides Playwright's; `images` says whether pictures are loaded."""
    features = ",".join((*_DISABLED_BY_PLAYWRIGHT, *_ADDRESS_BAR_LISTS))
    flags = [*_ALWAYS, f"--disable-features={features}"]
    return flags if images else [*flags, _NO_IMAGES]
