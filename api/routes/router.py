"""Router of a resource of the memory, and ids of operations."""

from fastapi import APIRouter, Security
from fastapi.routing import APIRoute

from foxing.api.bodies import BodyRoute
from foxing.api.openapi.document import V1_STATUSES, bearer, problem_responses


def operation_name(route: APIRoute) -> str:
    """Returns the id of an operation: the name of its function."""
    return route.name


def memory_router(prefix: str, tag: str, route_class: type[APIRoute] = BodyRoute) -> APIRouter:
    """Returns the router of a resource of the memory, whose operations take an API key and share these problems.
    They belong to the routes, which all applications of a process have in common: to derive them for each, as
    `include_router` does, takes a twentieth of a second."""
    return APIRouter(
        prefix=prefix,
        tags=[tag],
        route_class=route_class,
        dependencies=[Security(bearer)],
        responses=problem_responses(*V1_STATUSES),
        generate_unique_id_function=operation_name,
    )
