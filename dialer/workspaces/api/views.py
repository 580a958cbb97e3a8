"""The base of every view: key, scope, throttle, one shape of errors, and rows of the key's workspace only."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar, cast
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSetMixin

from dialer.workspaces.api.authentication import HasScope, KeyAuthentication
from dialer.workspaces.api.errors import NO_FIELD, InvalidFields
from dialer.workspaces.api.fields import InstantField, form_of_id
from dialer.workspaces.api.pagination import NAMES, KeysetPagination
from dialer.workspaces.api.parser import StrictJSONParser
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.schema import Schema
from dialer.workspaces.api.serializers import Filters, Nothing, Strict
from dialer.workspaces.api.throttling import Allowance, KeyThrottle
from dialer.workspaces.ids import MalformedId, parse_public_id
from dialer.workspaces.models import ApiKey, PublicId

EXPIRY = "X-API-Key-Expires"
"""The header that says when the key of the request expires."""
_Done = TypeVar("_Done")


class _AlwaysJSON(BaseContentNegotiation):
    """Answers JSON whatever the client accepts, since there is no other format."""

    def select_parser(self, request: Request, parsers: Sequence[BaseParser]) -> BaseParser | None:  # type: ignore[override]
        given = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == given), None)

    def select_renderer(  # type: ignore[override]
        self,
        request: Request,
        renderers: Sequence[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], "application/json"


class ApiView(GenericAPIView[Any]):
    """A view of the API. ``queryset`` has the rows of all workspaces; only this class scopes them to the key's.

    ``request`` is an :class:`ApiRequest`, with the ``key``, ``workspace_id``, ``actor`` and ``now`` that verbs need.
    """

    authentication_classes = [KeyAuthentication]
    permission_classes = [HasScope]
    throttle_classes = [KeyThrottle]
    parser_classes = [StrictJSONParser]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = _AlwaysJSON
    pagination_class = KeysetPagination
    metadata_class = None
    schema: Any = Schema()

    admin_actions: ClassVar[Sequence[str]] = ()
    """Actions that need a key of scope ``admin``."""
    scope_to_write: ClassVar[str] = ApiKey.Scope.WRITE
    """The scope that the other actions need if they change something."""
    filters: ClassVar[type[Filters] | None] = None
    """Query parameters of the list, besides those of pagination."""
    orderings: ClassVar[Sequence[str]] = ("-id", "id")
    """The orderings of the list; the first is the default, see :meth:`default_ordering`."""
    named_in_path: ClassVar[Mapping[str, type[PublicId]]] = {}
    """The models whose ids the path has, by parameter, where they are not the view's own."""
    request: ApiRequest

    def initialize_request(self, request: HttpRequest, *args: object, **kwargs: object) -> ApiRequest:
        return ApiRequest(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context=self.get_parser_context(request),
        )

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        super().initial(request, *args, **kwargs)
        repeated = [name for name, values in request.query_params.lists() if len(values) > 1]
        if repeated:  # none takes several values, and which of them counts would be a guess
            raise InvalidFields({name: ["is given more than once"] for name in repeated})

    def finalize_response(
        self, request: Request, response: HttpResponseBase, *args: object, **kwargs: object
    ) -> Response:
        allowance: Allowance | None = getattr(request, "allowance", None)
        if allowance is not None:
            for name, value in allowance.headers().items():
                response[name] = value
        if isinstance(request, ApiRequest) and request.key_expires_at is not None:
            response[EXPIRY] = InstantField().to_representation(request.key_expires_at)
        response["Cache-Control"] = "no-store"
        return super().finalize_response(request, response, *args, **kwargs)  # type: ignore[arg-type]

    def get_queryset(self) -> QuerySet[Any]:
        rows: Any = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows.none()  # type: ignore[no-any-return]
        return rows.in_workspace(self.request.workspace_id)  # type: ignore[no-any-return]

    def get_object(self) -> Any:  # noqa: ANN401 — a row of the view's model
        return self.get_queryset().get(pk=self.named_id())

    def named_id(self) -> UUID:
        """Return the id in the path; raises ``NotFound`` if it is malformed."""
        model: Any = self.queryset.model  # type: ignore[union-attr, arg-type]
        return public_id_in_path(model, self.kwargs["pk"])

    def id_in_path(self, name: str) -> dict[str, Any]:
        """Return the form of an id in the path for the schema."""
        model: Any = self.named_in_path.get(name) or self.queryset.model  # type: ignore[union-attr, arg-type]
        return form_of_id(model.public_prefix, also_uuid=True)

    def offered_orderings(self) -> Sequence[str]:
        """Return the orderings that this request may name."""
        return self.orderings

    def default_ordering(self) -> str:
        """Return the ordering of a list if the request names none."""
        return self.offered_orderings()[0]

    def given(self, serializer_class: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """Return the body as ``serializer_class`` reads it, for a PATCH only its fields; raises ``ValidationError``."""
        if self.request.data is None:
            raise InvalidFields({NO_FIELD: ["must be an object"]})
        partial = self.request.method == "PATCH"
        read = serializer_class(data=self.request.data, partial=partial, context=self.get_serializer_context())
        read.is_valid(raise_exception=True)
        data: dict[str, Any] = read.validated_data
        return data

    def do(self, verb: Callable[..., _Done], asks: type[Strict] = Nothing) -> _Done:
        """Run a verb on the row in the path, with the body as ``asks`` reads it."""
        given = self.given(asks)
        return verb(self.named_id(), **self.request.about, **given)

    def asked(self) -> dict[str, Any]:
        """Return the filters in the query; raises ``ValidationError``."""
        asked = {name: value for name, value in self.request.query_params.items() if name not in NAMES}
        read = (self.filters or Filters)(data=asked, context=self.get_serializer_context())
        read.is_valid(raise_exception=True)
        data: dict[str, Any] = read.validated_data
        return data

    def shown(
        self,
        row: object,
        serializer_class: type[serializers.BaseSerializer[Any]] | None = None,
        *,
        status: int = 200,
    ) -> Response:
        """Answer with one row."""
        show = serializer_class or self.get_serializer_class()
        return Response(show(row, context=self.get_serializer_context()).data, status=status)


class ApiViewSet(ViewSetMixin, ApiView):
    """Views of one kind of row; :class:`Lists`, :class:`Reads` and subclasses add the methods."""

    def initialize_request(self, request: HttpRequest, *args: object, **kwargs: object) -> ApiRequest:
        return cast("ApiRequest", super().initialize_request(request, *args, **kwargs))


class Lists(ApiViewSet):
    """``GET`` of the list: filtered by ``filtered``, a page at a time."""

    def filtered(self, rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        """Apply the filters; by default, each is an equality."""
        return rows.filter(**asked)

    def list(self, request: ApiRequest) -> Response:
        rows = self.filtered(self.get_queryset(), self.asked())
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(self.get_serializer(self.prepared(page or []), many=True).data)

    def prepared(self, page: Sequence[Model]) -> Sequence[Any]:
        """Return the objects for the serializer; override it to run one query for all rows of a page."""
        return page


class Reads(ApiViewSet):
    """``GET`` of one row."""

    def retrieve(self, request: ApiRequest, pk: str) -> Response:
        return self.shown(self.get_object())


class NoSuchRoute(ApiView):
    """Answers 404 for unknown paths under the API, in the shape of all errors."""

    authentication_classes = []
    permission_classes = []
    throttle_classes = []
    schema = None

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        self.args, self.kwargs = args, kwargs
        self.request = self.initialize_request(request)
        self.headers = self.default_response_headers
        hint = "" if request.path.endswith("/") else " Paths end with a slash."
        response = self.handle_exception(NotFound(f"There is no such route.{hint}"))
        self.response = self.finalize_response(self.request, response)
        return self.response


def public_id_in_path(model: type[PublicId], text: str) -> UUID:
    """Read a public id from a path; raises ``NotFound`` if it is malformed."""
    try:
        return parse_public_id(model.public_prefix, text)
    except MalformedId as error:
        raise NotFound from error
