"""The HTTP API.

app        one ASGI application: the two hot routes raw, Starlette for the rest
routes     the route table: path, access, request and reply types
tracking   the Segment family: /v1/…          deciding   /api/decide, /api/page, /api/search; their time budget
reading    items, profiles, decisions,        foreign    /api/decisions: slates of another system
           health, metrics                    offering   codes of offers
flags      where OFREP and GrowthBook lead    ofrep      /ofrep/v1/…, for OpenFeature
growthbook /api/features, /api/eval           streams    events that tell clients to ask again
requests   what a request says before its body is understood
replies    answers; one JSON shape for errors
shapes     what free-form parts of bodies hold    openapi    the document, made from the route table
metrics    figures of all workers together        virtual    the clock of a server of simulated people
script     the browser script, made small         run        workers, the job process, graceful stop
"""
