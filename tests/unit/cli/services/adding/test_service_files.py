"""The service.yaml of a server of others is written from what is asked for."""

from __future__ import annotations

import pytest

from cli.services.adding.service_files import Choices, service_content
from cli.services.importing.requests import SourceRequest


@pytest.mark.parametrize(
    ("variable", "wanted", "listens"), [("PORT", 8080, 8080), ("PORT", 8010, 3000), ("", 8010, 8010)]
)
def test_a_program_that_is_told_its_port_makes_way_for_the_service_itself(
    variable: str, wanted: int, listens: int
) -> None:
    request = SourceRequest(
        package="weather", transport="streamable-http", child_port=wanted, child_path="/", port_variable=variable
    )
    choices = Choices("weather", 8010, "Weather", internet=False)
    source = service_content(request, choices, "weather@1.0.0", "weather", {})["source"]
    assert (source["listens"], source.get("port_variable", "")) == (listens, variable)
