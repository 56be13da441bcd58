"""The HTTP API.

app        one ASGI application: the two hot routes raw, Starlette for the rest
tracking   the Segment family: /v1/…          decisions  /api/decide, /api/page, /api/search, /api/decisions
items      /api/items                         people     /api/profiles
flags      where OFREP and GrowthBook lead    ofrep      /ofrep/v1/…, for OpenFeature
growthbook /api/features, /api/eval           streams    events that tell clients to ask again
script     the browser script, made small     deciding   the time budget of decisions
health     /health, /metrics                  openapi    the document, made from the route table
routes     the route table: path, access, request and reply types
run        workers, the job process, graceful stop
"""
