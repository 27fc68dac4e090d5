"""The wheel has the web app in it: where it is not built yet, it is built now, if there is Node."""

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WebappHook(BuildHookInterface):  # type: ignore[type-arg]
    """Asked before a wheel is made; an editable install takes what is there."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, or say why not: a wheel without the app would surprise somebody."""
        app = Path(self.root, "src/postroad/web/app/index.html")
        if version == "editable" or app.exists():
            return
        bundle = runpy.run_path(str(Path(self.root, "webapp/bundle.py")))
        try:
            bundle["build"]()
        except bundle["NoNode"] as error:
            raise SystemExit(f"the web app is not built (make webapp builds it): {error}") from None
