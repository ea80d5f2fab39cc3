"""The example settings, and the README's promise to be short."""

from __future__ import annotations

import re
from pathlib import Path

from bi.settings import BISettings
from bi.trino import registration
from polling.accounts import AccountSettings
from polling.settings import MetadataSettings, SpotifySettings
from scheduling.settings import SchedulerSettings
from service.settings import ServiceSettings
from service.webhook_settings import WebhookSettings
from streaming.settings import StreamSettings
from upkeep.settings import UpkeepSettings

ROOT = Path(__file__).resolve().parent.parent


def test_the_example_settings_name_every_setting() -> None:
    named = set(re.findall(r"^#?([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    wanted = {
        str(field.validation_alias or f"{settings.model_config.get('env_prefix')}{name.upper()}")
        for settings in (
            AccountSettings,
            MetadataSettings,
            SpotifySettings,
            SchedulerSettings,
            ServiceSettings,
            WebhookSettings,
            UpkeepSettings,
            StreamSettings,
            BISettings,
        )
        for name, field in settings.model_fields.items()
    }
    # The last is read by docker-compose.yml alone.
    assert named == {*wanted, *registration.NAMES, "TRINO_JAVA_HOME", "LAKEHOUSE_CPUS"}


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 950
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith(("http", "#"))]
    assert [link for link in links if not (ROOT / link).exists()] == []
