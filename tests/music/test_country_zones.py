"""Countries with one clock, against facts that anybody can look up."""

from __future__ import annotations

import pytest

from music.country_zones import zones_of_countries


@pytest.mark.parametrize(
    ("country", "zone"),
    [
        ("JP", "Asia/Tokyo"),
        ("IN", "Asia/Kolkata"),
        ("NP", "Asia/Kathmandu"),
        ("FR", "Europe/Paris"),
        ("GB", "Europe/London"),
        ("NO", "Europe/Oslo"),
        ("VN", "Asia/Ho_Chi_Minh"),
        # Busingen has shown Berlin's time for decades.
        ("DE", "Europe/Berlin"),
        ("MY", "Asia/Kuala_Lumpur"),
    ],
)
def test_a_country_with_one_clock_has_its_zone(country: str, zone: str) -> None:
    assert zones_of_countries()[country] == zone


@pytest.mark.parametrize("country", ["US", "BR", "AU", "RU", "CA", "MX", "ES", "PT", "ID", "CL", "AR"])
def test_a_country_with_several_clocks_has_none(country: str) -> None:
    assert zones_of_countries()[country] is None


def test_zz_is_no_country() -> None:
    assert "ZZ" not in zones_of_countries()
