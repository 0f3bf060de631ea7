"""An HTTP server that decodes prompt embeddings as vLLM documents it, with a real network."""

import base64
import binascii
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import torch

from foxing.encoder.vision.models.checkpoint import locate, transformers
from foxing.encoder.vision.models.deepseek import DeepSeekOcr

MODEL = "deepseek-ai/DeepSeek-OCR"
KEY = "correct-horse-battery"
FIELDS = {
    *("model", "prompt", "prompt_embeds", "temperature", "max_tokens", "logprobs", "return_tokens_as_token_ids"),
    *("skip_special_tokens", "stream", "vllm_xargs"),
}


class Output(NamedTuple):
    """What the engine generates."""

    ids: list[int]
    #: float32[vocabulary] for each of `ids`.
    log_probabilities: list[torch.Tensor]
    finish_reason: str


class Engine:
    """Greedy decoding from embeddings with vLLM's logits processor for DeepSeek-OCR. Log-probabilities are those before
    the processor."""

    def __init__(self, folder: Path) -> None:
        self.model = DeepSeekOcr.load(locate(str(folder), None), torch.device("cpu"), torch.float32)
        self._lock = threading.Lock()
        #: Outputs by everything that they depend on.
        self._outputs: dict[object, Output] = {}

    def complete(self, embeddings: torch.Tensor, body: dict[str, Any]) -> Output:
        """What is generated for a request, once for equal ones. `embeddings`: [length, hidden]; `body`: the request."""
        options = json.dumps([body["vllm_xargs"], body["max_tokens"]], sort_keys=True)
        key = (embeddings.numpy().tobytes(), options, frozenset(self.model.eos_token_ids))
        with self._lock:
            if key not in self._outputs:
                self._outputs[key] = self._generate(embeddings, body)
            return self._outputs[key]

    @torch.inference_mode()
    def _generate(self, embeddings: torch.Tensor, body: dict[str, Any]) -> Output:
        extra = body["vllm_xargs"]

        def block(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            banned = self._banned(ids[0].tolist(), extra["ngram_size"], extra["window_size"])
            banned = [token for token in banned if token not in extra["whitelist_token_ids"]]
            scores = scores.clone()
            scores[0, banned] = -torch.inf
            return scores

        output = self.model.network.generate(
            inputs_embeds=embeddings[None],
            attention_mask=torch.ones(1, len(embeddings), dtype=torch.long),
            generation_config=transformers().GenerationConfig(
                do_sample=False,
                max_new_tokens=body["max_tokens"],
                eos_token_id=sorted(self.model.eos_token_ids),
                pad_token_id=1,
                output_logits=True,
                return_dict_in_generate=True,
            ),
            logits_processor=transformers().LogitsProcessorList([block]),
        )
        ids = output.sequences[0].tolist()
        log_probabilities = [scores[0].float().log_softmax(-1) for scores in output.logits]
        return Output(ids, log_probabilities, "stop" if ids[-1] in self.model.eos_token_ids else "length")

    @staticmethod
    def _banned(ids: Sequence[int], size: int, window: int) -> list[int]:
        if len(ids) < size:
            return []
        starts = range(max(0, len(ids) - window), len(ids) - size + 1)
        return [ids[n + size - 1] for n in starts if list(ids[n : n + size - 1]) == list(ids[len(ids) - size + 1 :])]


@dataclass
class Server:
    """Behaviour and record of a server."""

    engine: Engine
    url: str = ""
    #: Number of the attempt for a page, from 0 → an HTTP status, "stall", or "" for no fault.
    fault: Callable[[int], str] = lambda attempt: ""
    #: Whether it was started with --enable-prompt-embeds.
    accepts_embeddings: bool = True
    #: Whether it names tokens by their ids.
    returns_ids: bool = True
    #: Whether it returns the end-of-sequence token.
    returns_end: bool = True
    #: Changes each answer.
    answer: Callable[[dict[str, Any]], dict[str, Any]] = lambda document: document
    #: Requests by page.
    attempts: Counter[str] = field(default_factory=Counter)
    #: Requests received.
    bodies: list[dict[str, Any]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    #: Called when a request stalls.
    on_stall: Callable[[], object] = lambda: None

    def completion(self, body: dict[str, Any]) -> dict[str, Any]:
        """The answer of vLLM. Raises `ValueError` for a request that it would refuse."""
        if set(body) != FIELDS or body["prompt"] or body["stream"] or body["logprobs"] != 1 or body["temperature"]:
            raise ValueError(f"unexpected fields {sorted(set(body) ^ FIELDS)}")
        if not self.accepts_embeddings:
            raise ValueError("You must set `--enable-prompt-embeds` to input `prompt_embeds`.")
        blob = base64.b64decode(body["prompt_embeds"], validate=True)
        embeddings = torch.load(BytesIO(blob), weights_only=True)
        if embeddings.ndim != 2 or embeddings.shape[1] != self.engine.model.shape("tiny")[2]:
            raise ValueError("prompt_embeds must be of shape (seq_len, hidden_size).")
        ids, log_probabilities, reason = self.engine.complete(embeddings, body)
        visible = ids[:-1] if reason == "stop" else ids
        text = self.engine.model.tokenizer.decode(visible, skip_special_tokens=body["skip_special_tokens"])
        logprobs = self._logprobs(ids if self.returns_end else visible, log_probabilities)
        counts = {"prompt_tokens": len(embeddings), "completion_tokens": len(ids)}
        return {
            "id": "cmpl-1",
            "object": "text_completion",
            "created": 1,
            "model": MODEL,
            "choices": [{"index": 0, "text": text, "logprobs": logprobs, "finish_reason": reason, "stop_reason": None}],
            "usage": {**counts, "total_tokens": sum(counts.values())},
        }

    def _logprobs(self, ids: Sequence[int], log_probabilities: Sequence[torch.Tensor]) -> dict[str, list[Any]]:
        logprobs: dict[str, list[Any]] = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
        offset = 0
        for token, values in zip(ids, log_probabilities, strict=False):
            logprobs["tokens"].append(self.name(token))
            logprobs["token_logprobs"].append(float(values[token]))
            logprobs["top_logprobs"].append({self.name(n): float(values[n]) for n in {token, int(values.argmax())}})
            logprobs["text_offset"].append(offset)
            offset += len(logprobs["tokens"][-1])
        return logprobs

    def name(self, token: int) -> str:
        """How the server names a token."""
        if self.returns_ids:
            return f"token_id:{token}"
        return str(self.engine.model.tokenizer.decode([token], skip_special_tokens=False))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_POST(self) -> None:
        state: Server = self.server.state
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        state.bodies.append(body)
        if self.path.partition("?")[0] != "/v1/completions":
            return self._send(404, {"detail": "Not Found"})
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            return self._send(401, {"error": "Unauthorized"})
        attempt = state.attempts[body["prompt_embeds"]]
        state.attempts[body["prompt_embeds"]] += 1
        fault = state.fault(attempt)
        if fault == "stall":
            state.on_stall()
            state.stopped.wait()
            self.close_connection = True
            return None
        if fault:
            return self._send(int(fault), {"error": {"message": "EngineCore died", "code": int(fault)}})
        try:
            document = state.completion(body)
        except (ValueError, KeyError, binascii.Error) as error:
            refusal = {"message": str(error), "type": "BadRequestError", "param": None, "code": 400}
            return self._send(400, {"error": refusal})
        return self._send(200, state.answer(document))

    def _send(self, status: int, document: dict[str, Any]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def running(engine: Engine) -> Iterator[Server]:
    """A server on a free port, stopped on exit."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Server(engine, url=f"http://127.0.0.1:{http.server_port}/v1")
    http.state = state  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    yield state
    state.stopped.set()
    http.shutdown()
    http.server_close()
    thread.join()
