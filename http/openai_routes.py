"""The rows of the OpenAI surface."""

from . import keyed, openai_completions, openai_models, starting
from .openai_schemas import ChatBody, ChatCompletion, Model, ModelList
from .route import Route, Text, get, post

CODES = tuple("model_not_found" if code == "agent_not_found" else code for code in starting.CODES)
CHUNKS = Text("text/event-stream", "With `stream`: frames of `ChatChunk`, then `data: [DONE]`.")

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
)
