"""Classifiers behind HTTP: many adapters on one base, in shared batches.

    settings   what the command line sets
    refusals   the answers that are no answers: 4xx and 503, 504
    adapters   the adapters by name, read at the start or at run time from one folder
    engines    what runs a batch: a base that adapters share, or a model of one's own
    batching   the queue and the one thread that empties it
    service    a request's way: tokens, queue, logits, answers
    ranking    the answers as Hugging Face's task has them
    roster     the adapters that all processes of a server have
    schemas    what goes over the wire
    metrics    for Prometheus
    logs       one JSON line a request, without the texts
    guard      body limit, API key, log line and headers, around every request
    app        the routes
    docs_page  the routes as a page
    running    one process, or several under a supervisor

The way of a request: guard, app, service, adapters, batching, engines, and back.
"""
