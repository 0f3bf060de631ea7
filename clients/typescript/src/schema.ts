// Generated from docs/reference/openapi.json by `npm run generate`; do not edit it.
export interface paths {
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Liveness
         * @description Succeeds while the event loop is running. Does not access the database or the codec.
         */
        get: operations["healthz"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Prometheus metrics
         * @description Returns metrics of requests, latencies, messages, recalls, ageing, jobs, queues, connections, sizes and the
         *     process.
         */
        get: operations["metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Readiness
         * @description Succeeds if the database and the codec can be used; the result is cached for one second.
         */
        get: operations["readyz"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List audit events
         * @description Returns who did what and when, in the order of the chain or newest first: events of the tenant of the key, or all
         *     of them. Events hold no words of messages.
         */
        get: operations["list_audit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List banks
         * @description Returns all banks with statistics of their contents and sizes in bytes.
         */
        get: operations["list_banks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the statistics of a bank
         * @description Returns the number of messages, threads and pages by tier, and the size of tokens, text, index, keepsakes,
         *     metadata and trash in bytes.
         */
        get: operations["get_bank"];
        put?: never;
        post?: never;
        /**
         * Erase a bank
         * @description Permanently erases a bank with all its messages, pages and records, in one transaction. Its name can be reused.
         *     After 202, the bank is complete until the job is `done`; the job is one without a bank.
         */
        delete: operations["erase_bank"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/age": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Age pages
         * @description Moves each page to the tier that the policy sets for its age. With `dry_run`, nothing changes, `now` is always
         *     allowed, and the response comes when all is counted. The body is optional.
         */
        post: operations["age"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/bundle": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Import a bundle
         * @description Imports a bundle, sent as the body, as a new bank, completely or not at all: it is read and checked as a whole
         *     before anything is stored. Returns 409 if there is a bank of this name, and 422 for a bundle that is cut short,
         *     forged, of a newer version, or of a codec that is not installed. A request that was interrupted is repeated.
         */
        post: operations["import_bundle"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/context": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Build the next prompt
         * @description Returns the latest messages verbatim and recalled messages as text or page images, whichever shows more per
         *     billed token at a size that the reader is known to read. An image never costs more than its text, and the content
         *     never exceeds the budget. Blocks that do not change between calls come first, so that prompt caches hit.
         */
        post: operations["context"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Export a bank as a bundle
         * @description Returns one bank in one portable archive, as it is at one moment: pages with their tokens, messages, images,
         *     records, folds, policy and index. The same bank gives the same bytes. Protect it like the database. Legal holds,
         *     jobs and what undo would restore are not in it.
         */
        get: operations["export_bundle"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/facts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List what holds
         * @description Returns the standing facts of a bank: clauses of messages that state what holds, pinned ones first, then the
         *     newest. They are recognised by rules, without a model: what is only implied is not among them.
         */
        get: operations["list_facts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/facts/{fact_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Dismiss a fact
         * @description Dismisses a fact: from now on it does not hold. Its message stays as it is.
         */
        delete: operations["dismiss_fact"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/facts/{fact_id}/correct": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Correct a fact
         * @description Stores a statement of the user in place of a fact. A repeated call stores nothing new.
         */
        post: operations["correct_fact"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/facts/{fact_id}/pin": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Pin a fact
         * @description Pins a fact: it is listed first, and no message ends it.
         */
        put: operations["pin_fact"];
        post?: never;
        /**
         * Unpin a fact
         * @description Unpins a fact. Unpinning one that is not pinned has no effect.
         */
        delete: operations["unpin_fact"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/fetch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Fetch messages by reference
         * @description Returns the complete messages of references, as remembered now, with their gaps and confidence: scan page images,
         *     then fetch the lines that matter. Fetching counts as a recall. If no reference has a message, the status is 410 if
         *     all their messages were erased, else 404.
         */
        get: operations["fetch"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/fold": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Fold the older history of a conversation
         * @description Returns the conversation with its older history as one user message of text and page images. Until the next fold,
         *     this message is the same at every call. Folds where it pays, while the provider's cache is cold, or where the budget
         *     is nearly exhausted, and only where no tool call is open. Stores the folded messages, each once, and creates the
         *     bank if necessary.
         */
        post: operations["fold"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/import": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Import a history
         * @description Imports a file of any known format, such as the zip of ChatGPT's data export, sent as the body. It is read
         *     completely before the response, which takes minutes for a gigabyte, and refused as a whole if its format or its
         *     dates are ambiguous or if it cannot be read: `detail` and `errors` say what to choose. So is JSON Lines with a
         *     message that the bank would refuse; of other formats, such a message is left out. An archive with links, with
         *     paths that leave it or with an expansion like a zip bomb's is refused. Then its messages are stored in the
         *     background; sending the file again stores what is missing. The bank is created if it does not exist.
         */
        post: operations["import_history"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/import/{import_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show an import
         * @description Returns an import with its progress, and with its report once it is done. The newest 100 imports of a bank are
         *     kept.
         */
        get: operations["import_progress"];
        put?: never;
        post?: never;
        /**
         * Cancel an import
         * @description Cancels an import. What is stored stays; send the file again to store the rest. Does nothing to an import that
         *     has ended.
         */
        delete: operations["cancel_import"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the jobs of a bank
         * @description Returns the jobs of a bank, imports among them, the newest first. Of those that have ended, the newest 100 are
         *     kept.
         */
        get: operations["list_jobs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/jobs/{job_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show a job
         * @description Returns a job with its progress, and with its result once it is done. Any process of the service answers for any
         *     job.
         */
        get: operations["get_job"];
        put?: never;
        post?: never;
        /**
         * Cancel a job
         * @description Cancels a job, which needs the role of the call that started it. What is complete stays; start it again for the
         *     rest. Does nothing to a job that has ended.
         */
        delete: operations["cancel_job"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Store messages
         * @description Stores all messages or none, and creates the bank if it does not exist. A message that is already stored under
         *     its id is not stored again; the same id with different content or metadata is a conflict (409). Content is a string
         *     or a list of parts: text, tool calls, tool results, images. Blocks of Anthropic, OpenAI and Gemini are accepted as
         *     well, and whole messages of theirs with `provider`.
         */
        post: operations["store_messages"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/messages/{message_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a message as remembered
         * @description Returns a message with its recall weight. The text comes from the open page, from kept exact text, or from
         *     decoding the page at its current tier; `parts` is present if the content was stored in parts. Reading a message here
         *     does not change its recall weight.
         */
        get: operations["get_message"];
        put?: never;
        post?: never;
        /**
         * Erase a message
         * @description Permanently erases a message: blanks its cells and reencodes its pages at their tiers, deletes sharper versions
         *     of these pages from the trash, and removes its words, embedding and identifiers from the index. Other messages on
         *     the pages read as before; earlier ageing of these pages can no longer be undone.
         */
        delete: operations["erase_message"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/pages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List pages
         * @description Returns the pages of a bank with their tiers, ages, sizes and confidence.
         */
        get: operations["list_pages"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/pages/{page_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a page
         * @description Returns the tier, age, size and confidence of a page.
         */
        get: operations["get_page"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/pages/{page_id}/image": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the image of a page
         * @description Returns a PNG of the page at a tier, drawn from the text or tokens that are still stored.
         */
        get: operations["get_page_image"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/pages/{page_id}/pin": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Pin a page
         * @description Pins a page: it does not age and keeps its exact text, if any. Pinning a pinned page has no effect.
         */
        put: operations["pin_page"];
        post?: never;
        /**
         * Unpin a page
         * @description Unpins a page: it ages again from the next ageing run. Unpinning an unpinned page has no effect.
         */
        delete: operations["unpin_page"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/pages/{page_id}/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Preview the fading of a page
         * @description Returns the messages on a page before and after a move to a lower tier, and the number of words of each class
         *     that would remain. Nothing changes.
         */
        get: operations["preview_page"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/pages/{page_id}/read": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a page
         * @description Decodes the page. Returns its text, its lines with their confidence, and the runs that may be misread.
         */
        get: operations["read_page"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/pages/{page_id}/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the vision tokens of a page
         * @description Returns the stored vision tokens: tensor `tokens`, uint8[token rows, token columns, bytes per token], or, for
         *     tokens of variable length, `stream` or `image` (a PNG file), uint8[bytes]. The metadata names the codec, its
         *     weights, the tier, and the data type and number of the values in a token.
         */
        get: operations["get_page_tokens"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/policy": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the ageing policy of a bank
         * @description Returns the policy: the ages at which pages move to lower tiers, how long exact text is kept, and when open
         *     messages are sealed. Durations are in ISO 8601.
         */
        get: operations["get_policy"];
        /**
         * Set the ageing policy of a bank
         * @description Sets the policy and creates the bank if it does not exist. Omitted fields take their defaults. The new policy
         *     applies from the next ageing run and never moves a page back to a sharper tier.
         */
        put: operations["set_policy"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/quarantine": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List quarantined messages
         * @description Returns the messages that the policy of the bank (`quarantine_trust`) has quarantined, in the order of their
         *     arrival. Needs the role admin: nothing else reads their texts.
         */
        get: operations["list_quarantine"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/quarantine/{message_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Erase a quarantined message
         * @description Permanently erases a quarantined message. Returns 409 if a legal hold keeps it.
         */
        delete: operations["erase_quarantined_message"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/quarantine/{message_id}/release": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Release a quarantined message
         * @description Stores a quarantined message under its id, with its trust class, its mark and its times, and removes it from the
         *     quarantine.
         */
        post: operations["release_message"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/recall": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Recall messages
         * @description Returns the messages that match a query, best first; without a query, all messages of the time window in time
         *     order, each once. Decoded spans have the confidence of the reading and the runs of characters that may be
         *     misread.
         */
        post: operations["recall"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/records": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Store and delete records
         * @description Applies all writes or none, in the given order, and creates the bank if it does not exist. A write with
         *     `if_version` fails with 409 unless the record has that version.
         */
        post: operations["write_records"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/records/get": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Get records
         * @description Returns records by namespace and key, exactly as stored; null for a record that does not exist.
         */
        post: operations["get_records"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/records/namespaces": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * List namespaces
         * @description Returns the namespaces of a bank that contain records, in alphabetical order.
         */
        post: operations["list_namespaces"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/records/search": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * List or search records
         * @description Returns the records in and below a namespace, in order, or with a query those that contain its words, best match
         *     first. Filters compare members of the values.
         */
        post: operations["search_records"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/reencode": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reencode pages
         * @description Reencodes the pages of another codec or other weights with those of the service, as `foxing reencode` does. With
         *     `dry_run`, nothing changes, and the response comes when all is counted. The body is optional.
         */
        post: operations["reencode"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/savings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show savings
         * @description Returns what the recorded calls were billed, and what they would have been without folding, by day, session or
         *     model. Calls that cost more than without folding count as they are.
         */
        get: operations["get_savings"];
        put?: never;
        /**
         * Record calls of models
         * @description Records what calls of models were billed, and calculates what they would have been without folding, under the
         *     same state of the provider's cache. Each call is recorded once. Creates the bank if necessary. The proxy records its
         *     calls by itself.
         */
        post: operations["record_model_calls"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/savings.csv": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Download savings
         * @description Returns the rows of the savings as a table.
         */
        get: operations["get_savings_table"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/seal": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Seal open messages
         * @description Typesets all open messages onto pages and encodes the pages. Messages that are stored meanwhile stay open. The
         *     body is optional.
         */
        post: operations["seal"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/threads": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List threads
         * @description Returns the threads of a bank with their titles, their speakers, and the number and the times of their messages.
         *     With conditions, those that meet all of them. Titles of requests that have faded are what is left of them.
         */
        get: operations["list_threads"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/banks/{bank}/threads/{thread}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Erase a thread
         * @description Permanently erases all messages of a thread, in the same way as single messages; those that are stored meanwhile
         *     stay. After 202, the erasure is pending: each message is either intact, so that it can be recalled, or erased, and
         *     all are erased once the job is `done`. An interrupted job is resumed; repeat the request after one that failed or
         *     was cancelled. Records are not affected.
         */
        delete: operations["erase_thread"];
        options?: never;
        head?: never;
        /**
         * Rename a thread
         * @description Gives a thread a title, in one line and without what the policy of the bank redacts. It lasts until the thread is
         *     erased, or until a person is erased whom it mentions. With null, the thread has the title of its export again, or
         *     that of its first request. Returns 409 if a legal hold keeps the bank.
         */
        patch: operations["rename_thread"];
        trace?: never;
    };
    "/v1/banks/{bank}/undo": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Undo ageing
         * @description Restores the tokens, exact text and index of pages as they were before ageing, within the undo window, and pins
         *     the pages. Idempotent. The body is optional. Returns 410 if all dropped data of `page` has been purged.
         */
        post: operations["undo"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/compress": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Compress a conversation for LiteLLM
         * @description Returns the conversation with excerpts in place of the long older texts of users and tools. The excerpts are the
         *     same at every call; further texts are replaced in large steps. Instructions, messages of the model, the last user
         *     message, the last ten messages of users and tools, and open tool exchanges stay as they are. Stores the texts in a
         *     bank of the API key and the header `x-headroom-affinity`, which is created if necessary.
         */
        post: operations["compress"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/erase": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Erase what a person said
         * @description Permanently erases what a person said in all banks of the caller, as single messages are erased; a dry run, which
         *     is the default, shows how many messages of which threads, when all are counted. Messages that are stored meanwhile
         *     stay. After 202, each message is either intact or erased, and all are erased once the job is `done`, one without a
         *     bank; repeat the request after one that failed or was cancelled. Returns 404 if no speaker has that name, and 409
         *     with nothing erased if a legal hold keeps any of the messages.
         */
        post: operations["erase_person"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Export what a person said
         * @description Returns what a person said in all banks of the caller, as remembered now, in JSON Lines. A legal hold does not
         *     keep it from being exported.
         */
        get: operations["export_person"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/holds": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List legal holds
         * @description Returns the legal holds on the banks of the caller, in the order in which they were set.
         */
        get: operations["list_holds"];
        put?: never;
        /**
         * Set a legal hold
         * @description Keeps a bank, or what a person said in all banks: until the hold is released, nothing of it is erased, by hand,
         *     by rules or by expiry, and the pages of these banks do not age.
         */
        post: operations["set_hold"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/holds/{hold_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Release a legal hold
         * @description Releases a legal hold. What it has suspended is due at once.
         */
        delete: operations["release_hold"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/jobs/{job_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show a job of any bank
         * @description Returns a job of any bank of the caller, or one without a bank: the erasure of a bank, or of what a person said,
         *     which need the role of the call that started them. Of those without a bank that have ended, the newest 100 of a
         *     tenant are kept.
         */
        get: operations["get_any_job"];
        put?: never;
        post?: never;
        /**
         * Cancel a job of any bank
         * @description Cancels a job of any bank of the caller, or one without a bank, as a job of a bank is cancelled. A bank whose
         *     erasure is cancelled stays as it was.
         */
        delete: operations["cancel_any_job"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List keys
         * @description Returns keys in the order of their creation, those that were revoked or have expired included.
         */
        get: operations["list_keys"];
        put?: never;
        /**
         * Create a key
         * @description Creates a key with a role, for all banks or for those whose names match a pattern. The database keeps a salted
         *     hash of it. Once a key has been created, every call needs a key, also if FOXING_API_KEY is not set.
         */
        post: operations["create_key"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/keys/{key_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Revoke a key
         * @description Revokes a key for good. It works no longer at this process, and after at most five seconds at others. It
         *     does not stop answers in progress.
         */
        delete: operations["revoke_key"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/keys/{key_id}/rotate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Rotate a key
         * @description Creates a key with the name, role, banks and expiry of another, which is revoked, or works for the time of
         *     `overlap`. The body is optional.
         */
        post: operations["rotate_key"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/retrieve/{hash}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Retrieve the text of an excerpt
         * @description Returns the exact text, as remembered, that an excerpt stands for. A hash is answered only to the API key and the
         *     `x-headroom-affinity` for which the text was compressed; for others it does not exist.
         */
        get: operations["retrieve"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tenants/{tenant}/limits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the limits of a tenant
         * @description Returns the limits of a tenant, null where it has none.
         */
        get: operations["get_limits"];
        /**
         * Set the limits of a tenant
         * @description Replaces the limits of a tenant. They apply at once at this process, and after at most five seconds at others.
         *     Needs an admin key that belongs to no tenant.
         */
        put: operations["set_limits"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show usage by day
         * @description Returns usage by day of UTC, tenant and key: of all tenants, or of that of the caller. Messages and bytes are
         *     exactly what was stored; other counts lack those of the last second of each process.
         */
        get: operations["get_usage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * AgeReport
         * @description The result of ageing, or of a dry run. Sizes are those of all changed pages.
         */
        AgeReport: {
            /**
             * Busy
             * @description Ids of pages that another process had locked or changed; the next run retries them.
             */
            busy: string[];
            /**
             * Bytes After
             * @description Bytes of tokens and kept text after.
             */
            bytes_after: number;
            /**
             * Bytes Before
             * @description Bytes of tokens and kept text before.
             */
            bytes_before: number;
            /**
             * Dry Run
             * @description Whether it was a dry run, which writes nothing.
             */
            dry_run: boolean;
            /**
             * Moved
             * @description Pages that moved to a lower tier.
             */
            moved: components["schemas"]["PageMove"][];
            /**
             * Now
             * Format: date-time
             * @description The time at which ages were computed.
             */
            now: string;
            /**
             * Purged
             * @description Number of trash entries deleted because their undo window had passed.
             */
            purged: number;
            /**
             * Text Dropped
             * @description Ids of pages whose exact text was dropped.
             */
            text_dropped: string[];
            /**
             * Unreadable
             * @description Pages that were due but skipped: damaged, temporarily unreadable, or laid out for another codec.
             */
            unreadable: components["schemas"]["PageSkipped"][];
            /**
             * Upcoming
             * @description In a dry run, forecasts for pages that are not due, soonest first; at most 500. Pinned pages are not listed.
             * @default []
             */
            upcoming: components["schemas"]["PageForecast"][];
            /**
             * Vision Tokens After
             * @description Vision tokens after.
             */
            vision_tokens_after: number;
            /**
             * Vision Tokens Before
             * @description Vision tokens before.
             */
            vision_tokens_before: number;
        };
        /**
         * AgeRequest
         * @description Options of an ageing request.
         */
        AgeRequest: {
            /**
             * Dry Run
             * @description Change nothing; report which pages would move, what would be lost, and the savings.
             */
            dry_run?: boolean;
            /**
             * Now
             * @description Time to use as the current time: an RFC 3339 time, or a date or words such as “yesterday”, which mean the start of that day. Over HTTP, allowed only in a dry run or if the settings of the service permit it.
             */
            now?: string | null;
            /**
             * Preview
             * @description In a dry run: number of pages, oldest first, to count fading words of; each takes a few tenths of a second.
             */
            preview?: number;
            /**
             * Timezone
             * @description Time zone of dates and relative times, for example 'Europe/Berlin'. Default: UTC.
             */
            timezone?: string | null;
        };
        /**
         * AgeingForecast
         * @description Forecast of how a policy will age messages or a page.
         */
        AgeingForecast: {
            /**
             * Exact
             * @description Whether their exact text is kept.
             */
            exact: boolean;
            /**
             * Exact Until
             * @description Earliest time at which exact text is dropped; null if it is not kept, or is always kept by the current policy.
             */
            exact_until: string | null;
            /**
             * Steps
             * @description Scheduled steps to lower tiers, in order.
             */
            steps: components["schemas"]["AgeingStep"][];
        };
        /**
         * AgeingStep
         * @description A scheduled step to a lower tier.
         */
        AgeingStep: {
            /**
             * At
             * Format: date-time
             * @description Earliest time of the step.
             */
            at: string;
            /**
             * Tier
             * @description The lower tier.
             * @enum {string}
             */
            tier: "large" | "base" | "small" | "tiny" | "micro";
        };
        /**
         * AuditEvent
         * @description An event of the audit log.
         */
        AuditEvent: {
            /**
             * Action
             * @description What was done, such as `store` or `recall`.
             */
            action: string;
            /**
             * At
             * Format: date-time
             * @description Time of the event.
             */
            at: string;
            /**
             * Bank
             * @description Full name of the bank; null for an action that concerns none.
             */
            bank: string | null;
            /**
             * Door
             * @description Way in which the caller came, such as `http` or `command`.
             */
            door: string;
            /**
             * Hash
             * @description SHA-256 of the hash of the previous event and of this event, in hexadecimal.
             */
            hash: string;
            /**
             * Items
             * @description Number of messages or other things concerned; null if not counted.
             */
            items: number | null;
            /**
             * Key Id
             * @description Id of the key of the caller; null for a caller without one.
             */
            key_id: string | null;
            /**
             * Number
             * @description Place in the chain, from 1.
             */
            number: number;
            /**
             * Outcome
             * @description `done`, or the type of the problem with which the call failed.
             */
            outcome: string;
            /**
             * Subject
             * @description Id of what was concerned if it was generated, else a keyed digest of it; null for none.
             */
            subject: string | null;
            /**
             * Tenant
             * @description Tenant of the bank, else of the caller; null for none.
             */
            tenant: string | null;
        };
        /**
         * AuditEvents
         * @description A list of audit events, with a cursor.
         */
        AuditEvents: {
            /**
             * Events
             * @description Events in the order of the chain, or newest first.
             */
            events: components["schemas"]["AuditEvent"][];
            /**
             * Next Cursor
             * @description Cursor of the next page of the list; null at its end.
             */
            next_cursor: string | null;
        };
        /**
         * BankBytes
         * @description Size of a bank in the database, in bytes.
         */
        BankBytes: {
            /**
             * Embeddings
             * @description Embeddings of messages.
             */
            embeddings: number;
            /**
             * Images
             * @description Images in messages.
             */
            images: number;
            /**
             * Index
             * @description Index terms.
             */
            index: number;
            /**
             * Keepsakes
             * @description Exact identifiers kept as text.
             */
            keepsakes: number;
            /**
             * Metadata
             * @description Everything else: messages, recall weights, pages, threads, idempotency keys.
             */
            metadata: number;
            /**
             * Records
             * @description Records of agent frameworks.
             */
            records: number;
            /**
             * Text
             * @description Open messages and kept text.
             */
            text: number;
            /**
             * Tokens
             * @description Vision tokens.
             */
            tokens: number;
            /**
             * Total
             * @description Sum of all of these.
             */
            total: number;
            /**
             * Trash
             * @description Data that ageing dropped and undo can restore.
             */
            trash: number;
        };
        /**
         * BankInfo
         * @description Statistics of a bank.
         */
        BankInfo: {
            /** @description Size of the bank in the database. */
            bytes: components["schemas"]["BankBytes"];
            /**
             * Created At
             * Format: date-time
             * @description Time at which it was created.
             */
            created_at: string;
            /**
             * @description What is due.
             * @default {
             *       "messages_to_seal": 0,
             *       "pages_to_age": 0
             *     }
             */
            due: components["schemas"]["DueWork"];
            /**
             * First At
             * @description Time of the first message; null without messages.
             */
            first_at: string | null;
            /**
             * Id
             * @description Name of the bank.
             */
            id: string;
            /**
             * Last At
             * @description Time of the last message; null without messages.
             */
            last_at: string | null;
            /**
             * Messages
             * @description Number of all messages.
             */
            messages: number;
            /**
             * Open Messages
             * @description Number of messages not yet sealed.
             */
            open_messages: number;
            /**
             * Pages
             * @description Number of pages.
             */
            pages: number;
            /**
             * Threads
             * @description Number of threads.
             */
            threads: number;
            /**
             * Tiers
             * @description Pages by tier, sharpest first.
             */
            tiers: {
                [key: string]: components["schemas"]["TierStatistics"];
            };
        };
        /**
         * Banks
         * @description A list of banks, with a cursor.
         */
        Banks: {
            /**
             * Banks
             * @description Banks in the order of their names.
             */
            banks: components["schemas"]["BankInfo"][];
            /**
             * Next Cursor
             * @description Cursor of the next page of the list; null at its end.
             */
            next_cursor: string | null;
        };
        /**
         * BundleReport
         * @description The result of an export or an import of a bundle, or of a copy.
         */
        BundleReport: {
            /**
             * Bank
             * @description Name of the bank.
             */
            bank: string;
            /**
             * Bytes
             * @description Size of the bundle in bytes.
             */
            bytes: number;
            /**
             * Images
             * @description Number of images.
             */
            images: number;
            /**
             * Keeps References
             * @description Whether references to its messages, such as `k7q`, mean the same here. They do not where the database has given their numbers to other messages.
             * @default true
             */
            keeps_references: boolean;
            /**
             * Messages
             * @description Number of messages.
             */
            messages: number;
            /**
             * Pages
             * @description Number of pages.
             */
            pages: number;
            /**
             * Records
             * @description Number of records.
             */
            records: number;
            /**
             * Renamed Pages
             * @description Number of pages with new ids, because the database has theirs already.
             * @default 0
             */
            renamed_pages: number;
            /**
             * Unreadable
             * @description Why pages cannot be read here, and how many; what is kept of their text can.
             * @default {}
             */
            unreadable: {
                [key: string]: number;
            };
        };
        /**
         * CheckRecord
         * @description Changes nothing, but fails the whole call (409) unless the record has this version.
         */
        CheckRecord: {
            /**
             * If Version
             * @description Required version of the record; 0: it must not exist. If another version is stored, the whole call fails (409).
             */
            if_version: number;
            /**
             * Key
             * @description Key, unique in its namespace.
             */
            key: string;
            /**
             * Namespace
             * @description Labels, from the widest to the narrowest.
             */
            namespace: string[];
            /**
             * @description The operation. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            op: "check";
        };
        /**
         * ClearRecords
         * @description Deletes all records of a namespace and of the namespaces below it.
         */
        ClearRecords: {
            /**
             * Namespace
             * @description Labels, from the widest to the narrowest.
             */
            namespace: string[];
            /**
             * @description The operation. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            op: "clear";
        };
        /**
         * CompressRequest
         * @description A conversation, or the part of it that may be compressed. Other fields are accepted and ignored.
         */
        CompressRequest: {
            /**
             * Config
             * @description Options, such as `{"mode": "ccr"}`; accepted and ignored: what is left out can always be retrieved.
             */
            config?: {
                [key: string]: components["schemas"]["JsonValue"];
            } | null;
            /**
             * Messages
             * @description Messages in the format of chat completions, oldest first. LiteLLM leaves out those that must stay as they are.
             */
            messages: {
                [key: string]: components["schemas"]["JsonValue"];
            }[];
            /**
             * Model
             * @description Name of the model that the request goes to; accepted and ignored.
             */
            model?: string | null;
        };
        /**
         * CompressResult
         * @description A conversation with excerpts in place of its long older texts.
         */
        CompressResult: {
            /**
             * Ccr Hashes
             * @description Hashes of the texts that excerpts stand for, in order: 24 hexadecimal digits each.
             */
            ccr_hashes: string[];
            /**
             * Compression Ratio
             * @description Share of `tokens_before` that is saved, 0 to 1.
             */
            compression_ratio: number;
            /**
             * Messages
             * @description As many messages as were given, in their order, with their roles. Only texts of user and tool messages differ.
             */
            messages: {
                [key: string]: components["schemas"]["JsonValue"];
            }[];
            /**
             * New Hashes
             * @description Number of texts that this call replaced for the first time.
             * @default 0
             */
            new_hashes: number;
            /**
             * Note
             * @description Why this call replaced no text for the first time; null if it did. The log has it as well.
             */
            note?: string | null;
            /**
             * Tokens After
             * @description Tokens of `messages`.
             */
            tokens_after: number;
            /**
             * Tokens Before
             * @description Tokens of the messages given.
             */
            tokens_before: number;
            /**
             * Tokens Saved
             * @description `tokens_before` less `tokens_after`.
             */
            tokens_saved: number;
            /**
             * Transforms Applied
             * @description `["excerpt"]` if there are excerpts, else empty.
             */
            transforms_applied: string[];
        };
        /**
         * Condition
         * @description A comparison of a member of a record's value, which is a JSON object.
         */
        Condition: {
            /**
             * Member
             * @description Name of the member, or names joined by dots for a member of an object in the value.
             */
            member: string;
            /**
             * Op
             * @description Comparison operator. A missing member is null. Only two numbers or two strings are ordered.
             * @enum {string}
             */
            op?: "eq" | "ne" | "gt" | "gte" | "lt" | "lte";
            /** @description Value to compare the member with. */
            value: components["schemas"]["JsonValue"];
        };
        /**
         * ContextRequest
         * @description A request for context: the reader, its budget and the query.
         */
        ContextRequest: {
            /**
             * As
             * @description Provider whose request format the content has; openai: chat completions; openai-responses: the Responses API; blocks: independent of providers. Default: the reader's provider.
             */
            as?: ("anthropic" | "openai" | "openai-responses" | "gemini" | "blocks") | null;
            /**
             * Banks
             * @description Further banks to recall from, such as those of a person, a project and a branch: their messages are ranked together with those of the bank of the call, and each names its bank. A bank that does not exist gives nothing and a note.
             */
            banks?: string[] | null;
            /**
             * Budget
             * @description Maximum number of tokens that the reader bills for the content.
             */
            budget: number;
            /**
             * Cached Tokens
             * @description Number of tokens of the bank's history that the provider's prompt cache holds as text, oldest first. Page images are then shown only where they cost less than their text read from the cache. Default: 0, and no cache is used.
             */
            cached_tokens?: number | null;
            /**
             * Facts
             * @description Maximum number of tokens, of those of the budget, of the standing facts with which the content begins: what the bank's messages state that still holds, the newest last. Default: none.
             */
            facts?: number;
            /**
             * Images Used
             * @description Number of images already in the request, which count towards the limits of the provider. Default: those in `messages`.
             */
            images_used?: number | null;
            /**
             * Keepsakes
             * @description Whether to list the identifiers and figures on page images as text beside them. They are listed anyway for a reader whose type was not measured to misread no identifier silently, and never for `native`.
             */
            keepsakes?: boolean;
            /**
             * Messages
             * @description Messages already in the prompt, in the provider's format, oldest first. The content does not repeat them.
             */
            messages?: {
                [key: string]: components["schemas"]["JsonValue"];
            }[] | null;
            /**
             * Min Relevance
             * @description Minimum relevance of the most relevant match: if no match reaches it, nothing is recalled, and the rest of the budget is not spent.
             */
            min_relevance?: number;
            /**
             * Now
             * @description Time to use as the current time: an RFC 3339 time, or a date or words such as “yesterday”, which mean the start of that day. Over HTTP, allowed only in a dry run or if the settings of the service permit it.
             */
            now?: string | null;
            /**
             * Omit
             * @description Ids of messages that the content leaves out, such as those of earlier contexts in the prompt.
             */
            omit?: string[];
            /** @description Prices of a token: uncached, read from the cache, and written to it. Default: 1, 0.1 and 1.25 with `cached_tokens`, and 1 each without. */
            prices?: components["schemas"]["TokenPrices"] | null;
            /**
             * Query
             * @description Query to recall. Default: the text of the last user message in `messages`.
             */
            query?: string | null;
            /**
             * Reader
             * @description Name of the reader, such as 'claude', 'gpt-6', 'gemini-3' or 'text'.
             */
            reader: string;
            /**
             * Refs
             * @description Whether each message shown as text begins with its reference, such as [k7q], for `fetch`. On page images it always does.
             */
            refs?: boolean;
            /**
             * Shape
             * @description Whether the messages that match best answer, or the episode that they belong to: a task, or a conversation between two long pauses, in its order, with what was asked and decided, the newest steps, and of long results the parts that matter. auto: an episode where the query is not a question and its words concentrate there.
             * @enum {string}
             */
            shape?: "auto" | "messages" | "episode";
            /**
             * Show
             * @description Form of recalled messages: text or page image, whichever shows more per billed token, or only one of them.
             * @enum {string}
             */
            show?: "best" | "text" | "images";
            /**
             * Thread
             * @description Thread whose last messages are included verbatim; recall searches all threads. Default: any.
             */
            thread?: string | null;
            /**
             * Timezone
             * @description Time zone of dates and relative times, for example 'Europe/Berlin'. Default: UTC.
             */
            timezone?: string | null;
        };
        /**
         * ContextResult
         * @description Content for the prompt of a reader.
         */
        ContextResult: {
            /**
             * Billed Tokens
             * @description Tokens that the reader bills for the content.
             */
            billed_tokens: number;
            /**
             * Content
             * @description Content blocks in the requested format, for a user message or the result of a tool, never for `system`: standing facts, if asked for, recalled page images and texts, then the last messages verbatim. Remembered text is fenced by tags and said to be quoted. For a reader that sees, images of the best matches and the last messages come at the end, each after its label. Deterministic: the same memory and request give the same bytes.
             */
            content: {
                [key: string]: components["schemas"]["JsonValue"];
            }[];
            /**
             * Fact Ids
             * @description Ids of the standing facts shown, in content order.
             */
            fact_ids?: string[];
            /**
             * Formula
             * @description The reader's billing formula for images, and the tokenizer that counts text.
             */
            formula: string;
            /**
             * Image Tokens
             * @description Those of `billed_tokens` for page images, their labels, the identifiers beside them, and images of messages.
             * @default 0
             */
            image_tokens: number;
            /**
             * Images Free
             * @description Number of images that the request may still hold beside those of the content and those already in it; null for a text-only reader.
             */
            images_free?: number | null;
            /**
             * Message Ids
             * @description Ids of the messages shown, whole or in part, in content order.
             */
            message_ids: string[];
            /**
             * Notes
             * @description Omissions and degradations, with the reason.
             */
            notes?: string[];
            /**
             * Partial Message Ids
             * @description Those of `message_ids` that a page image shows in part; the content includes their complete text.
             */
            partial_message_ids?: string[];
            /**
             * Price
             * @description Price of the content the first time it is sent, in the unit of `prices`.
             * @default 0
             */
            price: number;
            /**
             * Price As Text
             * @description Price of the same messages as text, as much of it read from the cache as that holds.
             * @default 0
             */
            price_as_text: number;
            /**
             * Reader
             * @description Name of the reader.
             */
            reader: string;
            /**
             * Request Fields
             * @description Fields to set in the body of the request, beside the messages, so that the provider leaves the images as they are.
             */
            request_fields?: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /**
             * Stable Blocks
             * @description Number of leading blocks that do not change when a message is stored, and so can be cached; the one with standing facts changes when a message states or ends one.
             */
            stable_blocks: number;
            /**
             * Text Tokens Instead
             * @description Tokens that the same messages would cost as text, with the same images of messages.
             */
            text_tokens_instead: number;
        };
        /**
         * DeleteRecord
         * @description Deletes a record if it exists.
         */
        DeleteRecord: {
            /**
             * If Version
             * @description Required version of the record; 0: it must not exist. If another version is stored, the whole call fails (409).
             */
            if_version?: number | null;
            /**
             * Key
             * @description Key, unique in its namespace.
             */
            key: string;
            /**
             * Namespace
             * @description Labels, from the widest to the narrowest.
             */
            namespace: string[];
            /**
             * @description The operation. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            op: "delete";
        };
        /**
         * DueWork
         * @description Work that the scheduler has in a bank now. Zero throughout if it keeps up.
         */
        DueWork: {
            /**
             * Messages To Seal
             * @description Number of open messages that may be due to be sealed: they may fill a page, or the oldest has reached `seal_after`.
             * @default 0
             */
            messages_to_seal: number;
            /**
             * Pages To Age
             * @description Number of pages that the policy moves to a lower tier, or whose exact text it drops.
             * @default 0
             */
            pages_to_age: number;
        };
        /**
         * ErasureReport
         * @description The result of a permanent erasure.
         */
        ErasureReport: {
            /**
             * Bank
             * @description Name of the bank.
             */
            bank: string;
            /**
             * Bytes After
             * @description The same bytes after.
             */
            bytes_after: number;
            /**
             * Bytes Before
             * @description Bytes of vision tokens and kept text of these pages, or of the bank, before.
             */
            bytes_before: number;
            /**
             * Log Erased
             * @description Whether SQLite's write-ahead log was truncated. If a reader was using it, the scheduler truncates it later. PostgreSQL keeps old rows until VACUUM FULL.
             */
            log_erased: boolean;
            /**
             * Messages
             * @description Number of messages erased.
             */
            messages: number;
            /**
             * Pages
             * @description Pages that held them; empty if the whole bank was erased.
             */
            pages: components["schemas"]["PageErased"][];
        };
        /**
         * ErasureRule
         * @description A rule of a policy: messages that meet all its conditions are erased at age `after`. Without a condition, all
         *     messages of the bank.
         */
        ErasureRule: {
            /**
             * After
             * @description Age of a message, counted from its `created_at`, in ISO 8601. It is erased for good when the scheduler next works on the bank, at most a thirtieth of this time and at most a day later.
             */
            after: string;
            /**
             * Role
             * @description Role of the messages.
             */
            role?: ("system" | "developer" | "user" | "assistant" | "tool") | null;
            /**
             * Thread
             * @description Thread of the messages.
             */
            thread?: string | null;
        };
        /**
         * Fact
         * @description A clause of a message that states what holds. Its words are those of the message as remembered now.
         */
        Fact: {
            /**
             * Fact Id
             * @description Id: the reference of the message and the offset of the clause, such as k7q-12.
             */
            fact_id: string;
            /**
             * Kind
             * @description What it states.
             * @enum {string}
             */
            kind: "promise" | "goal" | "constraint" | "value" | "state";
            /**
             * Message Id
             * @description Id of the message.
             */
            message_id: string;
            /**
             * Name
             * @description Name of the speaker.
             */
            name: string | null;
            /**
             * Pinned
             * @description Whether it is pinned: listed first, whatever its age.
             * @default false
             */
            pinned: boolean;
            /**
             * Ref
             * @description Reference of the message, for `fetch`.
             */
            ref: string;
            /**
             * Role
             * @description Role of the speaker.
             */
            role: string;
            /**
             * Said At
             * Format: date-time
             * @description Time of the message.
             */
            said_at: string;
            /**
             * Start
             * @description Offset of the first character of the clause in the message as it was stored.
             */
            start: number;
            /**
             * Stop
             * @description Offset after its last character.
             */
            stop: number;
            /**
             * Subject
             * @description Whom it is about: who the clause begins with, else the name or the role of the speaker.
             */
            subject: string;
            /**
             * Text
             * @description The clause as remembered now, with a gap mark where words have faded.
             */
            text: string;
            /**
             * Thread
             * @description Thread of the message.
             */
            thread: string;
            /**
             * Trust
             * @description Trust class of the message.
             * @enum {string}
             */
            trust: "user" | "assistant" | "tool" | "web" | "imported" | "unknown";
        };
        /**
         * FactCorrection
         * @description A statement in place of a fact.
         */
        FactCorrection: {
            /**
             * Text
             * @description What holds instead, which is stored as a message of the user.
             */
            text: string;
        };
        /**
         * Facts
         * @description List of what holds: pinned facts, then the others, the newest first.
         */
        Facts: {
            /**
             * Facts
             * @description The facts.
             */
            facts: components["schemas"]["Fact"][];
            /**
             * Faded
             * @description Number of facts of which too few words are left.
             */
            faded: number;
            /**
             * Left Out
             * @description Number of facts beyond `max_tokens`, of those examined.
             */
            left_out: number;
            /**
             * Rendered
             * @description The same as text for a model.
             */
            rendered: string;
            /**
             * Text Tokens
             * @description Tokens of `rendered`.
             */
            text_tokens: number;
        };
        /**
         * FadedMessage
         * @description A message, or the part of it on a page, before and after the page ages.
         */
        FadedMessage: {
            /**
             * After
             * @description Its text after the page ages.
             */
            after: string;
            /**
             * Before
             * @description Its text as the memory holds it now.
             */
            before: string;
            /**
             * Begins Before
             * @description Whether the message begins on an earlier page.
             */
            begins_before: boolean;
            /**
             * Continues After
             * @description Whether the message continues on a later page.
             */
            continues_after: boolean;
            /**
             * Gaps
             * @description Offsets in `after` of the gap marks ⋯.
             */
            gaps: number[];
            /**
             * Message Id
             * @description Id of the message.
             */
            message_id: string;
        };
        /**
         * FetchResult
         * @description The messages of references.
         */
        FetchResult: {
            /**
             * Messages
             * @description The complete messages, as remembered now, in the order of the references, each once.
             */
            messages: components["schemas"]["RecalledMessage"][];
            /**
             * Missing
             * @description The references without a message, with the reason.
             */
            missing?: components["schemas"]["MissingReference"][];
        };
        /**
         * FieldError
         * @description An error in a field of a request.
         */
        FieldError: {
            /**
             * Message
             * @description What is wrong and how to correct it.
             */
            message: string;
            /**
             * Where
             * @description Path of the field, for example `body.messages.0.created_at`.
             */
            where: string;
        };
        /**
         * FilesOfImport
         * @description Files of a history that are read together, such as those of an export, or one file.
         */
        FilesOfImport: {
            /**
             * Files
             * @description Number of the files.
             */
            files: number;
            /**
             * First
             * @description Path of the first of them.
             */
            first: string;
            /**
             * Format
             * @description Their format; null if they are left out.
             */
            format: string | null;
            /**
             * Left Out
             * @description Why they are left out; null if they are read.
             */
            left_out: string | null;
            /**
             * Messages
             * @description Number of messages read from them.
             */
            messages: number;
        };
        /**
         * FoldRequest
         * @description A conversation as its client holds it, and what is known of the cache that it meets.
         */
        FoldRequest: {
            /**
             * Ahead
             * @description Whether the fold is for the call after this one, so that it can be made while the model answers: this call has been sent without it.
             */
            ahead?: boolean;
            /**
             * Binds Thinking
             * @description Whether the model refuses thinking blocks whose conversation before them has changed. While a tool call whose turn has thinking is being answered, such a conversation is not folded. Only for anthropic. Default: as the model does; true for an unknown one.
             */
            binds_thinking?: boolean | null;
            /**
             * Budget
             * @description Maximum number of tokens to send, `system` and `tools` included. Default: three quarters of the window of the model, or of the part of it that costs the ordinary price; 96,000 for an unknown one.
             */
            budget?: number | null;
            /**
             * Cache
             * @description Whether the provider's prompt cache still holds what the last call sent. Default: derived from `last_call_at`, and warm without it.
             */
            cache?: ("warm" | "cold") | null;
            /**
             * Cache Ttl S
             * @description Seconds for which the provider's cache holds what was last used.
             */
            cache_ttl_s?: number;
            /**
             * Last Call At
             * @description Time of the session's last call. The cache is cold `cache_ttl_s` later.
             */
            last_call_at?: string | null;
            /**
             * Messages
             * @description The whole conversation, as it would be sent without folding: the messages or input items of the request, oldest first.
             */
            messages: {
                [key: string]: components["schemas"]["JsonValue"];
            }[];
            /**
             * Model
             * @description Id of the model that the request goes to, whose window, prices and thinking count. Default: `reader`.
             */
            model?: string | null;
            /** @description Prices of a token: uncached, read from the cache, and written to it. Default: those of the model; 1, 0.1 and 1.25 for an unknown one. */
            prices?: components["schemas"]["TokenPrices"] | null;
            /**
             * Reader
             * @description Name of the reader, which is the model that the request goes to, such as 'claude-fable-5' or 'text'.
             */
            reader: string;
            /**
             * Refused
             * @description Number of a fold whose messages the provider has refused although it takes the conversation as it is. Neither it nor an earlier one is applied again. The conversation is folded again when it has grown by ten calls of the model; after each further refusal, by twice as many.
             */
            refused?: number | null;
            /**
             * Session
             * @description Id of the session. Folded messages are stored under it as their thread. Conversations of a session with different first user messages, such as those of sub-agents, are folded apart.
             */
            session: string;
            /** @description `system`, `instructions` or `systemInstruction` of the request, which is only counted. Default: none. */
            system?: components["schemas"]["JsonValue"];
            /** @description `tools` of the request, which are only counted. Default: none. */
            tools?: components["schemas"]["JsonValue"];
            /**
             * Wire
             * @description Request format of `messages`: anthropic: `/v1/messages`; openai: `/v1/chat/completions`; openai-responses: `input` of `/v1/responses`; gemini: `contents` of `generateContent`.
             * @enum {string}
             */
            wire: "anthropic" | "openai" | "openai-responses" | "gemini";
        };
        /**
         * FoldResult
         * @description A conversation to send, with its older history folded.
         */
        FoldResult: {
            /**
             * Edited
             * @description Whether the client has changed messages that an earlier fold contains, so that this fold no longer applies.
             * @default false
             */
            edited: boolean;
            /**
             * Fold
             * @description Number of the fold in its conversation, from 1; 0 if nothing is folded.
             */
            fold: number;
            /**
             * Folded
             * @description Number of messages of the conversation given that one message now stands for.
             */
            folded: number;
            /**
             * Folded At
             * @description Position of this message in `messages`; null if nothing is folded.
             */
            folded_at: number | null;
            /**
             * Folded Tokens
             * @description Those of `sent_tokens` for the folded part.
             */
            folded_tokens: number;
            /**
             * Formula
             * @description The reader's billing formula for images, and the tokenizer that counts text.
             */
            formula: string;
            /**
             * Images
             * @description Number of images in the folded part: page images, and those that it shows.
             * @default 0
             */
            images: number;
            /**
             * Messages
             * @description The conversation to send in place of the one given. Until the next fold, the part up to its end is the same JSON at every call.
             */
            messages: {
                [key: string]: components["schemas"]["JsonValue"];
            }[];
            /**
             * Notes
             * @description Omissions and degradations, with the reason.
             */
            notes?: string[];
            /**
             * Over Budget
             * @description Whether `messages` exceed the budget because the conversation cannot be folded before an open tool call is answered, or because the provider has refused a fold of it.
             * @default false
             */
            over_budget: boolean;
            /**
             * Reader
             * @description Name of the reader.
             */
            reader: string;
            /**
             * Reason
             * @description Why this call made a fold: limit, cold or pays. Null if it made none.
             */
            reason?: ("limit" | "cold" | "pays") | null;
            /**
             * Request Fields
             * @description Fields to set in the body of the request, beside the messages, so that the provider leaves the images as they are.
             */
            request_fields?: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /**
             * Sent Tokens
             * @description Tokens of `messages`, `system` and `tools`.
             */
            sent_tokens: number;
            /**
             * Unfolded Tokens
             * @description Tokens of the conversation given, `system` and `tools`.
             */
            unfolded_tokens: number;
        };
        /**
         * FoundRecords
         * @description Records fetched by key.
         */
        FoundRecords: {
            /**
             * Records
             * @description Records, in the order of the keys; null for a missing one.
             */
            records: (components["schemas"]["Record"] | null)[];
        };
        /**
         * Function
         * @description The function of a `FunctionCall`.
         */
        Function: {
            /**
             * Arguments
             * @description Arguments: a string that contains a JSON object, or the object.
             */
            arguments: string | {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /**
             * Name
             * @description Name of the tool.
             */
            name: string;
        };
        /**
         * FunctionCall
         * @description A tool call in the format of OpenAI's chat messages.
         */
        FunctionCall: {
            /** @description The tool and its arguments. */
            function: components["schemas"]["Function"];
            /**
             * Id
             * @description Id of the call; its result refers to it.
             */
            id: string;
            /**
             * Type
             * @description Always `function`.
             * @constant
             */
            type?: "function";
        };
        /**
         * Health
         * @description Result of a health check that passed.
         */
        Health: {
            /**
             * Status
             * @default ok
             * @constant
             */
            status: "ok";
        };
        /**
         * Hold
         * @description A legal hold.
         */
        Hold: {
            /**
             * Bank
             * @description Bank that is held; null for a hold on a person.
             */
            bank: string | null;
            /**
             * Id
             * @description Public id.
             */
            id: string;
            /**
             * Key Id
             * @description Id of the key that set it; null for the operator.
             */
            key_id: string | null;
            /**
             * Person
             * @description Speaker whose messages are held; null for a hold on a bank.
             */
            person: string | null;
            /**
             * Reason
             * @description Why it is held.
             */
            reason: string;
            /**
             * Since
             * Format: date-time
             * @description Time at which it was set.
             */
            since: string;
        };
        /**
         * HoldRequest
         * @description A legal hold to set, on a bank or on a person.
         */
        HoldRequest: {
            /**
             * Bank
             * @description Name of the bank that is held. Not with `person`.
             */
            bank?: string | null;
            /**
             * Person
             * @description Name of a speaker, compared without case: what they said is held in all banks of the caller, also in those that come later. Not with `bank`.
             */
            person?: string | null;
            /**
             * Reason
             * @description Why it is held, such as the number of a case.
             */
            reason: string;
        };
        /**
         * Holds
         * @description The legal holds of a caller.
         */
        Holds: {
            /**
             * Holds
             * @description Holds in the order in which they were set.
             */
            holds: components["schemas"]["Hold"][];
        };
        /**
         * ImagePart
         * @description An image: a PNG, JPEG, WebP or GIF of at most 10 MiB and 40 million pixels, or a URL, which is kept as text and
         *     never fetched. Metadata is dropped, and of an animation the first frame is kept. Image parts of Anthropic, OpenAI
         *     and Gemini are accepted as well, and become this.
         *
         *     In text a label stands for it. What recall returns has `original`, and may be stored again.
         */
        ImagePart: {
            /**
             * Alt
             * @description What the image shows, in words; recall finds it.
             */
            alt?: string | null;
            /**
             * Data
             * @description The file in Base64, or a data URL; either this or `url`.
             */
            data?: string | null;
            /**
             * Height
             * @description Height in pixels; read from `data`.
             */
            height?: number | null;
            /** @description Text in the image as a machine (OCR) read it when its page was sealed; null without the extra `ocr`, or without text. It may be misread. Recall finds the image by it. */
            machine_read?: components["schemas"]["MachineReadText"] | null;
            /**
             * Media Type
             * @description Media type of `data`, such as `image/png`. Default: what `data` is.
             */
            media_type?: string | null;
            /**
             * Name
             * @description File name.
             */
            name?: string | null;
            /** @description The image as it was stored. In what recall returns; it may then have neither `data` nor `url`, because the policy dropped the image or the answer has no room for it. */
            original?: components["schemas"]["OriginalImage"] | null;
            /**
             * Tier
             * @description Tier at which the memory holds the image; null as long as it is as it came.
             */
            tier?: ("large" | "base" | "small" | "tiny" | "micro") | null;
            /**
             * @description `image`; required in JSON. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "image";
            /**
             * Url
             * @description URL of the image, which is not fetched; either this or `data`.
             */
            url?: string | null;
            /**
             * Width
             * @description Width in pixels; read from `data`.
             */
            width?: number | null;
        };
        /**
         * ImportJob
         * @description An import that a service carries out. Its file has been read completely and is valid.
         */
        ImportJob: {
            /**
             * Bank
             * @description Name of the bank.
             */
            bank: string;
            /**
             * Created At
             * Format: date-time
             * @description Time of its acceptance.
             */
            created_at: string;
            /**
             * Done
             * @description Number of messages that were stored, were known already, or were left out.
             */
            done: number;
            /**
             * Duplicates
             * @description Number of messages so far that were already stored.
             */
            duplicates: number;
            /** @description Why it failed or stopped, as a problem document. */
            error: components["schemas"]["Problem"] | null;
            /**
             * File
             * @description Name of the file.
             */
            file: string;
            /**
             * Id
             * @description Id of the import.
             */
            id: string;
            /**
             * Messages
             * @description Number of messages read.
             */
            messages: number;
            /** @description Report, once it is done. */
            report: components["schemas"]["ImportReport"] | null;
            /**
             * Seconds Left
             * @description Estimate of the seconds until it is done; null if not running.
             */
            seconds_left: number | null;
            /**
             * State
             * @description 'waiting' for another import of the service, 'running', 'done', 'failed' (see `error`), 'cancelled', or 'stopped' if the service ended meanwhile. Send the file again after 'failed' and 'stopped': what is stored is not stored twice.
             * @enum {string}
             */
            state: "waiting" | "running" | "done" | "failed" | "cancelled" | "stopped";
            /**
             * Stored
             * @description Number of new messages so far.
             */
            stored: number;
            /**
             * Updated At
             * Format: date-time
             * @description Time of the last change.
             */
            updated_at: string;
        };
        /**
         * ImportPreview
         * @description Preview of an import.
         */
        ImportPreview: {
            /**
             * Duplicates
             * @description Number of messages that are already stored; null if they were not compared with a bank.
             */
            duplicates?: number | null;
            /**
             * Files
             * @description Files, those left out first, then in the order of their paths; at most 200.
             * @default []
             */
            files: components["schemas"]["FilesOfImport"][];
            /**
             * First At
             * @description Time of the oldest message; null if none has a time.
             */
            first_at: string | null;
            /**
             * Formats
             * @description Number of files or archives of each format.
             */
            formats: {
                [key: string]: number;
            };
            /**
             * Languages
             * @description Language code → number of messages, for languages that are known.
             */
            languages: {
                [key: string]: number;
            };
            /**
             * Last At
             * @description Time of the newest message.
             */
            last_at: string | null;
            /**
             * Left Out
             * @description What was left out, by reason.
             */
            left_out: components["schemas"]["LeftOutOfImport"][];
            /**
             * Messages
             * @description Number of messages read.
             */
            messages: number;
            /**
             * Quarantined
             * @description Number of messages that the bank's policy would quarantine.
             * @default 0
             */
            quarantined: number;
            /**
             * Recognised By
             * @description By what the first was recognised; null if the format was given.
             */
            recognised_by: string | null;
            /**
             * Redacted
             * @description Number of matches that the bank's policy would replace, by rule.
             * @default {}
             */
            redacted: {
                [key: string]: number;
            };
            /**
             * Stored
             * @description Number of messages that would be new; null if they were not compared with a bank.
             */
            stored?: number | null;
            /**
             * Text Tokens
             * @description Number of text tokens of the messages.
             */
            text_tokens: number;
            /**
             * Threads
             * @description Number of threads that the messages belong to.
             */
            threads: number;
            /**
             * Would Redact
             * @description Number of matches in the messages of the rules of redaction `secrets`, `iban` and `card`, by rule; a policy that has a rule replaces its matches.
             * @default {}
             */
            would_redact: {
                [key: string]: number;
            };
        };
        /**
         * ImportReport
         * @description Report of an import.
         */
        ImportReport: {
            /** @description When the first of the new messages will age under the current policy, and to which tiers; null if none is new. */
            ageing: components["schemas"]["AgeingForecast"] | null;
            /**
             * Duplicates
             * @description Number of messages that were already stored.
             */
            duplicates: number;
            /**
             * Files
             * @description Files, those left out first, then in the order of their paths; at most 200.
             * @default []
             */
            files: components["schemas"]["FilesOfImport"][];
            /**
             * First At
             * @description Time of the oldest message; null if none has a time.
             */
            first_at: string | null;
            /**
             * Formats
             * @description Number of files or archives of each format.
             */
            formats: {
                [key: string]: number;
            };
            /**
             * Last At
             * @description Time of the newest message.
             */
            last_at: string | null;
            /**
             * Left Out
             * @description What was left out, by reason.
             */
            left_out: components["schemas"]["LeftOutOfImport"][];
            /**
             * Messages
             * @description Number of messages read.
             */
            messages: number;
            /**
             * Quarantined
             * @description Number of new messages that the bank's policy has quarantined.
             * @default 0
             */
            quarantined: number;
            /**
             * Recognised By
             * @description By what the first was recognised; null if the format was given.
             */
            recognised_by: string | null;
            /**
             * Redacted
             * @description Number of matches that the bank's policy replaced, by rule.
             */
            redacted: {
                [key: string]: number;
            };
            /**
             * Stored
             * @description Number of new messages.
             */
            stored: number;
            /**
             * Threads
             * @description Number of threads that the messages belong to.
             */
            threads: number;
            /**
             * Would Redact
             * @description Number of matches in the messages read of those rules of redaction, of `secrets`, `iban` and `card`, that the bank's policy does not have, by rule. They are stored as they are.
             * @default {}
             */
            would_redact: {
                [key: string]: number;
            };
        };
        /**
         * Job
         * @description A job. It continues whether or not a caller waits for it, and is resumed by another process if that of the
         *     service ends, but for an import, whose file went with the process.
         */
        Job: {
            /**
             * Attempts
             * @description Number of times that it began. Above 1 after a process ended; `done`, `total` and `result` are then of the last time, and what was complete before stays.
             */
            attempts: number;
            /**
             * Bank
             * @description Name of the bank; null for the erasure of what a person said in all banks.
             */
            bank: string | null;
            /**
             * Created At
             * Format: date-time
             * @description Time of its acceptance.
             */
            created_at: string;
            /**
             * Done
             * @description Number of messages or pages that are complete since it last began.
             */
            done: number;
            /**
             * Ended At
             * @description Time of its end; null until then.
             */
            ended_at: string | null;
            /** @description Why it failed or stopped, as a problem document. */
            error: components["schemas"]["Problem"] | null;
            /**
             * Id
             * @description Id of the job.
             */
            id: string;
            /**
             * Kind
             * @description What it does: the call that started it.
             * @enum {string}
             */
            kind: "import" | "seal" | "age" | "undo" | "reencode" | "erase_thread" | "erase_bank" | "erase_person";
            /**
             * Result
             * @description What its call responds when it is complete at once; null until it is done. After the erasure of what a person said, `person` and `threads` are empty: what is erased is not kept here either.
             */
            result: components["schemas"]["SealReport"] | components["schemas"]["AgeReport"] | components["schemas"]["UndoReport"] | components["schemas"]["ReencodingReport"] | components["schemas"]["ErasureReport"] | components["schemas"]["ImportReport"] | components["schemas"]["PersonErasure"] | null;
            /**
             * Started At
             * @description Time at which it first began; null if it has not.
             */
            started_at: string | null;
            /**
             * State
             * @description 'waiting' to begin or to be resumed, 'running', 'done' (see `result`), 'failed' (see `error`), 'cancelled', or 'stopped' for an import whose service ended. Until an erasure is 'done', messages that it has not reached can be recalled.
             * @enum {string}
             */
            state: "waiting" | "running" | "done" | "failed" | "cancelled" | "stopped";
            /**
             * Total
             * @description Number of them that it had to do then; null until it is known.
             */
            total: number | null;
        };
        /**
         * Jobs
         * @description Jobs of a bank, the newest first.
         */
        Jobs: {
            /**
             * Jobs
             * @description The jobs.
             */
            jobs: components["schemas"]["Job"][];
            /**
             * Next Cursor
             * @description Cursor of the next page; null on the last page.
             */
            next_cursor: string | null;
        };
        JsonValue: unknown;
        /**
         * KeyInfo
         * @description A key, without its secret.
         */
        KeyInfo: {
            /**
             * Banks
             * @description Patterns of the banks that the key opens; null for all.
             */
            banks: string[] | null;
            /**
             * Created At
             * Format: date-time
             * @description Time at which it was created.
             */
            created_at: string;
            /**
             * Expires At
             * @description Time from which it no longer works; null for none.
             */
            expires_at: string | null;
            /**
             * Id
             * @description Public id, the beginning of the key after `foxing_`.
             */
            id: string;
            /**
             * Last Used At
             * @description Time of its last use, to the minute; null if unused.
             */
            last_used_at: string | null;
            /**
             * Name
             * @description Who uses the key.
             */
            name: string;
            /**
             * Recalls At Once
             * @description Recalls at the same time; null for no limit.
             */
            recalls_at_once?: number | null;
            /**
             * Requests Per S
             * @description Requests a second that it may send; null for no limit.
             */
            requests_per_s?: number | null;
            /**
             * Revoked At
             * @description Time at which it was revoked; null if it was not.
             */
            revoked_at: string | null;
            /**
             * Role
             * @description What the key permits.
             * @enum {string}
             */
            role: "read" | "write" | "admin";
            /**
             * Tenant
             * @description Tenant that the key belongs to; null for none.
             */
            tenant: string | null;
        };
        /**
         * KeyRequest
         * @description A key to create.
         */
        KeyRequest: {
            /**
             * Banks
             * @description Names of the banks that the key opens, in which `*` stands for any characters and `?` for one. For other banks it gets the answer for a bank that does not exist. Default: all banks. Not with `admin`.
             */
            banks?: string[] | null;
            /**
             * Expires After
             * @description Time after which the key no longer works, in ISO 8601. Default: never.
             */
            expires_after?: string | null;
            /**
             * Name
             * @description Who uses the key, for people. Several keys may have one name.
             */
            name: string;
            /**
             * Recalls At Once
             * @description Recalls and other calls of the codec that each process answers at the same time for the key, beside the limit of its tenant. Further ones get 429. Default: no limit.
             */
            recalls_at_once?: number | null;
            /**
             * Requests Per S
             * @description Requests a second, on average, that each process of the service accepts with the key, beside the limit of its tenant. Further requests get 429. Default: no limit.
             */
            requests_per_s?: number | null;
            /**
             * Role
             * @description `read` recalls and lists; `write` also stores, imports, pins and erases messages; `admin` also erases banks, sets policies, seals, ages and manages keys.
             * @enum {string}
             */
            role: "read" | "write" | "admin";
            /**
             * Tenant
             * @description Tenant that the key belongs to, whose banks alone exist for it. A tenant exists with its first key. Default: the tenant of the caller, or none: a key for the banks of all tenants.
             */
            tenant?: string | null;
        };
        /**
         * KeyRotation
         * @description Replacement of a key.
         */
        KeyRotation: {
            /**
             * Overlap
             * Format: duration
             * @description Time for which the old key works on, in ISO 8601. Default: none.
             */
            overlap?: string;
        };
        /**
         * Keys
         * @description A list of keys, with a cursor.
         */
        Keys: {
            /**
             * Keys
             * @description Keys in the order in which they were created.
             */
            keys: components["schemas"]["KeyInfo"][];
            /**
             * Next Cursor
             * @description Cursor of the next page of the list; null at its end.
             */
            next_cursor: string | null;
        };
        /**
         * LeftOut
         * @description A message that matches but is not in the answer.
         */
        LeftOut: {
            /**
             * Message Id
             * @description Id of the message.
             */
            message_id: string;
            /**
             * Reason
             * @description max_tokens: it does not fit the budget, and is returned with a later page of the list; not_verbatim: its exact text is not kept; unreadable: its pages cannot be read at the moment.
             * @enum {string}
             */
            reason: "max_tokens" | "not_verbatim" | "unreadable";
        };
        /**
         * LeftOutOfImport
         * @description Part of a history that an import leaves out, for one reason.
         */
        LeftOutOfImport: {
            /**
             * Count
             * @description How many.
             */
            count: number;
            /**
             * First
             * @description Place of the first: a file, with the line or the number in it.
             */
            first: string;
            /**
             * Reason
             * @description Why it is left out.
             */
            reason: string;
        };
        /**
         * Line
         * @description A row of a page as read.
         */
        Line: {
            /**
             * Confidence
             * @description Mean probability that a character is correct, 0 to 1.
             */
            confidence: number;
            /**
             * Row
             * @description Number of the row, from 0.
             */
            row: number;
            /**
             * Text
             * @description Text of the row.
             */
            text: string;
        };
        /**
         * MachineReadText
         * @description Text in an image as a machine (OCR) read it: it may be misread.
         */
        MachineReadText: {
            /**
             * Confidence
             * @description Mean confidence of its characters, 0 to 1.
             */
            confidence: number;
            /**
             * Text
             * @description The text, in lines.
             */
            text: string;
        };
        /**
         * MatchScore
         * @description Parts of the score of a match: `score` is the sum of words, meaning and neighbours, times `preference`.
         */
        MatchScore: {
            /**
             * Meaning
             * @description For being close to the query in meaning; 0 without an embedder.
             */
            meaning: number;
            /**
             * Message Id
             * @description Id of the message.
             */
            message_id: string;
            /**
             * Neighbours
             * @description Lent by the messages around it in its thread.
             */
            neighbours: number;
            /**
             * Preference
             * @description Factor for the time and the speakers that the query mentions, at most 1.
             */
            preference: number;
            /**
             * Score
             * @description Score of the match.
             */
            score: number;
            /**
             * Words
             * @description For words of the query, and for words that go with them in the best matches; with what a message gains that holds an identifier of the query.
             */
            words: number;
        };
        /**
         * MessageInfo
         * @description A message as remembered, with its keepsakes and its recall weight.
         */
        MessageInfo: {
            /**
             * Arrived At
             * Format: date-time
             * @description Time at which it was stored in the bank; for a sealed message, the latest such time on its pages.
             */
            arrived_at: string;
            /**
             * Bank
             * @description Its bank, where a recall names `banks`; null otherwise.
             */
            bank?: string | null;
            /**
             * Confidence
             * @description Mean probability that a character is correct, 0 to 1, without gaps.
             */
            confidence: number;
            /**
             * Created At
             * Format: date-time
             * @description Time of the message.
             */
            created_at: string;
            /**
             * Episode
             * @description Id of the first message of the episode that it is returned with; null if messages answer. The spans of an episode follow each other in their order.
             */
            episode?: string | null;
            /**
             * Expires At
             * @description Time at which it expires; null if it does not, and in answers to questions. Exports and the answer for a single message have it.
             */
            expires_at?: string | null;
            /**
             * Gaps
             * @description Offsets in `text` of the gap marks, “ … ” unless the query or a setting chooses another. The same characters at other offsets belong to the message.
             */
            gaps: number[];
            /**
             * Keepsakes
             * @description Its exact identifiers that are kept as text at every tier, in text order; empty while it is open.
             * @default []
             */
            keepsakes: string[];
            /**
             * Kept
             * @description Share of its characters that the memory still holds, 0 to 1; 0 if unreadable.
             */
            kept: number;
            /**
             * Left Out
             * @description Offsets in `text` of the marks “ […] ” of an excerpt, where the answer has no room for the rest; `fetch` returns the whole message.
             */
            left_out?: number[];
            /**
             * Matched Faded
             * @description Whether a word of the query found it that has faded from its text; the index keeps rare words unless the policy says otherwise.
             * @default false
             */
            matched_faded: boolean;
            /**
             * Message Id
             * @description Id of the message.
             */
            message_id: string;
            /**
             * Metadata
             * @description Metadata stored with the message; empty if there is none.
             */
            metadata: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /**
             * Name
             * @description Name of the speaker or the tool.
             */
            name: string | null;
            /**
             * Neighbour Ids
             * @description Ids of the neighbours of a match, oldest first, if the query asks for them without text.
             */
            neighbour_ids?: string[];
            /**
             * Neighbour Of
             * @description Id of the match that it is returned with as a neighbour; null for a match.
             */
            neighbour_of?: string | null;
            /**
             * Page Ids
             * @description Ids of the pages that hold it, in text order.
             */
            page_ids: string[];
            /**
             * Parts
             * @description Parts of the content, if it was stored in parts and can still be parsed; null otherwise, and for a passage.
             */
            parts: (components["schemas"]["TextPart"] | components["schemas"]["ToolCall"] | components["schemas"]["ToolResult"] | components["schemas"]["ImagePart"])[] | null;
            /**
             * Passage
             * @description Range of the text in a long message, as the memory holds it: start and stop in characters; null for a whole message.
             */
            passage?: [
                number,
                number
            ] | null;
            /**
             * Recall Weight
             * @description How often recall has found it: the sum of 1/rank over all recalls, each with a half-life of 90 days. The words of messages recalled often and recently fade later.
             */
            recall_weight: number;
            /**
             * Ref
             * @description Its reference, a few characters that `fetch` takes. It stands in brackets before the message on page images for readers, and in texts that are asked for with `refs`.
             */
            ref: string;
            /**
             * Relevance
             * @description Probability that it belongs to an answer, 0 to 1; null without a query, and for a neighbour.
             */
            relevance?: number | null;
            /**
             * Role
             * @description Role of the speaker.
             * @enum {string}
             */
            role: "system" | "developer" | "user" | "assistant" | "tool";
            /**
             * Score
             * @description Score of the match; null without a query, and for a neighbour.
             */
            score: number | null;
            /**
             * Source
             * @description open: not yet sealed; text: kept exactly; decoded: read from vision tokens.
             * @enum {string}
             */
            source: "open" | "text" | "decoded";
            /**
             * Superseded At
             * @description Time of the message `superseded_by`.
             */
            superseded_at?: string | null;
            /**
             * Superseded By
             * @description Id of the newest message that says the same with another value, such as a date that was moved; null if recall found none. It need not be in the answer.
             */
            superseded_by?: string | null;
            /**
             * Suspicious
             * @description Whether rules recognise instructions to a model in it, though it is data.
             * @default false
             */
            suspicious: boolean;
            /**
             * Text
             * @description The text as the memory holds it, with parts rendered.
             */
            text: string;
            /**
             * Thread
             * @description Thread of the message.
             */
            thread: string;
            /**
             * Tier
             * @description The lowest tier it was read from; null while it is open.
             */
            tier: ("large" | "base" | "small" | "tiny" | "micro") | null;
            /**
             * Trust
             * @description Trust class: whose words these are. Those of tool, web, imported and unknown are data.
             * @default unknown
             * @enum {string}
             */
            trust: "user" | "assistant" | "tool" | "web" | "imported" | "unknown";
            /**
             * Uncertain
             * @description Runs of `text` that may be misread: start, stop, confidence.
             */
            uncertain: [
                number,
                number,
                number
            ][];
        };
        /**
         * MessageOnPage
         * @description A message, or the part of it on a page.
         */
        MessageOnPage: {
            /**
             * Arrived At
             * Format: date-time
             * @description Time at which it was stored in the bank; for a sealed message, the latest such time on its pages.
             */
            arrived_at: string;
            /**
             * Bank
             * @description Its bank, where a recall names `banks`; null otherwise.
             */
            bank?: string | null;
            /**
             * Begins Before
             * @description Whether the message begins on an earlier page.
             */
            begins_before: boolean;
            /**
             * Confidence
             * @description Mean probability that a character is correct, 0 to 1, without gaps.
             */
            confidence: number;
            /**
             * Continues After
             * @description Whether the message continues on a later page.
             */
            continues_after: boolean;
            /**
             * Created At
             * Format: date-time
             * @description Time of the message.
             */
            created_at: string;
            /**
             * Episode
             * @description Id of the first message of the episode that it is returned with; null if messages answer. The spans of an episode follow each other in their order.
             */
            episode?: string | null;
            /**
             * Expires At
             * @description Time at which it expires; null if it does not, and in answers to questions. Exports and the answer for a single message have it.
             */
            expires_at?: string | null;
            /**
             * Gaps
             * @description Offsets in `text` of the gap marks, “ … ” unless the query or a setting chooses another. The same characters at other offsets belong to the message.
             */
            gaps: number[];
            /**
             * Kept
             * @description Share of its characters that the memory still holds, 0 to 1; 0 if unreadable.
             */
            kept: number;
            /**
             * Left Out
             * @description Offsets in `text` of the marks “ […] ” of an excerpt, where the answer has no room for the rest; `fetch` returns the whole message.
             */
            left_out?: number[];
            /**
             * Matched Faded
             * @description Whether a word of the query found it that has faded from its text; the index keeps rare words unless the policy says otherwise.
             * @default false
             */
            matched_faded: boolean;
            /**
             * Message Id
             * @description Id of the message.
             */
            message_id: string;
            /**
             * Metadata
             * @description Metadata stored with the message; empty if there is none.
             */
            metadata: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /**
             * Name
             * @description Name of the speaker or the tool.
             */
            name: string | null;
            /**
             * Neighbour Ids
             * @description Ids of the neighbours of a match, oldest first, if the query asks for them without text.
             */
            neighbour_ids?: string[];
            /**
             * Neighbour Of
             * @description Id of the match that it is returned with as a neighbour; null for a match.
             */
            neighbour_of?: string | null;
            /**
             * Page Ids
             * @description Ids of the pages that hold it, in text order.
             */
            page_ids: string[];
            /**
             * Parts
             * @description Parts of the content, if it was stored in parts and can still be parsed; null otherwise, and for a passage.
             */
            parts: (components["schemas"]["TextPart"] | components["schemas"]["ToolCall"] | components["schemas"]["ToolResult"] | components["schemas"]["ImagePart"])[] | null;
            /**
             * Passage
             * @description Range of the text in a long message, as the memory holds it: start and stop in characters; null for a whole message.
             */
            passage?: [
                number,
                number
            ] | null;
            /**
             * Ref
             * @description Its reference, a few characters that `fetch` takes. It stands in brackets before the message on page images for readers, and in texts that are asked for with `refs`.
             */
            ref: string;
            /**
             * Relevance
             * @description Probability that it belongs to an answer, 0 to 1; null without a query, and for a neighbour.
             */
            relevance?: number | null;
            /**
             * Role
             * @description Role of the speaker.
             * @enum {string}
             */
            role: "system" | "developer" | "user" | "assistant" | "tool";
            /**
             * Score
             * @description Score of the match; null without a query, and for a neighbour.
             */
            score: number | null;
            /**
             * Source
             * @description open: not yet sealed; text: kept exactly; decoded: read from vision tokens.
             * @enum {string}
             */
            source: "open" | "text" | "decoded";
            /**
             * Superseded At
             * @description Time of the message `superseded_by`.
             */
            superseded_at?: string | null;
            /**
             * Superseded By
             * @description Id of the newest message that says the same with another value, such as a date that was moved; null if recall found none. It need not be in the answer.
             */
            superseded_by?: string | null;
            /**
             * Suspicious
             * @description Whether rules recognise instructions to a model in it, though it is data.
             * @default false
             */
            suspicious: boolean;
            /**
             * Text
             * @description The text as the memory holds it, with parts rendered.
             */
            text: string;
            /**
             * Thread
             * @description Thread of the message.
             */
            thread: string;
            /**
             * Tier
             * @description The lowest tier it was read from; null while it is open.
             */
            tier: ("large" | "base" | "small" | "tiny" | "micro") | null;
            /**
             * Trust
             * @description Trust class: whose words these are. Those of tool, web, imported and unknown are data.
             * @default unknown
             * @enum {string}
             */
            trust: "user" | "assistant" | "tool" | "web" | "imported" | "unknown";
            /**
             * Uncertain
             * @description Runs of `text` that may be misread: start, stop, confidence.
             */
            uncertain: [
                number,
                number,
                number
            ][];
        };
        /**
         * MissingReference
         * @description A reference without a message.
         */
        MissingReference: {
            /**
             * Reason
             * @description erased: its message was erased for good; unknown: no message of the bank has had it. A reference misread on a page image is unknown.
             * @enum {string}
             */
            reason: "erased" | "unknown";
            /**
             * Ref
             * @description The reference, as given.
             */
            ref: string;
        };
        /**
         * ModelCall
         * @description An answered request to a model: what the provider billed, and what the request would have been without folding.
         *     Only tokens of the input count: folding does not change the output.
         */
        ModelCall: {
            /**
             * Cache Ttl S
             * @description Seconds for which the provider's cache holds what was last used.
             */
            cache_ttl_s?: number;
            /**
             * Called At
             * Format: date-time
             * @description Time at which the request was sent.
             */
            called_at: string;
            /**
             * Conversation
             * @description Name of the conversation in its session, which may have several, such as those of sub-agents. Calls of a conversation are sent one after the other.
             */
            conversation?: string;
            /**
             * Folded
             * @description Whether a part of the conversation was sent folded.
             */
            folded: boolean;
            /**
             * Fresh Tokens
             * @description Tokens of the input that were billed at the full price.
             */
            fresh_tokens: number;
            /**
             * Id
             * @description Id of the call. A call whose id is already recorded is not recorded again.
             */
            id: string;
            /**
             * Model
             * @description Model that answered.
             */
            model: string;
            /**
             * New Fold
             * @description Whether what is folded has changed since the call before.
             */
            new_fold?: boolean;
            /**
             * Original Counted
             * @description Whether the provider counted the tokens of the original; otherwise they are estimated.
             */
            original_counted?: boolean;
            /**
             * Original Prefix
             * @description Those of them up to the last cache mark; where the provider caches without marks, all of them.
             */
            original_prefix: number;
            /**
             * Original Tokens
             * @description Tokens of the input as the client sent it.
             */
            original_tokens: number;
            /**
             * Output Tokens
             * @description Tokens of the answer.
             */
            output_tokens?: number;
            /** @description Prices of a token: uncached, read from the cache, and written to it. Default: 1, 0.1 and 1.25. */
            prices?: components["schemas"]["TokenPrices"] | null;
            /**
             * Read Tokens
             * @description Tokens of the input that were read from the provider's cache.
             */
            read_tokens?: number;
            /**
             * Retries
             * @description Number of times that the request had to be sent again without thinking.
             */
            retries?: number;
            /**
             * Session
             * @description Id of the session.
             */
            session?: string;
            /**
             * Wire
             * @description Request format: anthropic, openai or openai-responses.
             * @enum {string}
             */
            wire: "anthropic" | "openai" | "openai-responses" | "gemini";
            /**
             * Written Tokens
             * @description Tokens of the input that were written to the provider's cache.
             */
            written_tokens?: number;
        };
        /**
         * ModelCalls
         * @description Calls to record.
         */
        ModelCalls: {
            /**
             * Calls
             * @description The calls, those of a conversation in their order.
             */
            calls: components["schemas"]["ModelCall"][];
        };
        /**
         * NamespaceList
         * @description Selection of namespaces to list.
         */
        NamespaceList: {
            /**
             * Cursor
             * @description `next_cursor` of the previous page of the list.
             */
            cursor?: string | null;
            /**
             * Limit
             * @description Maximum number of namespaces.
             */
            limit?: number;
            /**
             * Prefix
             * @description First labels of the namespaces; an empty list selects all.
             */
            prefix?: string[];
        };
        /**
         * Namespaces
         * @description A list of the namespaces that contain records, with a cursor.
         */
        Namespaces: {
            /**
             * Namespaces
             * @description Namespaces, in alphabetical order.
             */
            namespaces: string[][];
            /**
             * Next Cursor
             * @description Cursor of the next page of the list; null at its end.
             */
            next_cursor: string | null;
        };
        /**
         * NewKey
         * @description A key that was created, with its secret, which is shown only now.
         */
        NewKey: {
            /**
             * Banks
             * @description Patterns of the banks that the key opens; null for all.
             */
            banks: string[] | null;
            /**
             * Created At
             * Format: date-time
             * @description Time at which it was created.
             */
            created_at: string;
            /**
             * Expires At
             * @description Time from which it no longer works; null for none.
             */
            expires_at: string | null;
            /**
             * Id
             * @description Public id, the beginning of the key after `foxing_`.
             */
            id: string;
            /**
             * Key
             * @description The key to send as `Authorization: Bearer <key>`. It cannot be shown again.
             */
            key: string;
            /**
             * Last Used At
             * @description Time of its last use, to the minute; null if unused.
             */
            last_used_at: string | null;
            /**
             * Name
             * @description Who uses the key.
             */
            name: string;
            /**
             * Recalls At Once
             * @description Recalls at the same time; null for no limit.
             */
            recalls_at_once?: number | null;
            /**
             * Requests Per S
             * @description Requests a second that it may send; null for no limit.
             */
            requests_per_s?: number | null;
            /**
             * Revoked At
             * @description Time at which it was revoked; null if it was not.
             */
            revoked_at: string | null;
            /**
             * Role
             * @description What the key permits.
             * @enum {string}
             */
            role: "read" | "write" | "admin";
            /**
             * Tenant
             * @description Tenant that the key belongs to; null for none.
             */
            tenant: string | null;
        };
        /**
         * NewMessage
         * @description A message to remember.
         */
        NewMessage: {
            /**
             * Arrived At
             * @description Time at which it was first stored, for a message moved from another bank. Default: now.
             */
            arrived_at?: string | null;
            /**
             * Content
             * @description A text, which may be empty, or a list of parts. Null is allowed only with `tool_calls`.
             */
            content: string | (components["schemas"]["TextPart"] | components["schemas"]["ToolCall"] | components["schemas"]["ToolResult"] | components["schemas"]["ImagePart"])[] | null;
            /**
             * Created At
             * @description Time of the message, with a timezone. Default: now.
             */
            created_at?: string | null;
            /**
             * Expires After
             * @description The same as an age, counted from `created_at`, in ISO 8601. Not with `expires_at`.
             */
            expires_after?: string | null;
            /**
             * Expires At
             * @description Time from which the message is recalled no more; the scheduler then erases it for good.
             */
            expires_at?: string | null;
            /**
             * Gaps
             * @description Offsets in its text, ascending, of the characters ⋯ that are gaps: marks of what had faded, for a message moved from another bank. Others are characters of the text.
             */
            gaps?: number[];
            /**
             * Id
             * @description Your id, unique in the bank. Default: a generated one.
             */
            id?: string | null;
            /**
             * Metadata
             * @description Arbitrary data: a JSON object of at most 2 kB. Recall can filter by it.
             */
            metadata?: {
                [key: string]: components["schemas"]["JsonValue"];
            } | null;
            /**
             * Name
             * @description Name of the speaker or the tool.
             */
            name?: string | null;
            /**
             * Role
             * @description Role of the speaker.
             * @enum {string}
             */
            role: "system" | "developer" | "user" | "assistant" | "tool";
            /**
             * Thread
             * @description Thread of the message.
             */
            thread?: string | null;
            /**
             * Tool Call Id
             * @description Id of the call that the message answers, in the format of OpenAI's chat messages. The content becomes the result of the call.
             */
            tool_call_id?: string | null;
            /**
             * Tool Calls
             * @description Tool calls in the format of OpenAI's chat messages. They become parts after the content.
             */
            tool_calls?: components["schemas"]["FunctionCall"][];
            /**
             * Trust
             * @description Trust class: whose words these are. Default: the class of the role; `imported` for files of others, `web` for results of tools that fetch pages of the web.
             */
            trust?: ("user" | "assistant" | "tool" | "web" | "imported" | "unknown") | null;
        } | {
            content?: string;
        } | {
            content?: unknown[];
        } | {
            tool_calls: unknown[];
        };
        /**
         * OriginalImage
         * @description An image as it was stored, before it faded.
         */
        OriginalImage: {
            /**
             * Bytes
             * @description Size of its file in bytes.
             */
            bytes: number;
            /**
             * Height
             * @description Height in pixels.
             */
            height: number;
            /**
             * Media Type
             * @description Media type of its file.
             */
            media_type: string;
            /**
             * Width
             * @description Width in pixels.
             */
            width: number;
        };
        /**
         * PageErased
         * @description A page from which messages were erased.
         */
        PageErased: {
            /**
             * Changed
             * @description Share of the other characters on it that now decode differently or are gaps; 0 with kept text.
             */
            changed: number;
            /**
             * Deleted
             * @description Whether the page was deleted because nothing else was on it.
             */
            deleted: boolean;
            /**
             * Page Id
             * @description Id of the page.
             */
            page_id: string;
            /**
             * Tier
             * @description The tier it is held at.
             * @enum {string}
             */
            tier: "large" | "base" | "small" | "tiny" | "micro";
        };
        /**
         * PageForecast
         * @description Forecast of how the policy of its bank will age a page.
         */
        PageForecast: {
            /**
             * Exact
             * @description Whether their exact text is kept.
             */
            exact: boolean;
            /**
             * Exact Until
             * @description Earliest time at which exact text is dropped; null if it is not kept, or is always kept by the current policy.
             */
            exact_until: string | null;
            /**
             * Page Id
             * @description Id of the page.
             */
            page_id: string;
            /**
             * Steps
             * @description Scheduled steps to lower tiers, in order.
             */
            steps: components["schemas"]["AgeingStep"][];
            /**
             * Tier
             * @description The tier it is held at.
             * @enum {string}
             */
            tier: "large" | "base" | "small" | "tiny" | "micro";
        };
        /**
         * PageInfo
         * @description A page: its tier, times and sizes.
         */
        PageInfo: {
            /**
             * Arrived At
             * Format: date-time
             * @description Time at which the last of its messages was stored in the bank. Its age counts from this time or from `last_at`, whichever is later, unless the policy sets `age_from`.
             */
            arrived_at: string;
            /**
             * Bank
             * @description Name of its bank.
             */
            bank: string;
            /**
             * Bytes
             * @description Stored size of its tokens, kept text and keepsakes, in bytes.
             */
            bytes: number;
            /**
             * Codec
             * @description Name of the codec that encoded it.
             */
            codec: string;
            /**
             * Confidence
             * @description Mean confidence of its decoded text; 1 while its exact text is kept.
             */
            confidence: number;
            /**
             * Facts Faded
             * @description Whether facts (names, numbers, dates, identifiers and the like) have faded, because they alone exceed the maximum of a tier.
             */
            facts_faded: boolean;
            /**
             * First At
             * Format: date-time
             * @description Time of its first message.
             */
            first_at: string;
            /**
             * Id
             * @description Id of the page.
             */
            id: string;
            /**
             * Keepsakes
             * @description Number of exact identifiers kept as text.
             */
            keepsakes: number;
            /**
             * Last At
             * Format: date-time
             * @description Time of its last message.
             */
            last_at: string;
            /**
             * Messages
             * @description Number of messages on the page, whole or in part.
             */
            messages: number;
            /**
             * Pinned
             * @description Whether it is pinned, and so exempt from ageing.
             */
            pinned: boolean;
            /**
             * Sealed At
             * Format: date-time
             * @description Time at which it was sealed.
             */
            sealed_at: string;
            /**
             * Text Kept
             * @description Whether its exact text is kept.
             */
            text_kept: boolean;
            /**
             * Threads
             * @description Threads on the page, in page order.
             */
            threads: string[];
            /**
             * Tier
             * @description The tier it is held at.
             * @enum {string}
             */
            tier: "large" | "base" | "small" | "tiny" | "micro";
            /**
             * Vision Tokens
             * @description Number of its vision tokens.
             */
            vision_tokens: number;
        };
        /**
         * PageMove
         * @description A page that moved to a lower tier, or would in a dry run.
         */
        PageMove: {
            /**
             * Bytes After
             * @description Bytes of tokens and kept text after.
             */
            bytes_after: number;
            /**
             * Bytes Before
             * @description Bytes of tokens and kept text before.
             */
            bytes_before: number;
            /**
             * Drops Text
             * @description Whether its exact text is dropped.
             */
            drops_text: boolean;
            /**
             * From Tier
             * @description The tier before.
             * @enum {string}
             */
            from_tier: "large" | "base" | "small" | "tiny" | "micro";
            /**
             * Messages
             * @description Number of messages on the page, whole or in part.
             */
            messages: number;
            /**
             * Page Id
             * @description Id of the page.
             */
            page_id: string;
            /**
             * To Tier
             * @description The tier after.
             * @enum {string}
             */
            to_tier: "large" | "base" | "small" | "tiny" | "micro";
            /**
             * Vision Tokens After
             * @description Vision tokens after.
             */
            vision_tokens_after: number;
            /**
             * Vision Tokens Before
             * @description Vision tokens before.
             */
            vision_tokens_before: number;
            /**
             * Words
             * @description In a dry run, facts and other words on the page, and how many stay; null beyond `preview` pages.
             */
            words?: {
                [key: string]: components["schemas"]["WordCount"];
            } | null;
        };
        /**
         * PagePreview
         * @description A preview of a page at a lower tier.
         */
        PagePreview: {
            /**
             * From Tier
             * @description The tier it is held at.
             * @enum {string}
             */
            from_tier: "large" | "base" | "small" | "tiny" | "micro";
            /**
             * Messages
             * @description The messages on the page, in page order.
             */
            messages: components["schemas"]["FadedMessage"][];
            /**
             * Page Id
             * @description Id of the page.
             */
            page_id: string;
            /**
             * To Tier
             * @description The tier previewed.
             * @enum {string}
             */
            to_tier: "large" | "base" | "small" | "tiny" | "micro";
            /**
             * Token Bytes After
             * @description Bytes of its tokens at the lower tier.
             */
            token_bytes_after: number;
            /**
             * Token Bytes Before
             * @description Bytes of its tokens now.
             */
            token_bytes_before: number;
            /**
             * Vision Tokens After
             * @description Number of vision tokens at the lower tier.
             */
            vision_tokens_after: number;
            /**
             * Vision Tokens Before
             * @description Number of vision tokens now.
             */
            vision_tokens_before: number;
            /**
             * Words
             * @description Facts and other words on the page, and the number kept.
             */
            words: {
                [key: string]: components["schemas"]["WordCount"];
            };
        };
        /**
         * PageReading
         * @description The text of a page, decoded or kept.
         */
        PageReading: {
            /**
             * Confidence
             * @description Mean probability that a character is correct, 0 to 1, without gaps.
             */
            confidence: number;
            /**
             * Kept
             * @description Share of the characters of its messages that this tier still holds, 0 to 1.
             */
            kept: number;
            /**
             * Lines
             * @description The rows of the page.
             */
            lines: components["schemas"]["Line"][];
            /**
             * Messages
             * @description The messages on the page, with keepsakes spliced in.
             */
            messages: components["schemas"]["MessageOnPage"][];
            /**
             * Page Id
             * @description Id of the page.
             */
            page_id: string;
            /**
             * Source
             * @description text: kept exactly; decoded: read from vision tokens.
             * @enum {string}
             */
            source: "text" | "decoded";
            /**
             * Text
             * @description Text of the page with headers and marks, without filler cells.
             */
            text: string;
            /**
             * Tier
             * @description The tier it was read at.
             * @enum {string}
             */
            tier: "large" | "base" | "small" | "tiny" | "micro";
            /**
             * Uncertain
             * @description Runs of `text` that may be misread: start, stop, confidence.
             */
            uncertain: [
                number,
                number,
                number
            ][];
        };
        /**
         * PageReencoded
         * @description A page that was reencoded with the current codec and weights, or would be in a dry run.
         */
        PageReencoded: {
            /**
             * Bytes After
             * @description Bytes of vision tokens after, of all its pages.
             */
            bytes_after: number;
            /**
             * Bytes Before
             * @description Bytes of vision tokens before.
             */
            bytes_before: number;
            /**
             * Confidence After
             * @description Mean confidence after; null in a dry run.
             */
            confidence_after: number | null;
            /**
             * Confidence Before
             * @description Mean confidence of its decoded text before; 1 with kept text.
             */
            confidence_before: number;
            /**
             * From Codec
             * @description Codec that encoded it before.
             */
            from_codec: string;
            /**
             * From Weights
             * @description Digest of the weights that encoded it before; null if unreadable.
             */
            from_weights: string | null;
            /**
             * Page Id
             * @description Id of the page.
             */
            page_id: string;
            /**
             * Pages
             * @description Number of pages it was split into, the first of which has its id: more than one if pages of the current codec hold less. An estimate in a dry run.
             */
            pages: number;
            /**
             * Source
             * @description Source of its text: kept text or decoded tokens.
             * @enum {string}
             */
            source: "text" | "decoded";
            /**
             * Tier
             * @description The tier after.
             * @enum {string}
             */
            tier: "large" | "base" | "small" | "tiny" | "micro";
        };
        /**
         * PageRestored
         * @description A page that was restored.
         */
        PageRestored: {
            /**
             * Bytes After
             * @description Bytes of tokens and kept text after.
             */
            bytes_after: number;
            /**
             * Bytes Before
             * @description Bytes of tokens and kept text before.
             */
            bytes_before: number;
            /**
             * Dropped At
             * Format: date-time
             * @description Time at which ageing first dropped data that was restored.
             */
            dropped_at: string;
            /**
             * From Tier
             * @description The tier before.
             * @enum {string}
             */
            from_tier: "large" | "base" | "small" | "tiny" | "micro";
            /**
             * Messages
             * @description Number of messages on the page, whole or in part.
             */
            messages: number;
            /**
             * Page Id
             * @description Id of the page, which is now pinned.
             */
            page_id: string;
            /**
             * Text Restored
             * @description Whether its exact text was restored.
             */
            text_restored: boolean;
            /**
             * To Tier
             * @description The tier after.
             * @enum {string}
             */
            to_tier: "large" | "base" | "small" | "tiny" | "micro";
            /**
             * Vision Tokens After
             * @description Vision tokens after.
             */
            vision_tokens_after: number;
            /**
             * Vision Tokens Before
             * @description Vision tokens before.
             */
            vision_tokens_before: number;
        };
        /**
         * PageSkipped
         * @description A page that was skipped.
         */
        PageSkipped: {
            /**
             * Page Id
             * @description Id of the page.
             */
            page_id: string;
            /**
             * Reason
             * @description Reason for skipping it.
             */
            reason: string;
        };
        /**
         * Pages
         * @description A list of pages, sorted by the time of their last message, with a cursor.
         */
        Pages: {
            /**
             * Next Cursor
             * @description Cursor of the next page of the list; null at its end.
             */
            next_cursor: string | null;
            /**
             * Pages
             * @description Pages, oldest first.
             */
            pages: components["schemas"]["PageInfo"][];
        };
        /**
         * PersonErasure
         * @description The result of erasing what a person said, or of a dry run.
         */
        PersonErasure: {
            /**
             * Banks
             * @description The banks with such messages, by name.
             */
            banks: components["schemas"]["PersonInBank"][];
            /**
             * Dry Run
             * @description Whether it was a dry run, which writes nothing.
             */
            dry_run: boolean;
            /**
             * Log Erased
             * @description Whether nothing is left in the write-ahead log of SQLite either; the scheduler erases it later.
             */
            log_erased: boolean;
            /**
             * Mentions
             * @description Whether messages that mention the person count as well.
             */
            mentions: boolean;
            /**
             * Messages
             * @description Number of messages that were erased, or would be, in all banks.
             */
            messages: number;
            /**
             * Person
             * @description Name of the person.
             */
            person: string;
            /**
             * Remaining
             * @description Number of messages that remain. Erase again for those that are not held.
             */
            remaining: number;
        };
        /**
         * PersonErasureRequest
         * @description A person whose messages are to be erased in all banks of the caller.
         */
        PersonErasureRequest: {
            /**
             * Dry Run
             * @description Whether to erase nothing and report what would be erased.
             */
            dry_run?: boolean;
            /**
             * Mentions
             * @description Whether to erase messages of others as well that have the name as words of their text.
             */
            mentions?: boolean;
            /**
             * Person
             * @description Name of the speaker, as messages have it in `name`, compared without case.
             */
            person: string;
        };
        /**
         * PersonInBank
         * @description Messages of a person in a bank.
         */
        PersonInBank: {
            /**
             * Bank
             * @description Name of the bank.
             */
            bank: string;
            /**
             * Messages
             * @description Number of messages that were erased, or would be.
             */
            messages: number;
            /**
             * Quarantined
             * @description Number of them that are, or were, in quarantine.
             */
            quarantined: number;
            /**
             * Reason
             * @description Why messages remain, or a legal hold that would keep them.
             */
            reason: string | null;
            /**
             * Remaining
             * @description Number of messages that remain: in a dry run all, otherwise those not erased.
             */
            remaining: number;
            /**
             * Threads
             * @description Threads that hold them, at most 100.
             */
            threads: string[];
        };
        /**
         * Policy
         * @description An ageing policy: steps to lower tiers, and how long text, open messages and dropped data are kept.
         */
        Policy: {
            /**
             * Age From
             * @description Start of the age of a page: 'arrival': the time of its last message, or the time at which the last of its messages was stored if that is later, so that imported history is sharp at first; 'message': the time of its last message, so that imported history has aged already.
             * @enum {string}
             */
            age_from?: "arrival" | "message";
            /**
             * Erase
             * @description What is erased for good with time: each rule erases the messages that meet its conditions at its age, whatever the tier of their pages. A legal hold suspends it, a pause of ageing does not.
             */
            erase?: components["schemas"]["ErasureRule"][];
            /**
             * Fresh
             * @description Tier of a page when it is sealed.
             * @enum {string}
             */
            fresh?: "large" | "base" | "small" | "tiny" | "micro";
            /**
             * Image Side Px
             * @description Maximum side of an image, in pixels, on pages at `large` and `base`.
             */
            image_side_px?: number;
            /**
             * Images
             * @description What is kept of images in messages: 'fade': they get smaller with their pages; 'keep': they stay as they are; 'until:<tier>': they fade, and are dropped when the page reaches that tier; 'never': of messages stored from now on, their labels in the text alone.
             * @enum {string}
             */
            images?: "fade" | "keep" | "never" | "until:large" | "until:base" | "until:small" | "until:tiny" | "until:micro";
            /**
             * Index
             * @description What the search index keeps of words that have faded: 'recognise': embeddings as they were made, and keyed hashes of the words that at most 20 messages of the bank contain, so that a message is found by them although its text shows a gap; 'faded': nothing; they leave the index, and embeddings are made again from what is left. A change applies to pages as they age; `reindex` with `words` applies 'faded' to all.
             * @enum {string}
             */
            index?: "recognise" | "faded";
            /**
             * Keep Text
             * @description How long exact text is kept: 'fresh': until the page first ages; 'always'; 'until:<tier>': until the page reaches that tier.
             * @enum {string}
             */
            keep_text?: "fresh" | "always" | "until:large" | "until:base" | "until:small" | "until:tiny" | "until:micro";
            /**
             * Paused Until
             * @description Ageing is paused until this time; null: not paused. Meanwhile ages continue to count, messages are sealed, and expired trash is purged.
             */
            paused_until?: string | null;
            /**
             * Quarantine Trust
             * @description Trust classes whose messages are quarantined if rules recognise instructions to a model in them: nothing reads them until they are released. A change applies to messages stored from then on.
             */
            quarantine_trust?: ("user" | "assistant" | "tool" | "web" | "imported" | "unknown")[];
            /**
             * Redact
             * @description What is replaced in messages before anything of them is written: 'secrets': keys, tokens and passwords in about 80 forms, and passwords, keys and codes that words of five languages announce; 'email', 'phone': addresses and numbers; 'card', 'iban': numbers of cards and bank accounts with a valid checksum; 'private': what stands between `<private>` and `</private>`. It cannot be restored. A change applies to messages stored from then on.
             */
            redact?: ("secrets" | "email" | "phone" | "card" | "iban" | "private")[];
            /**
             * Redact Patterns
             * @description Regular expressions of your own, by name, whose matches are replaced as well, or of each match the group `secret` if there is one.
             */
            redact_patterns?: {
                [key: string]: string;
            };
            /**
             * Refuse Trust
             * @description Trust classes of which no message is stored: a call with one is refused as a whole.
             */
            refuse_trust?: ("user" | "assistant" | "tool" | "web" | "imported" | "unknown")[];
            /**
             * Seal After
             * @description Age at which an open message is sealed.
             */
            seal_after?: string;
            /**
             * Steps
             * @description Steps to lower tiers, in ascending order of age.
             */
            steps?: components["schemas"]["PolicyStep"][];
            /**
             * Undo Window
             * @description How long dropped data can be restored.
             */
            undo_window?: string;
        };
        /**
         * PolicyStep
         * @description A step of a policy: pages move to `tier` at age `after`.
         */
        PolicyStep: {
            /**
             * After
             * @description Age of the page, in ISO 8601; see `age_from`.
             */
            after: string;
            /**
             * Tier
             * @description Tier from that age on.
             * @enum {string}
             */
            tier: "large" | "base" | "small" | "tiny" | "micro";
        };
        /**
         * PricedCall
         * @description A recorded call.
         */
        PricedCall: {
            /**
             * Billed
             * @description Price of the input.
             */
            billed: number;
            /**
             * Id
             * @description Id of the call.
             */
            id: string;
            /**
             * Original
             * @description Price of the input without folding, under the same state of the cache.
             */
            original: number;
        };
        /**
         * Problem
         * @description A problem document (RFC 9457, `application/problem+json`).
         */
        Problem: {
            /**
             * Detail
             * @description What happened and what to do about it.
             */
            detail: string;
            /**
             * Errors
             * @description The errors in the request, if it is invalid.
             * @default null
             */
            errors: components["schemas"]["FieldError"][] | null;
            /**
             * Instance
             * @description Path of the request.
             * @default null
             */
            instance: string | null;
            /**
             * Request Id
             * @description `X-Request-ID` of the request, also logged.
             * @default null
             */
            request_id: string | null;
            /**
             * Retry
             * @description Whether the same request may succeed another time: `later`, or `after` a number of seconds. Without it, the request is refused however often it is sent.
             * @default null
             */
            retry: ("never" | "later" | "after") | null;
            /**
             * Retry After S
             * @description Seconds before which the same request does not succeed.
             * @default null
             */
            retry_after_s: number | null;
            /**
             * Status
             * @description HTTP status.
             */
            status: number;
            /**
             * Title
             * @description Short summary, the same for every problem of a `type`.
             */
            title: string;
            /**
             * Type
             * @description Stable identifier of the kind of problem.
             */
            type: string;
        };
        /**
         * PutRecord
         * @description Stores a record, replacing one with the same key.
         */
        PutRecord: {
            /**
             * If Version
             * @description Required version of the record; 0: it must not exist. If another version is stored, the whole call fails (409).
             */
            if_version?: number | null;
            /**
             * Key
             * @description Key, unique in its namespace.
             */
            key: string;
            /**
             * Namespace
             * @description Labels, from the widest to the narrowest.
             */
            namespace: string[];
            /**
             * @description The operation. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            op: "put";
            /**
             * Text
             * @description Text to search, empty to exclude the record from searches. Default: all strings of the value.
             */
            text?: string | null;
            /**
             * Ttl S
             * @description Seconds after which it is deleted. Default: never.
             */
            ttl_s?: number | null;
            /** @description Any JSON value of at most 1 MiB. It is returned exactly. */
            value: components["schemas"]["JsonValue"];
            /**
             * Vectors
             * @description Embeddings of its text, of equal length, by an embedder of the caller, for searches by `vector`. Default: the server's embedder embeds the text.
             */
            vectors?: number[][] | null;
        };
        /**
         * QuarantineList
         * @description A list of quarantined messages, with a cursor.
         */
        QuarantineList: {
            /**
             * Messages
             * @description Messages in the order of their arrival.
             */
            messages: components["schemas"]["QuarantinedMessage"][];
            /**
             * Next Cursor
             * @description Cursor of the next page of the list; null at its end.
             */
            next_cursor: string | null;
        };
        /**
         * QuarantinedMessage
         * @description A message that its bank's policy has quarantined.
         */
        QuarantinedMessage: {
            /**
             * Arrived At
             * Format: date-time
             * @description Time of its arrival.
             */
            arrived_at: string;
            /**
             * Created At
             * Format: date-time
             * @description Time of the message.
             */
            created_at: string;
            /**
             * Expires At
             * @description Time at which it expires; null if it does not.
             */
            expires_at: string | null;
            /**
             * Message Id
             * @description Id of the message.
             */
            message_id: string;
            /**
             * Metadata
             * @description Metadata of the message; empty if there is none.
             */
            metadata: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /**
             * Name
             * @description Name of the speaker or the tool.
             */
            name: string | null;
            /**
             * Role
             * @description Role of the speaker.
             * @enum {string}
             */
            role: "system" | "developer" | "user" | "assistant" | "tool";
            /**
             * Rule
             * @description Name of the rule that recognised instructions to a model in it.
             */
            rule: string;
            /**
             * Text
             * @description The text, with parts rendered.
             */
            text: string;
            /**
             * Thread
             * @description Thread of the message.
             */
            thread: string;
            /**
             * Trust
             * @description Trust class of the message.
             * @enum {string}
             */
            trust: "user" | "assistant" | "tool" | "web" | "imported" | "unknown";
        };
        /**
         * RecallRequest
         * @description A recall by query, by time window, or both. Without a query, messages come in time order.
         */
        RecallRequest: {
            /**
             * Banks
             * @description Further banks to recall from, such as those of a person, a project and a branch: their messages are ranked together with those of the bank of the call, and each names its bank. A bank that does not exist gives nothing and a note.
             */
            banks?: string[] | null;
            /**
             * Cursor
             * @description `next_cursor` of the previous page of the list.
             */
            cursor?: string | null;
            /**
             * Explain
             * @description Whether to return the parts of the scores of the best matches, as `scores`.
             */
            explain?: boolean;
            /**
             * Fidelity
             * @description remembered: the best version that the memory holds; verbatim: only exact text that is still kept.
             * @enum {string}
             */
            fidelity?: "remembered" | "verbatim";
            /**
             * Format
             * @description text: spans of text; images: page images for a reader.
             * @enum {string}
             */
            format?: "text" | "images";
            /**
             * Gap Mark
             * @description Mark of a gap in `text` and `rendered`. A blank at its beginning or end replaces the one beside the gap. Default: the setting `gap_mark`, “ … ”, which is one token.
             */
            gap_mark?: string | null;
            /**
             * Ids
             * @description Whether each message in `rendered` begins with its id, in parentheses.
             */
            ids?: boolean;
            /**
             * Limit
             * @description Maximum number of spans or images.
             */
            limit?: number;
            /**
             * Max Tokens
             * @description Maximum number of text tokens of `rendered`. A span counts what it adds there, where dates and speakers are shared. Spans that do not fit are skipped.
             */
            max_tokens?: number | null;
            /**
             * Metadata
             * @description Restricts recall to messages whose metadata has these members, with equal values. Null matches only an explicit null.
             */
            metadata?: {
                [key: string]: string | number | boolean | null;
            } | null;
            /**
             * Min Relevance
             * @description Minimum relevance of the most relevant match: if no match reaches it, nothing is returned. If one does, or without this field, the answer ends where relevance falls away from the best match, sooner for a question of one fact. With 0, every match is given. Queries without words are not affected.
             */
            min_relevance?: number | null;
            /**
             * Neighbour Text
             * @description Whether to return neighbours as spans. If false, their text is not read, and each match lists their ids in `neighbour_ids`.
             */
            neighbour_text?: boolean;
            /**
             * Neighbours
             * @description Number of messages before and after each match in its thread to return with it, marked with `neighbour_of`. The other filters apply to them too.
             */
            neighbours?: number;
            /**
             * Now
             * @description Time to use as the current time: an RFC 3339 time, or a date or words such as “yesterday”, which mean the start of that day. Over HTTP, allowed only in a dry run or if the settings of the service permit it.
             */
            now?: string | null;
            /**
             * Query
             * @description Question or search terms. A time mentioned in it raises the rank of messages of that time; only `since` and `until` exclude messages. Without a query, or with a query that is only a time, all messages of the time window are returned.
             */
            query?: string | null;
            /**
             * Reader
             * @description Model that the images are laid out and billed for; for images only. Default: 'native', which is shown pages as stored.
             */
            reader?: string | null;
            /**
             * Refs
             * @description Whether each message in `rendered` begins with its reference, such as [k7q], for `fetch`.
             */
            refs?: boolean;
            /**
             * Roles
             * @description Restricts recall to messages of these roles.
             */
            roles?: ("system" | "developer" | "user" | "assistant" | "tool")[] | null;
            /**
             * Shape
             * @description Whether the messages that match best answer, or the episode that they belong to: a task, or a conversation between two long pauses, in its order, with what was asked and decided, the newest steps, and of long results the parts that matter. auto: an episode where the query is not a question and its words concentrate there.
             * @enum {string}
             */
            shape?: "auto" | "messages" | "episode";
            /**
             * Since
             * @description Start of the time window: an RFC 3339 time, a date, or words such as “3 weeks ago”.
             */
            since?: string | null;
            /**
             * Thread
             * @description Restricts recall to this thread.
             */
            thread?: string | null;
            /**
             * Timezone
             * @description Time zone of dates and relative times, for example 'Europe/Berlin'. Default: UTC.
             */
            timezone?: string | null;
            /**
             * Trust
             * @description Restricts recall to messages of these trust classes, such as `user`.
             */
            trust?: ("user" | "assistant" | "tool" | "web" | "imported" | "unknown")[] | null;
            /**
             * Until
             * @description End of the time window, in the same form.
             */
            until?: string | null;
        };
        /**
         * RecallResult
         * @description The result of a recall, as text.
         */
        RecallResult: {
            /**
             * @description `text`. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            format: "text";
            /**
             * Left Out
             * @description Matching messages that are not in the answer, with the reason; at most `limit`, those over the budget first.
             */
            left_out: components["schemas"]["LeftOut"][];
            /**
             * Next Cursor
             * @description Cursor of the next page of the list; null at its end.
             */
            next_cursor: string | null;
            /**
             * Notes
             * @description Degradations of the answer, such as an embedder that is down.
             * @default []
             */
            notes: string[];
            /**
             * Rendered
             * @description The spans as a model is to see them: in time order, with the date once a day and the speaker once a run of messages, each message on a new line. Below the label of an image stands the text that a machine read in it, if there is room. If nothing matches, a sentence that says so.
             */
            rendered: string;
            /**
             * Scores
             * @description With `explain`, the parts of the scores of the best matches in the bank of the call, at most `limit`, by score. A message replaced by a newer one still has its place.
             * @default []
             */
            scores: components["schemas"]["MatchScore"][];
            /**
             * Spans
             * @description Messages, best first; of long ones, the passages that match. Without a query, whole messages in time order. Neighbours follow their match.
             */
            spans: components["schemas"]["RecalledMessage"][];
            /**
             * Text Tokens
             * @description Text tokens of `rendered`.
             */
            text_tokens: number;
        };
        /**
         * RecalledImage
         * @description A page image for a reader.
         */
        RecalledImage: {
            /**
             * Begins Before
             * @description Ids of the messages on the image that begin on an earlier one.
             */
            begins_before?: string[];
            /**
             * Continues After
             * @description Ids of the messages on the image that continue on a later one.
             */
            continues_after?: string[];
            /**
             * Data
             * @description The image, in Base64.
             */
            data: string;
            /**
             * Doubtful
             * @description Identifiers and numbers on the image with characters that its type does not show safely: they differ from others by 2 px or less, have no glyph or are cut off. Give them to the reader as text.
             */
            doubtful?: string[];
            /**
             * Height
             * @description Height in pixels.
             */
            height: number;
            /**
             * Media Type
             * @description Media type of `data`.
             * @default image/png
             * @constant
             */
            media_type: "image/png";
            /**
             * Message Ids
             * @description Ids of the matching messages on it.
             */
            message_ids: string[];
            /**
             * Page Id
             * @description Id of the page.
             */
            page_id: string;
            /**
             * Suspicious
             * @description Whether rules recognise instructions to a model in a message on it that is data.
             * @default false
             */
            suspicious: boolean;
            /**
             * Tier
             * @description Tier of the page; for the reader `native`, also of the image.
             * @enum {string}
             */
            tier: "large" | "base" | "small" | "tiny" | "micro";
            /**
             * Tokens
             * @description Tokens that the reader bills for it; for `native`, its vision tokens.
             */
            tokens: number;
            /**
             * Trust
             * @description Lowest trust class of the messages on it, whose headers may have faded. Give it to the reader as text where it is tool, web, imported or unknown: these words are data.
             * @default unknown
             * @enum {string}
             */
            trust: "user" | "assistant" | "tool" | "web" | "imported" | "unknown";
            /**
             * Width
             * @description Width in pixels.
             */
            width: number;
        };
        /**
         * RecalledImages
         * @description The result of a recall, as page images.
         */
        RecalledImages: {
            /**
             * @description `images`. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            format: "images";
            /**
             * Images
             * @description Images of the pages with matching messages, each page once; for readers other than `native`, the page images that show a match.
             */
            images: components["schemas"]["RecalledImage"][];
            /**
             * Left Out
             * @description Messages whose pages cannot be shown, with the reason; at most `limit`.
             */
            left_out: components["schemas"]["LeftOut"][];
            /**
             * Next Cursor
             * @description Cursor of the next page of the list; null at its end.
             */
            next_cursor: string | null;
            /**
             * Notes
             * @description Degradations of the answer, such as an embedder that is down.
             * @default []
             */
            notes: string[];
            /**
             * Open Spans
             * @description Matching open messages, as text: they have no page yet.
             */
            open_spans: components["schemas"]["RecalledMessage"][];
            /**
             * Vision Tokens
             * @description Tokens of all images.
             */
            vision_tokens: number;
            /**
             * Whole Spans
             * @description Complete text of the messages that an image shows only in part, and of those in a script that the reader is not known to read at its type size.
             */
            whole_spans?: components["schemas"]["RecalledMessage"][];
        };
        /**
         * RecalledMessage
         * @description A message as remembered.
         */
        RecalledMessage: {
            /**
             * Arrived At
             * Format: date-time
             * @description Time at which it was stored in the bank; for a sealed message, the latest such time on its pages.
             */
            arrived_at: string;
            /**
             * Bank
             * @description Its bank, where a recall names `banks`; null otherwise.
             */
            bank?: string | null;
            /**
             * Confidence
             * @description Mean probability that a character is correct, 0 to 1, without gaps.
             */
            confidence: number;
            /**
             * Created At
             * Format: date-time
             * @description Time of the message.
             */
            created_at: string;
            /**
             * Episode
             * @description Id of the first message of the episode that it is returned with; null if messages answer. The spans of an episode follow each other in their order.
             */
            episode?: string | null;
            /**
             * Expires At
             * @description Time at which it expires; null if it does not, and in answers to questions. Exports and the answer for a single message have it.
             */
            expires_at?: string | null;
            /**
             * Gaps
             * @description Offsets in `text` of the gap marks, “ … ” unless the query or a setting chooses another. The same characters at other offsets belong to the message.
             */
            gaps: number[];
            /**
             * Kept
             * @description Share of its characters that the memory still holds, 0 to 1; 0 if unreadable.
             */
            kept: number;
            /**
             * Left Out
             * @description Offsets in `text` of the marks “ […] ” of an excerpt, where the answer has no room for the rest; `fetch` returns the whole message.
             */
            left_out?: number[];
            /**
             * Matched Faded
             * @description Whether a word of the query found it that has faded from its text; the index keeps rare words unless the policy says otherwise.
             * @default false
             */
            matched_faded: boolean;
            /**
             * Message Id
             * @description Id of the message.
             */
            message_id: string;
            /**
             * Metadata
             * @description Metadata stored with the message; empty if there is none.
             */
            metadata: {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /**
             * Name
             * @description Name of the speaker or the tool.
             */
            name: string | null;
            /**
             * Neighbour Ids
             * @description Ids of the neighbours of a match, oldest first, if the query asks for them without text.
             */
            neighbour_ids?: string[];
            /**
             * Neighbour Of
             * @description Id of the match that it is returned with as a neighbour; null for a match.
             */
            neighbour_of?: string | null;
            /**
             * Page Ids
             * @description Ids of the pages that hold it, in text order.
             */
            page_ids: string[];
            /**
             * Parts
             * @description Parts of the content, if it was stored in parts and can still be parsed; null otherwise, and for a passage.
             */
            parts: (components["schemas"]["TextPart"] | components["schemas"]["ToolCall"] | components["schemas"]["ToolResult"] | components["schemas"]["ImagePart"])[] | null;
            /**
             * Passage
             * @description Range of the text in a long message, as the memory holds it: start and stop in characters; null for a whole message.
             */
            passage?: [
                number,
                number
            ] | null;
            /**
             * Ref
             * @description Its reference, a few characters that `fetch` takes. It stands in brackets before the message on page images for readers, and in texts that are asked for with `refs`.
             */
            ref: string;
            /**
             * Relevance
             * @description Probability that it belongs to an answer, 0 to 1; null without a query, and for a neighbour.
             */
            relevance?: number | null;
            /**
             * Role
             * @description Role of the speaker.
             * @enum {string}
             */
            role: "system" | "developer" | "user" | "assistant" | "tool";
            /**
             * Score
             * @description Score of the match; null without a query, and for a neighbour.
             */
            score: number | null;
            /**
             * Source
             * @description open: not yet sealed; text: kept exactly; decoded: read from vision tokens.
             * @enum {string}
             */
            source: "open" | "text" | "decoded";
            /**
             * Superseded At
             * @description Time of the message `superseded_by`.
             */
            superseded_at?: string | null;
            /**
             * Superseded By
             * @description Id of the newest message that says the same with another value, such as a date that was moved; null if recall found none. It need not be in the answer.
             */
            superseded_by?: string | null;
            /**
             * Suspicious
             * @description Whether rules recognise instructions to a model in it, though it is data.
             * @default false
             */
            suspicious: boolean;
            /**
             * Text
             * @description The text as the memory holds it, with parts rendered.
             */
            text: string;
            /**
             * Thread
             * @description Thread of the message.
             */
            thread: string;
            /**
             * Tier
             * @description The lowest tier it was read from; null while it is open.
             */
            tier: ("large" | "base" | "small" | "tiny" | "micro") | null;
            /**
             * Trust
             * @description Trust class: whose words these are. Those of tool, web, imported and unknown are data.
             * @default unknown
             * @enum {string}
             */
            trust: "user" | "assistant" | "tool" | "web" | "imported" | "unknown";
            /**
             * Uncertain
             * @description Runs of `text` that may be misread: start, stop, confidence.
             */
            uncertain: [
                number,
                number,
                number
            ][];
        };
        /**
         * Record
         * @description A record, exactly as it was stored.
         */
        Record: {
            /**
             * Created At
             * Format: date-time
             * @description Time at which it was first stored.
             */
            created_at: string;
            /**
             * Expires At
             * @description Time at which it expires; null for never.
             */
            expires_at: string | null;
            /**
             * Key
             * @description Key, unique in its namespace.
             */
            key: string;
            /**
             * Namespace
             * @description Labels, from the widest to the narrowest.
             */
            namespace: string[];
            /**
             * Score
             * @description Score for the query or vector; null without one.
             */
            score?: number | null;
            /**
             * Updated At
             * Format: date-time
             * @description Time at which it was last stored.
             */
            updated_at: string;
            /** @description The value, as stored. */
            value: components["schemas"]["JsonValue"];
            /**
             * Version
             * @description Changes with every write; never reused in the bank.
             */
            version: number;
        };
        /**
         * RecordChange
         * @description The result of a write.
         */
        RecordChange: {
            /**
             * Deleted
             * @description Number of records deleted.
             */
            deleted: number;
            /**
             * Version
             * @description Version of the stored record; null if none was stored.
             */
            version: number | null;
        };
        /**
         * RecordChanges
         * @description The results of the writes of a call, which are atomic.
         */
        RecordChanges: {
            /**
             * Changes
             * @description Results, in the order of the writes.
             */
            changes: components["schemas"]["RecordChange"][];
        };
        /**
         * RecordKey
         * @description Namespace and key of a record.
         */
        RecordKey: {
            /**
             * Key
             * @description Key, unique in its namespace.
             */
            key: string;
            /**
             * Namespace
             * @description Labels, from the widest to the narrowest.
             */
            namespace: string[];
        };
        /**
         * RecordKeys
         * @description Records to read.
         */
        RecordKeys: {
            /**
             * Records
             * @description Namespaces and keys of the records.
             */
            records: components["schemas"]["RecordKey"][];
            /**
             * Refresh Ttl
             * @description Restart the `ttl_s` of the records from now.
             */
            refresh_ttl?: boolean;
        };
        /**
         * RecordSearch
         * @description A listing of records, or a search by meaning and words.
         */
        RecordSearch: {
            /**
             * Cursor
             * @description `next_cursor` of the previous page of the list.
             */
            cursor?: string | null;
            /**
             * Exact
             * @description Whether to search only that namespace, not those below it.
             */
            exact?: boolean;
            /**
             * Filter
             * @description Conditions that a record must meet, all of them.
             */
            filter?: components["schemas"]["Condition"][];
            /**
             * Limit
             * @description Maximum number of records.
             */
            limit?: number;
            /**
             * Namespace
             * @description First labels of the namespaces to search; empty for all.
             */
            namespace?: string[];
            /**
             * Offset
             * @description Number of records to skip.
             */
            offset?: number;
            /**
             * Order
             * @description Order without a query: by creation, oldest or newest first; last stored first; or by key, descending, which requires `exact`.
             * @enum {string}
             */
            order?: "oldest" | "newest" | "updated" | "last_key";
            /**
             * Query
             * @description Text to search for by meaning and by words, best match first. Default: list all.
             */
            query?: string | null;
            /**
             * Refresh Ttl
             * @description Whether to restart the `ttl_s` of the records found.
             */
            refresh_ttl?: boolean;
            /**
             * Vector
             * @description Embedding to search for among `vectors` of the same length, by cosine similarity, instead of `query`.
             */
            vector?: number[] | null;
        };
        /**
         * RecordWrites
         * @description Records to store and to delete, all or none.
         */
        RecordWrites: {
            /**
             * Writes
             * @description Writes, applied in this order.
             */
            writes: (components["schemas"]["PutRecord"] | components["schemas"]["DeleteRecord"] | components["schemas"]["CheckRecord"] | components["schemas"]["ClearRecords"])[];
        };
        /**
         * RecordedCalls
         * @description Result of recording calls.
         */
        RecordedCalls: {
            /**
             * Duplicates
             * @description Number of calls that were already recorded.
             */
            duplicates: number;
            /**
             * Recorded
             * @description The calls that were recorded.
             */
            recorded: components["schemas"]["PricedCall"][];
        };
        /**
         * Records
         * @description Search results, with a cursor.
         */
        Records: {
            /**
             * Next Cursor
             * @description Cursor of the next page of the list; null at its end.
             */
            next_cursor: string | null;
            /**
             * Records
             * @description Records, in the requested order; with a query, best match first.
             */
            records: components["schemas"]["Record"][];
        };
        /**
         * ReencodeRequest
         * @description Options of a reencoding.
         */
        ReencodeRequest: {
            /**
             * Dry Run
             * @description Change nothing; report which pages would be reencoded.
             */
            dry_run?: boolean;
        };
        /**
         * ReencodingReport
         * @description The result of reencoding, or of a dry run. Bytes are those of vision tokens; confidence is the mean over the
         *     pages in `reencoded`, and 1 for a page with kept text.
         */
        ReencodingReport: {
            /**
             * Bank
             * @description Name of the bank.
             */
            bank: string;
            /**
             * Busy
             * @description Ids of pages that another process had locked or changed; reencode again for them.
             */
            busy: string[];
            /**
             * Bytes After
             * @description Bytes of the reencoded pages after.
             */
            bytes_after: number;
            /**
             * Bytes Before
             * @description Bytes of the reencoded pages before.
             */
            bytes_before: number;
            /**
             * Codec
             * @description Name of the current codec.
             */
            codec: string;
            /**
             * Confidence After
             * @description Mean confidence after; null in a dry run or without pages.
             */
            confidence_after: number | null;
            /**
             * Confidence Before
             * @description Mean confidence before; null if none was reencoded.
             */
            confidence_before: number | null;
            /**
             * Current
             * @description Number of pages that the current weights had already encoded.
             */
            current: number;
            /**
             * Dry Run
             * @description Whether it was a dry run, which writes nothing.
             */
            dry_run: boolean;
            /**
             * Reencoded
             * @description Pages that were reencoded.
             */
            reencoded: components["schemas"]["PageReencoded"][];
            /**
             * Unreadable
             * @description Pages that were skipped because they cannot be read.
             */
            unreadable: components["schemas"]["PageSkipped"][];
            /**
             * Weights
             * @description Digest of its weights.
             */
            weights: string;
        };
        /**
         * RetrieveResult
         * @description A text that an excerpt stands for.
         */
        RetrieveResult: {
            /**
             * Complete
             * @description Whether `original_content` is the whole text.
             */
            complete: boolean;
            /**
             * Hash
             * @description Its hash.
             */
            hash: string;
            /**
             * Kept
             * @description Share of the characters of the text that the memory still holds, 0 to 1.
             */
            kept: number;
            /**
             * Original Content
             * @description The exact text as remembered; with a query, its passages that match. “ … ” stands where passages are left out, or where the text has faded.
             */
            original_content: string;
            /**
             * Suspicious
             * @description Whether rules recognise instructions to a model in the text, though it is data.
             */
            suspicious: boolean;
            /**
             * Trust
             * @description Trust class of the text: whose words these are.
             * @enum {string}
             */
            trust: "user" | "assistant" | "tool" | "web" | "imported" | "unknown";
        };
        /**
         * Savings
         * @description Savings of a bank, or of all banks.
         */
        Savings: {
            /**
             * By
             * @description What the rows are: days, sessions or models.
             * @enum {string}
             */
            by: "day" | "session" | "model";
            /**
             * Left Out
             * @description Number of further rows, which count in `total`.
             * @default 0
             */
            left_out: number;
            /**
             * Rows
             * @description Days in time order, sessions and models by their last call, newest first.
             */
            rows: components["schemas"]["SavingsRow"][];
            /** @description Sums over all calls of the time window. */
            total: components["schemas"]["SavingsSum"];
        };
        /**
         * SavingsRow
         * @description Sums over the calls of a day, a session or a model.
         */
        SavingsRow: {
            /**
             * Billed
             * @description Price of the input, in the unit of the prices: by default uncached tokens.
             * @default 0
             */
            billed: number;
            /**
             * Calls
             * @description Number of calls.
             * @default 0
             */
            calls: number;
            /**
             * Counted Calls
             * @description Those whose original was sent as it was, or counted by the provider.
             * @default 0
             */
            counted_calls: number;
            /**
             * First At
             * Format: date-time
             * @description Time of the first call.
             */
            first_at: string;
            /**
             * Folded Calls
             * @description Those of them that were sent folded.
             * @default 0
             */
            folded_calls: number;
            /**
             * Fresh Tokens
             * @description Tokens of the input that were billed at the full price.
             * @default 0
             */
            fresh_tokens: number;
            /**
             * Key
             * @description The day (UTC), the session or the model.
             */
            key: string;
            /**
             * Last At
             * Format: date-time
             * @description Time of the last call.
             */
            last_at: string;
            /**
             * Original
             * @description Price of the input without folding, under the same state of the cache.
             * @default 0
             */
            original: number;
            /**
             * Original Tokens
             * @description Tokens of the input as the clients sent it.
             * @default 0
             */
            original_tokens: number;
            /**
             * Output Tokens
             * @description Tokens of the answers.
             * @default 0
             */
            output_tokens: number;
            /**
             * Read Tokens
             * @description Tokens that were read from the provider's cache.
             * @default 0
             */
            read_tokens: number;
            /**
             * Retries
             * @description Number of times that a request had to be sent again without thinking.
             * @default 0
             */
            retries: number;
            /**
             * Saved
             * @description `original` less `billed`; negative where folding has cost more.
             * @default 0
             */
            saved: number;
            /**
             * Written Tokens
             * @description Tokens that were written to the provider's cache.
             * @default 0
             */
            written_tokens: number;
        };
        /**
         * SavingsSum
         * @description Sums over calls of models.
         */
        SavingsSum: {
            /**
             * Billed
             * @description Price of the input, in the unit of the prices: by default uncached tokens.
             * @default 0
             */
            billed: number;
            /**
             * Calls
             * @description Number of calls.
             * @default 0
             */
            calls: number;
            /**
             * Counted Calls
             * @description Those whose original was sent as it was, or counted by the provider.
             * @default 0
             */
            counted_calls: number;
            /**
             * Folded Calls
             * @description Those of them that were sent folded.
             * @default 0
             */
            folded_calls: number;
            /**
             * Fresh Tokens
             * @description Tokens of the input that were billed at the full price.
             * @default 0
             */
            fresh_tokens: number;
            /**
             * Original
             * @description Price of the input without folding, under the same state of the cache.
             * @default 0
             */
            original: number;
            /**
             * Original Tokens
             * @description Tokens of the input as the clients sent it.
             * @default 0
             */
            original_tokens: number;
            /**
             * Output Tokens
             * @description Tokens of the answers.
             * @default 0
             */
            output_tokens: number;
            /**
             * Read Tokens
             * @description Tokens that were read from the provider's cache.
             * @default 0
             */
            read_tokens: number;
            /**
             * Retries
             * @description Number of times that a request had to be sent again without thinking.
             * @default 0
             */
            retries: number;
            /**
             * Saved
             * @description `original` less `billed`; negative where folding has cost more.
             * @default 0
             */
            saved: number;
            /**
             * Written Tokens
             * @description Tokens that were written to the provider's cache.
             * @default 0
             */
            written_tokens: number;
        };
        /**
         * SealReport
         * @description The result of sealing.
         */
        SealReport: {
            /**
             * Messages
             * @description Number of messages that are now completely sealed.
             */
            messages: number;
            /**
             * Open Messages
             * @description Number of messages still open.
             */
            open_messages: number;
            /**
             * Pages
             * @description Ids of the new pages.
             */
            pages: string[];
        };
        /**
         * SealRequest
         * @description Options of a seal request.
         */
        SealRequest: {
            /**
             * Now
             * @description Time to use as the current time: an RFC 3339 time, or a date or words such as “yesterday”, which mean the start of that day. Over HTTP, allowed only in a dry run or if the settings of the service permit it.
             */
            now?: string | null;
            /**
             * Timezone
             * @description Time zone of dates and relative times, for example 'Europe/Berlin'. Default: UTC.
             */
            timezone?: string | null;
        };
        /**
         * StoreRequest
         * @description Messages to store, all or none.
         */
        StoreRequest: {
            /**
             * Answer
             * @description With `provider`: body of the answer to the messages as it came, JSON or a stream of events, which is stored after them if it is complete. For `ai-sdk`, the result of the model, or the parts of its stream as events.
             */
            answer?: string | null;
            /**
             * Messages
             * @description Messages in the order of the conversation, at least one. With `provider`, as its API has them.
             */
            messages: components["schemas"]["NewMessage"][];
            /**
             * Provider
             * @description The messages are in the format of this API: those of a request or an answer of Anthropic's Messages (`anthropic`), of OpenAI's chat completions (`openai`) or Responses (`openai-responses`), the contents of Gemini (`gemini`), or the prompt of a model of the AI SDK for JavaScript (`ai-sdk`). Each is stored as a message for each turn: the words of a speaker, a tool call, or its result. Blocks without words become labels, and thinking is left out.
             */
            provider?: ("anthropic" | "openai" | "openai-responses" | "gemini" | "ai-sdk") | null;
            /**
             * Session
             * @description With `provider`: the messages are a conversation from its beginning, and this is the id of its session, or `auto` for one that follows from its first words. Each turn has the id that it has by every way in, so that it is stored once, however often the conversation is sent. Its thread is `thread`, by default the session. Messages that cannot be read are left out.
             */
            session?: string | null;
            /**
             * Thread
             * @description Thread of the messages that do not name one themselves.
             */
            thread?: string | null;
        };
        /**
         * StoreResult
         * @description The result of storing messages.
         */
        StoreResult: {
            /** @description Forecast of how the new messages age under the current policy; null if none is new. */
            ageing?: components["schemas"]["AgeingForecast"] | null;
            /**
             * Duplicates
             * @description Number of messages that were already stored with the same content.
             */
            duplicates: number;
            /**
             * Ids
             * @description Ids of the messages, in the order given.
             */
            ids: string[];
            /**
             * Left Out
             * @description What messages of a provider have that is not stored, such as `thinking`: how often it occurs.
             * @default {}
             */
            left_out: {
                [key: string]: number;
            };
            /**
             * Quarantined
             * @description Number of new messages that the policy has quarantined; see `quarantine_trust`.
             * @default 0
             */
            quarantined: number;
            /**
             * Redacted
             * @description Number of matches that the bank's rules of redaction replaced, by the name of the rule.
             * @default {}
             */
            redacted: {
                [key: string]: number;
            };
            /**
             * Stored
             * @description Number of new messages.
             */
            stored: number;
        };
        /**
         * TextPart
         * @description A text part.
         */
        TextPart: {
            /**
             * Text
             * @description The text; may be empty.
             */
            text: string;
            /**
             * @description `text`; required in JSON. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "text";
        };
        /**
         * ThreadInfo
         * @description A thread, with the number and the times of its messages.
         */
        ThreadInfo: {
            /**
             * First At
             * Format: date-time
             * @description Time of its first message.
             */
            first_at: string;
            /**
             * Last At
             * Format: date-time
             * @description Time of its last message.
             */
            last_at: string;
            /**
             * Messages
             * @description Number of its messages.
             */
            messages: number;
            /**
             * Persons
             * @description Its speakers by name, those with the most messages first, at most 8.
             */
            persons: string[];
            /**
             * Source
             * @description Source of the thread, with which its name begins, such as `chatgpt`; null if it begins with none.
             */
            source: string | null;
            /**
             * Thread
             * @description Name of the thread.
             */
            thread: string;
            /**
             * Title
             * @description Title: that of an export, else the first sentence of its first request as remembered now, or what somebody named it; null if its first message has no words.
             */
            title: string | null;
            /**
             * Title Source
             * @description Source of the title: `export`, metadata of one of its messages; `request`; `rename`.
             */
            title_source: ("export" | "request" | "rename") | null;
        };
        /**
         * ThreadTitle
         * @description A title for a thread.
         */
        ThreadTitle: {
            /**
             * Title
             * @description Title, in one line; the redaction rules of the bank apply. Null for that of its export or its first request.
             */
            title: string | null;
        };
        /**
         * Threads
         * @description A list of threads, with a cursor.
         */
        Threads: {
            /**
             * Next Cursor
             * @description Cursor of the next page of the list; null at its end.
             */
            next_cursor: string | null;
            /**
             * Threads
             * @description Threads in the order of their last messages, newest first.
             */
            threads: components["schemas"]["ThreadInfo"][];
        };
        /**
         * TierStatistics
         * @description Statistics of the pages of a bank at one tier.
         */
        TierStatistics: {
            /**
             * Pages
             * @description Number of pages.
             */
            pages: number;
            /**
             * Token Bytes
             * @description Size of these tokens in bytes.
             */
            token_bytes: number;
            /**
             * Vision Tokens
             * @description Number of their vision tokens.
             */
            vision_tokens: number;
        };
        /**
         * TokenPrices
         * @description Prices of a token, in any unit: those of a million tokens in dollars give prices in millionths of a dollar.
         */
        TokenPrices: {
            /**
             * Input
             * @description Price of a token that is not cached.
             */
            input?: number;
            /**
             * Read
             * @description Price of a token read from the cache.
             */
            read?: number;
            /**
             * Write
             * @description Price of a token written to the cache.
             */
            write?: number;
        };
        /**
         * ToolCall
         * @description A call of a tool by the speaker.
         */
        ToolCall: {
            /**
             * Arguments
             * @description Arguments: a JSON object, or a string that contains one. Kept as given.
             */
            arguments: string | {
                [key: string]: components["schemas"]["JsonValue"];
            };
            /**
             * Id
             * @description Id of the call; its result refers to it.
             */
            id: string;
            /**
             * Name
             * @description Name of the tool.
             */
            name: string;
            /**
             * @description `tool_call`; required in JSON. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "tool_call";
        };
        /**
         * ToolResult
         * @description The result of a tool call.
         */
        ToolResult: {
            /**
             * Content
             * @description The result; may be empty.
             */
            content: string;
            /**
             * Id
             * @description Id of the call.
             */
            id: string;
            /**
             * Is Error
             * @description Whether the tool failed.
             */
            is_error?: boolean;
            /**
             * @description `tool_result`; required in JSON. (enum property replaced by openapi-typescript)
             * @enum {string}
             */
            type: "tool_result";
        };
        /**
         * UndoReport
         * @description The result of undo. Sizes are those of all restored pages.
         */
        UndoReport: {
            /**
             * Busy
             * @description Ids of pages that another process had locked or changed; run undo again for them.
             */
            busy: string[];
            /**
             * Bytes After
             * @description Bytes of tokens and kept text after.
             */
            bytes_after: number;
            /**
             * Bytes Before
             * @description Bytes of tokens and kept text before.
             */
            bytes_before: number;
            /**
             * Now
             * Format: date-time
             * @description The time at which undo windows were evaluated.
             */
            now: string;
            /**
             * Purged
             * @description Ids of pages whose exact text has been purged because its undo window has passed, including pages that were otherwise restored.
             */
            purged: string[];
            /**
             * Restored
             * @description Pages restored to their state before ageing.
             */
            restored: components["schemas"]["PageRestored"][];
            /**
             * Unreadable
             * @description Pages that were skipped because their dropped data cannot be read.
             */
            unreadable: components["schemas"]["PageSkipped"][];
            /**
             * Vision Tokens After
             * @description Vision tokens after.
             */
            vision_tokens_after: number;
            /**
             * Vision Tokens Before
             * @description Vision tokens before.
             */
            vision_tokens_before: number;
        };
        /**
         * UndoRequest
         * @description Selection of dropped data to restore.
         */
        UndoRequest: {
            /**
             * Now
             * @description Time to use as the current time: an RFC 3339 time, or a date or words such as “yesterday”, which mean the start of that day. Over HTTP, allowed only in a dry run or if the settings of the service permit it.
             */
            now?: string | null;
            /**
             * Page
             * @description Id of the page; default: all pages.
             */
            page?: string | null;
            /**
             * Since
             * @description Restore only what was dropped at this time or later: an RFC 3339 time, a date, or words such as “2 hours ago”. Default: everything within the undo window.
             */
            since?: string | null;
            /**
             * Timezone
             * @description Time zone of dates and relative times, for example 'Europe/Berlin'. Default: UTC.
             */
            timezone?: string | null;
        };
        /**
         * UsageLimits
         * @description Limits of a tenant; null for none.
         */
        UsageLimits: {
            /**
             * Bank Messages
             * @description Messages that each bank holds at most. Further ones get 413.
             */
            bank_messages?: number | null;
            /**
             * Bytes Per Day
             * @description Bytes of text and images stored in a day of UTC. Further ones get 429 until the day ends.
             */
            bytes_per_day?: number | null;
            /**
             * Image Tokens Per Day
             * @description Tokens of images that recalls and contexts return in a day of UTC, as their readers bill them. Further ones get 429 until the day ends; those with text alone do not.
             */
            image_tokens_per_day?: number | null;
            /**
             * Messages Per Day
             * @description Messages stored in a day of UTC. Further ones get 429 until the day ends.
             */
            messages_per_day?: number | null;
            /**
             * Recalls At Once
             * @description Recalls and other calls of the codec that each process answers at the same time. Further ones get 429.
             */
            recalls_at_once?: number | null;
            /**
             * Requests Per S
             * @description Requests a second, on average, that each process of the service accepts; it accepts as many at once, or one. Further requests get 429.
             */
            requests_per_s?: number | null;
        };
        /**
         * UsageOfDay
         * @description Usage of a day by the callers of one key.
         */
        UsageOfDay: {
            /**
             * Bytes
             * @description Bytes of their text and images.
             */
            bytes: number;
            /**
             * Day
             * Format: date
             * @description Day in UTC.
             */
            day: string;
            /**
             * Image Tokens
             * @description Tokens of images that recalls and contexts returned.
             * @default 0
             */
            image_tokens: number;
            /**
             * Key Id
             * @description Id of the key; null for callers without one, and for work in the background.
             */
            key_id: string | null;
            /**
             * Messages
             * @description Messages stored.
             */
            messages: number;
            /**
             * Recalls
             * @description Recalls and other calls of the codec.
             */
            recalls: number;
            /**
             * Requests
             * @description Requests accepted.
             */
            requests: number;
            /**
             * Tenant
             * @description Tenant; null for none.
             */
            tenant: string | null;
        };
        /**
         * UsageReport
         * @description Usage by day, tenant and key.
         */
        UsageReport: {
            /**
             * Rows
             * @description Newest day first, then by tenant and key.
             */
            rows: components["schemas"]["UsageOfDay"][];
        };
        /**
         * WordCount
         * @description Counts of facts, or of other words.
         */
        WordCount: {
            /**
             * Kept
             * @description Number of words that are kept.
             */
            kept: number;
            /**
             * Words
             * @description Number of words.
             */
            words: number;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    healthz: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The process is alive. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
        };
    };
    metrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Metrics in the Prometheus text format. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
        };
    };
    readyz: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The service is ready. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
        };
    };
    list_audit: {
        parameters: {
            query?: {
                /** @description Name of a bank. */
                bank?: string | null;
                /** @description Action, such as `store`. */
                action?: string | null;
                /** @description Id of the key of the caller. */
                key?: string | null;
                /** @description Start of the time window: RFC 3339, or words. */
                since?: string | null;
                /** @description End of the time window, exclusive. */
                until?: string | null;
                /** @description Whether the newest events come first. */
                newest_first?: boolean;
                /** @description Maximum number of entries. */
                limit?: number;
                /** @description The `next_cursor` of the previous response. */
                cursor?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The events. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditEvents"];
                };
            };
        };
    };
    list_banks: {
        parameters: {
            query?: {
                /** @description Maximum number of entries. */
                limit?: number;
                /** @description The `next_cursor` of the previous response. */
                cursor?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The banks and their statistics. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Banks"];
                };
            };
        };
    };
    get_bank: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The statistics of the bank. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BankInfo"];
                };
            };
        };
    };
    erase_bank: {
        parameters: {
            query?: {
                /** @description Seconds to wait for the end before responding 202 with the job, which continues. */
                wait?: number;
            };
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The bank was erased. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErasureReport"];
                };
            };
            /** @description The job, which continues: it took longer than `wait` (30 s by default). A repeated call gets the same job. */
            202: {
                headers: {
                    /** @description Path of the job. */
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
        };
    };
    age: {
        parameters: {
            query?: {
                /** @description Seconds to wait for the end before responding 202 with the job, which continues. */
                wait?: number;
            };
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["AgeRequest"] | null;
            };
        };
        responses: {
            /** @description The pages that moved or, in a dry run, would move. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AgeReport"];
                };
            };
            /** @description The job, which continues: it took longer than `wait` (30 s by default). A repeated call gets the same job. */
            202: {
                headers: {
                    /** @description Path of the job. */
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
        };
    };
    import_bundle: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/octet-stream": Blob;
            };
        };
        responses: {
            /** @description What was imported. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BundleReport"];
                };
            };
        };
    };
    context: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ContextRequest"];
            };
        };
        responses: {
            /** @description The content, within the budget. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ContextResult"];
                };
            };
        };
    };
    export_bundle: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The bundle, a tar archive. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-tar": Blob;
                };
            };
        };
    };
    list_facts: {
        parameters: {
            query?: {
                /** @description Time of which to tell what held: RFC 3339, a date or words, a period at its start. Default: now. */
                at?: string | null;
                /** @description Time zone of `at`. Default: UTC. */
                timezone?: string | null;
                /** @description Whom the facts are about: a name, a role, or a word in them. */
                subject?: string | null;
                /** @description Maximum tokens of the facts as text. */
                max_tokens?: number;
            };
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The facts. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Facts"];
                };
            };
        };
    };
    dismiss_fact: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Id of the fact. */
                fact_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The fact, which is listed no more. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Fact"];
                };
            };
        };
    };
    correct_fact: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Id of the fact. */
                fact_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["FactCorrection"];
            };
        };
        responses: {
            /** @description The fact that holds instead. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Fact"];
                };
            };
        };
    };
    pin_fact: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Id of the fact. */
                fact_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The fact, pinned. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Fact"];
                };
            };
        };
    };
    unpin_fact: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Id of the fact. */
                fact_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The fact, unpinned. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Fact"];
                };
            };
        };
    };
    fetch: {
        parameters: {
            query: {
                /** @description Reference of a message, with or without brackets; may be repeated. */
                ref: string[];
            };
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The complete messages, and the references without one. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FetchResult"];
                };
            };
        };
    };
    fold: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["FoldRequest"];
            };
        };
        responses: {
            /** @description The conversation to send. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FoldResult"];
                };
            };
        };
    };
    import_history: {
        parameters: {
            query?: {
                /** @description Name of the file, which errors and the report show; logs of IRC may have their day in it. */
                filename?: string | null;
                /** @description Format, such as 'chatgpt' or 'slack'; 'auto' recognises it by the contents. */
                format?: string;
                /** @description Time zone of times without an offset, and of `since` and `until`, such as 'Europe/Berlin'. */
                timezone?: string | null;
                /** @description Order in dates such as 3/4/2025, where the file leaves it open. */
                dates?: ("day-first" | "month-first") | null;
                /** @description Keep branches of conversations that were left, as threads of their own. */
                branches?: boolean;
                /** @description Roles of speakers: NAME=ROLE, such as 'Ann=user'. */
                as?: string[];
                /** @description Import only threads that match one of these patterns ('chatgpt:67*'). */
                thread?: string[];
                /** @description Leave out threads that match a pattern. */
                exclude?: string[];
                /** @description Import only messages from this time on: an RFC 3339 time, a date, or words. */
                since?: string | null;
                /** @description Import only messages up to this time, inclusive. */
                until?: string | null;
                /** @description Count the age of messages from their original times, not from now. */
                backdate?: boolean;
                /** @description Write nothing; respond with what would be imported and what left out. */
                dry_run?: boolean;
            };
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/octet-stream": Blob;
            };
        };
        responses: {
            /** @description The import, whose messages are being stored; for a dry run, what would be imported. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImportJob"] | components["schemas"]["ImportPreview"];
                };
            };
        };
    };
    import_progress: {
        parameters: {
            query?: {
                /** @description Seconds to wait for the end of the import before responding. */
                wait?: number;
            };
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Id of the import. */
                import_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The import, with its progress or its report. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImportJob"];
                };
            };
        };
    };
    cancel_import: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Id of the import. */
                import_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The import. It ends once the messages that are being stored are written. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImportJob"];
                };
            };
        };
    };
    list_jobs: {
        parameters: {
            query?: {
                /** @description Maximum number of entries. */
                limit?: number;
                /** @description The `next_cursor` of the previous response. */
                cursor?: string | null;
            };
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The jobs. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Jobs"];
                };
            };
        };
    };
    get_job: {
        parameters: {
            query?: {
                /** @description Seconds to wait for the end of the job before responding. */
                wait?: number;
            };
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Id of the job. */
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The job, with its progress or its result. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
        };
    };
    cancel_job: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Id of the job. */
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The job. It ends between two pages or batches; `done` says how much is complete, and stays. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
        };
    };
    store_messages: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes retries safe: a repeated request stores nothing and returns the response of the first. The same key with a different body is a conflict (409). */
                "Idempotency-Key"?: string | null;
            };
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["StoreRequest"];
            };
        };
        responses: {
            /** @description The messages are stored. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StoreResult"];
                };
            };
        };
    };
    get_message: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Id of the message. */
                message_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The message. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageInfo"];
                };
            };
        };
    };
    erase_message: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Id of the message. */
                message_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The message was erased. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErasureReport"];
                };
            };
        };
    };
    list_pages: {
        parameters: {
            query?: {
                /** @description Maximum number of entries. */
                limit?: number;
                /** @description The `next_cursor` of the previous response. */
                cursor?: string | null;
                /** @description Return only pages at this tier. */
                tier?: ("large" | "base" | "small" | "tiny" | "micro") | null;
            };
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The pages, oldest first. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Pages"];
                };
            };
        };
    };
    get_page: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Id of the page. */
                page_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageInfo"];
                };
            };
        };
    };
    get_page_image: {
        parameters: {
            query?: {
                /** @description The current tier of the page (default) or a lower one. Sharper versions are no longer stored. */
                tier?: ("large" | "base" | "small" | "tiny" | "micro") | null;
            };
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Id of the page. */
                page_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The page at the tier. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/png": Blob;
                };
            };
        };
    };
    pin_page: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Id of the page. */
                page_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The page, pinned. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageInfo"];
                };
            };
        };
    };
    unpin_page: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Id of the page. */
                page_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The page, unpinned. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageInfo"];
                };
            };
        };
    };
    preview_page: {
        parameters: {
            query?: {
                /** @description A tier below the current tier of the page; default: the next lower one. */
                tier?: ("large" | "base" | "small" | "tiny" | "micro") | null;
            };
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Id of the page. */
                page_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The page before and after fading. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PagePreview"];
                };
            };
        };
    };
    read_page: {
        parameters: {
            query?: {
                /** @description The current tier of the page (default) or a lower one. Sharper versions are no longer stored. */
                tier?: ("large" | "base" | "small" | "tiny" | "micro") | null;
            };
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Id of the page. */
                page_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The text of the page and its confidence. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageReading"];
                };
            };
        };
    };
    get_page_tokens: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Id of the page. */
                page_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The tokens as a safetensors file. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/vnd.safetensors": Blob;
                };
            };
        };
    };
    get_policy: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The current policy. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Policy"];
                };
            };
        };
    };
    set_policy: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Policy"];
            };
        };
        responses: {
            /** @description The new policy. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Policy"];
                };
            };
        };
    };
    list_quarantine: {
        parameters: {
            query?: {
                /** @description Maximum number of entries. */
                limit?: number;
                /** @description The `next_cursor` of the previous response. */
                cursor?: string | null;
            };
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The messages. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QuarantineList"];
                };
            };
        };
    };
    erase_quarantined_message: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Id of the message. */
                message_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The message was erased. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErasureReport"];
                };
            };
        };
    };
    release_message: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Id of the message. */
                message_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The message is stored. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StoreResult"];
                };
            };
        };
    };
    recall: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RecallRequest"];
            };
        };
        responses: {
            /** @description The recalled messages, as spans of text or page images. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RecallResult"] | components["schemas"]["RecalledImages"];
                };
            };
        };
    };
    write_records: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes retries safe: a repeated request stores nothing and returns the response of the first. The same key with a different body is a conflict (409). */
                "Idempotency-Key"?: string | null;
            };
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RecordWrites"];
            };
        };
        responses: {
            /** @description The results of the writes. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RecordChanges"];
                };
            };
        };
    };
    get_records: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RecordKeys"];
            };
        };
        responses: {
            /** @description The records, in the order of the request. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FoundRecords"];
                };
            };
        };
    };
    list_namespaces: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NamespaceList"];
            };
        };
        responses: {
            /** @description The namespaces. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Namespaces"];
                };
            };
        };
    };
    search_records: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RecordSearch"];
            };
        };
        responses: {
            /** @description The records. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Records"];
                };
            };
        };
    };
    reencode: {
        parameters: {
            query?: {
                /** @description Seconds to wait for the end before responding 202 with the job, which continues. */
                wait?: number;
            };
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ReencodeRequest"] | null;
            };
        };
        responses: {
            /** @description The pages that were or, in a dry run, would be reencoded. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReencodingReport"];
                };
            };
            /** @description The job, which continues: it took longer than `wait` (30 s by default). A repeated call gets the same job. */
            202: {
                headers: {
                    /** @description Path of the job. */
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
        };
    };
    get_savings: {
        parameters: {
            query?: {
                /** @description Whether to sum by day (UTC), session or model. */
                by?: "day" | "session" | "model";
                /** @description Time of the first call to count. */
                since?: string | null;
                /** @description Time from which calls do not count. */
                until?: string | null;
                /** @description Maximum number of rows: the newest. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What folding saved. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Savings"];
                };
            };
        };
    };
    record_model_calls: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ModelCalls"];
            };
        };
        responses: {
            /** @description The calls that were recorded. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RecordedCalls"];
                };
            };
        };
    };
    get_savings_table: {
        parameters: {
            query?: {
                /** @description Whether to sum by day (UTC), session or model. */
                by?: "day" | "session" | "model";
                /** @description Time of the first call to count. */
                since?: string | null;
                /** @description Time from which calls do not count. */
                until?: string | null;
                /** @description Maximum number of rows: the newest. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What folding saved. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/csv": Blob;
                };
            };
        };
    };
    seal: {
        parameters: {
            query?: {
                /** @description Seconds to wait for the end before responding 202 with the job, which continues. */
                wait?: number;
            };
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SealRequest"] | null;
            };
        };
        responses: {
            /** @description The new pages. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SealReport"];
                };
            };
            /** @description The job, which continues: it took longer than `wait` (30 s by default). A repeated call gets the same job. */
            202: {
                headers: {
                    /** @description Path of the job. */
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
        };
    };
    list_threads: {
        parameters: {
            query?: {
                /** @description Words or parts of words, all of which the title has, without case. */
                q?: string | null;
                /** @description Name of a speaker, compared without case. */
                person?: string | null;
                /** @description Source with which the name begins, such as `chatgpt`. */
                source?: string | null;
                /** @description Threads whose last message was said from this time on. */
                since?: string | null;
                /** @description Threads whose last message was said until this time ends. */
                until?: string | null;
                /** @description Time zone of dates and relative times, for example 'Europe/Berlin'. Default: UTC. */
                timezone?: string | null;
                /** @description Maximum number of entries. */
                limit?: number;
                /** @description The `next_cursor` of the previous response. */
                cursor?: string | null;
            };
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The threads, those with the newest messages first. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Threads"];
                };
            };
        };
    };
    erase_thread: {
        parameters: {
            query?: {
                /** @description Seconds to wait for the end before responding 202 with the job, which continues. */
                wait?: number;
            };
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Name of the thread. */
                thread: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The thread was erased. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErasureReport"];
                };
            };
            /** @description The job, which continues: it took longer than `wait` (30 s by default). A repeated call gets the same job. */
            202: {
                headers: {
                    /** @description Path of the job. */
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
        };
    };
    rename_thread: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
                /** @description Name of the thread. */
                thread: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ThreadTitle"];
            };
        };
        responses: {
            /** @description The thread with its title. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ThreadInfo"];
                };
            };
        };
    };
    undo: {
        parameters: {
            query?: {
                /** @description Seconds to wait for the end before responding 202 with the job, which continues. */
                wait?: number;
            };
            header?: never;
            path: {
                /** @description Name of the bank; that of a tenant's bank may begin with the tenant and `~`. */
                bank: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["UndoRequest"] | null;
            };
        };
        responses: {
            /** @description The pages that were restored, and those whose data has been purged. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UndoReport"];
                };
            };
            /** @description The job, which continues: it took longer than `wait` (30 s by default). A repeated call gets the same job. */
            202: {
                headers: {
                    /** @description Path of the job. */
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
        };
    };
    compress: {
        parameters: {
            query?: never;
            header?: {
                /** @description Distinguishes the sessions of a key, as sent by LiteLLM: each has a bank of its own. Default: a single bank for the key. */
                "x-headroom-affinity"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CompressRequest"];
            };
        };
        responses: {
            /** @description As many messages, in their order and with their roles. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CompressResult"];
                };
            };
        };
    };
    erase_person: {
        parameters: {
            query?: {
                /** @description Seconds to wait for the end before responding 202 with the job, which continues. */
                wait?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PersonErasureRequest"];
            };
        };
        responses: {
            /** @description The banks with messages of the person, and what was erased or would be. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PersonErasure"];
                };
            };
            /** @description The job, which continues: it took longer than `wait` (30 s by default). A repeated call gets the same job. */
            202: {
                headers: {
                    /** @description Path of the job. */
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
        };
    };
    export_person: {
        parameters: {
            query: {
                /** @description Name of the speaker, compared without case. */
                person: string;
                /** @description Whether messages of others count that have the name as words of their text. */
                mentions?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The messages, one JSON object a line, bank by bank in time order. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/jsonl": Blob;
                };
            };
        };
    };
    list_holds: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The holds. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Holds"];
                };
            };
        };
    };
    set_hold: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["HoldRequest"];
            };
        };
        responses: {
            /** @description The hold. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Hold"];
                };
            };
        };
    };
    release_hold: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the hold. */
                hold_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The hold, released. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Hold"];
                };
            };
        };
    };
    get_any_job: {
        parameters: {
            query?: {
                /** @description Seconds to wait for the end of the job before responding. */
                wait?: number;
            };
            header?: never;
            path: {
                /** @description Id of the job. */
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The job, with its progress or its result. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
        };
    };
    cancel_any_job: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the job. */
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The job. It ends between two pages or batches; `done` says how much is complete, and stays. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
        };
    };
    list_keys: {
        parameters: {
            query?: {
                /** @description Maximum number of entries. */
                limit?: number;
                /** @description The `next_cursor` of the previous response. */
                cursor?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The keys, without their secrets. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Keys"];
                };
            };
        };
    };
    create_key: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["KeyRequest"];
            };
        };
        responses: {
            /** @description The key, which is shown only now. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NewKey"];
                };
            };
        };
    };
    revoke_key: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the key. */
                key_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The key, revoked. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KeyInfo"];
                };
            };
        };
    };
    rotate_key: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the key. */
                key_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["KeyRotation"] | null;
            };
        };
        responses: {
            /** @description The new key, which is shown only now. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NewKey"];
                };
            };
        };
    };
    retrieve: {
        parameters: {
            query?: {
                /** @description Return only the passages that match. Default: the whole text. */
                query?: string | null;
            };
            header?: {
                /** @description Distinguishes the sessions of a key, as sent by LiteLLM: each has a bank of its own. Default: a single bank for the key. */
                "x-headroom-affinity"?: string;
            };
            path: {
                /** @description A hash from `ccr_hashes`. */
                hash: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The text. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RetrieveResult"];
                };
            };
        };
    };
    get_limits: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the tenant. */
                tenant: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The limits. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UsageLimits"];
                };
            };
        };
    };
    set_limits: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name of the tenant. */
                tenant: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UsageLimits"];
            };
        };
        responses: {
            /** @description The limits. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UsageLimits"];
                };
            };
        };
    };
    get_usage: {
        parameters: {
            query?: {
                /** @description Number of days, today included. */
                days?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The usage of each day, tenant and key. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UsageReport"];
                };
            };
        };
    };
}
