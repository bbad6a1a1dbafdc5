"""The rows of the OpenAI surface."""

from . import keyed, openai_completions, openai_models, openai_response_calls, starting
from .openai_schemas import (
    ChatBody,
    ChatCompletion,
    Model,
    ModelList,
    Response,
    ResponseBody,
    ResponseDeleted,
)
from .route import Route, Text, delete, get, post

CODES = tuple("model_not_found" if code == "agent_not_found" else code for code in starting.CODES)
RESPONSE = "/v1/responses/{response_id}"
CHUNKS = Text("text/event-stream", "With `stream`: frames of `ChatChunk`, then `data: [DONE]`.")
EVENTS = Text("text/event-stream", "With `stream`: the events of OpenAI's Responses API.")

ROUTES: tuple[Route, ...] = (
    get("/v1/models", openai_models.listing, answers={200: ModelList}),
    get("/v1/models/{model}", openai_models.show, answers={200: Model}, codes=("model_not_found",)),
    post(
        "/v1/chat/completions",
        openai_completions.create,
        body=ChatBody,
        required=("model", "messages"),
        answers={200: (ChatCompletion, CHUNKS)},
        parameters=(keyed.KEY,),
        codes=(*CODES, "unsupported_parameter", "run_failed", "run_cancelled"),
    ),
    post(
        "/v1/responses",
        openai_response_calls.create,
        body=ResponseBody,
        required=("model", "input"),
        answers={200: (Response, EVENTS)},
        parameters=(keyed.KEY,),
        codes=(*CODES, "unsupported_parameter", "previous_response_not_found"),
    ),
    get(
        RESPONSE,
        openai_response_calls.show,
        answers={200: (Response, EVENTS)},
        parameters=(openai_response_calls.STREAM, openai_response_calls.STARTING_AFTER),
        codes=("response_not_found", "shutting_down"),
        head=False,
    ),
    post(
        RESPONSE + "/cancel",
        openai_response_calls.cancel,
        answers={200: Response},
        codes=("forbidden", "response_not_found", "response_ended", "shutting_down"),
    ),
    delete(
        RESPONSE,
        openai_response_calls.delete,
        answers={200: ResponseDeleted},
        codes=("forbidden", "response_not_found", "run_live", "journal_full"),
    ),
)
