"""The products beside the core, `api` and `integrations`, import what the public packages export."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

import foxing.encoder
import foxing.memory
import foxing.renderer
from foxing.memory import Memory

ROOT = Path(__file__).resolve().parents[1]
PUBLIC = {package.__name__: set(package.__all__) for package in (foxing.memory, foxing.encoder, foxing.renderer)}
#: Module → names that are still imported past the exports, `*` for the module itself. It only falls: take out what
#: has become an export, and add nothing. Those of `renderer` beside `announcement` are what the client of hooks loads,
#: for which every prompt waits: looking a name up among the exports takes it longer than all it does.
PAST = {
    "encoder.bench.comparison": "WordComparison",
    "encoder.text_tokens": "count_text_tokens cut_to_tokens load_vocabulary",
    "memory": "doors",
    "memory.access": "ROLES",
    "memory.audit": "through",
    "memory.bounded_json": "has_more_values loads",
    "memory.bulk.ray_pool": "ActorOptions RayPool",
    "memory.bulk.work": "ImportRequest Pool",
    "memory.compact_json": "compact_json",
    "memory.context.headings": "RECALLED heading_tokens",
    "memory.conversation": "INSTRUCTIONS Json label parse read_blocks render render_blocks requests whole_items",
    "memory.conversation.answers": "PassedAnswer Usage read_value",
    "memory.conversation.changes": "MARKS is_thinking settled without_thinking",
    "memory.conversation.event_streams": "AnswerReader Json MAX_ANSWER_BYTES",
    "memory.conversation.hosts": "is_errand words_of_user",
    "memory.conversation.identity": "own_session",
    "memory.conversation.models": "model_terms",
    "memory.conversation.requests": "conversation_id held_by wire_of",
    "memory.doors": "CROSS_SITE LOOPBACK_NAMES REJECTED RequestError WRONG_HOST check_host check_length check_site",
    "memory.errors": "*",
    "memory.fair_semaphore": "FairQueue",
    "memory.fold.conversation": "BOUND_LOOP Conversation ConversationItem make_conversation parse_item thread_key",
    "memory.fold.images": "image_tokens with_sound_images",
    "memory.fold.layout": "folded_conversation",
    "memory.fold.plan": "LEAST_KEPT_CALLS Standing Step Terms plan_fold",
    "memory.garbage": "collect_as_usual collect_rarely exempt_loaded",
    "memory.index.model_endpoint": "EndpointOptions",
    "memory.ingest.calls": "StoreCall",
    "memory.ingest.doubtful_words": "doubtful_words",
    "memory.ingest.dry_run": "DryRun",
    "memory.ingest.importers": "AUTO HistoryFiles HistoryWatcher IMPORTERS ImportSource WatchedFile check_file "
    "import_file preview_file store_file",
    "memory.ingest.importers.files": "leaves_folder",
    "memory.ingest.importers.jsonl": "export_header",
    "memory.ingest.provider_messages": "messages_of sound with_images",
    "memory.ingest.redaction": "Redaction",
    "memory.ingest.salience": "salience_in_bank",
    "memory.ingest.validate": "MAX_MESSAGES check_bank_name",
    "memory.keys": "key_id_of",
    "memory.lifecycle.forecast": "tier_at",
    "memory.lifecycle.job_runner": "JobResult",
    "memory.problems": "FieldError TYPE_PREFIX VERSION_HEADER encodable",
    "memory.recall.transcript": "Style transcript transcript_of",
    "memory.regular_files": "not_regular open_regular",
    "memory.telemetry": "Operation watch",
    "memory.text.terms": "query_terms terms",
    "memory.text.times.window": "parse_since parse_until",
    "memory.text.zones": "zone_of",
    "memory.values": "*",
    "memory.values.audit": "AuditDoor AuditEvent AuditEvents AuditLevel MAX_AUDIT_EVENTS",
    "memory.values.base": "CURSOR Cursor FROM_SERVICE INTEGRAL Input KnownTier Limit MAX_CURSOR_CHARS "
    "MAX_PREVIEWED_PAGES Now PREVIEWED_PAGES Tier Timezone checked first_error reason_of",
    "memory.values.compression": "RetrieveQuery",
    "memory.values.context": "MAX_BUDGET",
    "memory.values.gap_marks": "GapMark TEXT_GAP_MARK",
    "memory.values.imports": "ImportQueryFields",
    "memory.values.jobs": "WITHOUT_BANK",
    "memory.values.labels": "VERDICTS Verdict",
    "memory.values.messages": "MAX_REFS REPLACES Role",
    "memory.values.metadata": "Scalar",
    "memory.values.facts": "FACT_TOKENS Fact FactCorrection Facts MAX_FACT_TOKENS MAX_SUBJECT_CHARS",
    "memory.values.quarantine": "QuarantineList QuarantinedMessage",
    "memory.values.recall": "BANKS_DESCRIPTION Fidelity Format MAX_OTHER_BANKS Shape fields_only_for",
    "memory.values.records": "MAX_WRITES Prefix RecordKey RecordWrite",
    "memory.values.savings": "MAX_ROWS SavingsWindow",
    "memory.values.signatures": "parameters_of takes",
    "memory.values.sizes": "DatabaseSizes",
    "memory.values.threads": "ThreadQuery ThreadQueryFields ThreadTitle",
    "memory.values.speakers": "IMAGE_LINE one_line set_apart speaker_of",
    "memory.values.trust": "RANKS",
    "renderer.announcement": "Announcement AnotherService CHALLENGE_HEADER PROOF_HEADER TOKEN_HEADER fields_of "
    "proof_for seconds_left",
    "renderer.errors": "NoEngine REPAIR_S is_of_engine",
    "renderer.interruption": "Interrupted interruptible",
    "renderer.plugins": "CLIENT OWN_PACKAGES",
    "renderer.private_files": "FILE_MODE create make_folder opener prepare_sqlite repair within write",
    "renderer.readers": "Reader ReaderProfileError page_images require_exact",
    "renderer.readers.billing": "Billing",
}
MAX_EXPORTS, MAX_MEMBERS = 176, 39


def imports(source: str) -> dict[str, set[str]]:
    """Module → names that a file imports from it past the exports of the public packages."""
    past: dict[str, set[str]] = defaultdict(set)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = {alias.name for alias in node.names} - PUBLIC.get(node.module, set())
            modules = {node.module: names}
        elif isinstance(node, ast.Import):
            modules = {alias.name: {"*"} for alias in node.names if alias.name not in PUBLIC}
        else:
            continue
        for module, names in modules.items():
            if names and ".".join(module.split(".")[:2]) in PUBLIC:
                past[module.removeprefix("foxing.")] |= names
    return past


@pytest.mark.parametrize("room", ["api", "integrations"])
def test_products_import_only_what_is_exported(room: str) -> None:
    new = {
        f"{path.relative_to(ROOT)}: {module}: {name}"
        for path in (ROOT / room).rglob("*.py")
        for module, names in imports(path.read_text()).items()
        for name in names - set(PAST.get(module, "").split())
    }
    assert new == set()


def test_what_is_imported_past_the_exports_is_still_needed() -> None:
    needed: dict[str, set[str]] = defaultdict(set)
    for room in ("api", "integrations"):
        for path in (ROOT / room).rglob("*.py"):
            for module, names in imports(path.read_text()).items():
                needed[module] |= names
    assert {
        f"{module}: {name}" for module, names in PAST.items() for name in set(names.split()) - needed[module]
    } == set()


def test_the_public_surface_does_not_grow() -> None:
    assert sum(map(len, PUBLIC.values())) <= MAX_EXPORTS
    assert len([name for name in vars(Memory) if not name.startswith("_")]) <= MAX_MEMBERS
