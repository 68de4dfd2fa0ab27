"""The OpenAPI document, written by hand: bodies are read as bytes, not by FastAPI's models."""

from typing import TYPE_CHECKING, Any

from dlt_pipelines.cloud_events import BATCH_TYPE, STRUCTURED_TYPE

if TYPE_CHECKING:
    from api.app import Limits

ERROR = {
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["error"],
            "properties": {"error": {"type": "string"}},
        }
    }
}
EVENT = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1},
        "type": {"type": "string", "minLength": 1},
        "subject": {"type": "string", "minLength": 1},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"type": "string", "minLength": 1},
        "dataschema": {"type": "string", "minLength": 1},
        "data": {"type": "object"},
    },
}
JUDGED = {
    "type": "object",
    "required": ["accepted", "refused"],
    "properties": {
        "accepted": {"type": "integer"},
        "refused": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["index", "id", "reason"],
                "properties": {
                    "index": {"type": "integer"},
                    "id": {"type": ["string", "null"]},
                    "reason": {"type": "string"},
                },
            },
        },
    },
}
SIGNALS = {"logs": "resourceLogs", "traces": "resourceSpans", "metrics": "resourceMetrics"}


def document(limits: "Limits") -> dict[str, Any]:
    """Return the document."""
    refused = {
        "400": {"description": "It cannot be read, or does not fit.", "content": ERROR},
        "401": {"description": "No token that counts.", "content": ERROR},
        "413": {
            "description": f"More than {limits.body_bytes} bytes or {limits.batch_events} events.",
            "content": ERROR,
        },
        "415": {"description": "An unknown format.", "content": ERROR},
        "429": {
            "description": f"More than {limits.requests_per_second} requests a second.",
            "headers": {"Retry-After": {"schema": {"type": "integer"}}},
            "content": ERROR,
        },
        "503": {
            "description": "It cannot be kept now.",
            "headers": {"Retry-After": {"schema": {"type": "integer"}}},
            "content": ERROR,
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "MindWeave intake", "version": "1.0"},
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "query": {"type": "apiKey", "in": "query", "name": "access_token"},
            }
        },
        "paths": {
            "/events": {
                "post": {
                    "summary": "Take CloudEvents 1.0: structured, batched, or binary (ce- headers)",
                    "security": [{"token": []}, {"query": []}],
                    "requestBody": {
                        "required": True,
                        "content": {
                            STRUCTURED_TYPE: {"schema": EVENT},
                            BATCH_TYPE: {"schema": {"type": "array", "items": EVENT}},
                            "application/json": {"schema": {"type": "object"}},
                        },
                    },
                    "responses": {
                        "202": {
                            "description": "On disk; of a batch, what was refused and why.",
                            "content": {"application/json": {"schema": JUDGED}},
                        },
                        **refused,
                        "400": {
                            "description": "It cannot be read, or nothing of it fits.",
                            "content": {
                                "application/json": {
                                    "schema": {
                                        "anyOf": [ERROR["application/json"]["schema"], JUDGED]
                                    }
                                }
                            },
                        },
                    },
                },
                "options": {
                    "summary": "The handshake of CloudEvents' webhooks",
                    "parameters": [
                        {
                            "in": "header",
                            "name": name,
                            "required": is_required,
                            "schema": schema,
                        }
                        for name, is_required, schema in (
                            ("WebHook-Request-Origin", True, {"type": "string", "minLength": 1}),
                            ("WebHook-Request-Rate", False, {"type": "integer", "minimum": 1}),
                        )
                    ],
                    "responses": {
                        "200": {"description": "Agreed, in WebHook-Allowed-Origin and -Rate."},
                        "400": refused["400"],
                    },
                },
            },
            **{
                f"/v1/{signal}": {
                    "post": {
                        "summary": f"Take {signal} by OTLP/HTTP",
                        "security": [{"token": []}, {"query": []}],
                        "requestBody": {
                            "required": True,
                            "content": {
                                "application/json": {
                                    "schema": {
                                        "type": "object",
                                        "required": [name],
                                        "properties": {
                                            name: {"type": "array", "items": {"type": "object"}}
                                        },
                                    }
                                },
                                "application/x-protobuf": {
                                    "schema": {"type": "string", "format": "binary"}
                                },
                            },
                        },
                        "responses": {
                            "200": {
                                "description": "On disk.",
                                "content": {
                                    "application/json": {"schema": {"type": "object"}},
                                    "application/x-protobuf": {"schema": {"type": "string"}},
                                },
                            },
                            **refused,
                        },
                    }
                }
                for signal, name in SIGNALS.items()
            },
            "/health": {
                "get": {
                    "summary": "Whether what came last could be kept",
                    "responses": {
                        "200": {"description": "Yes."},
                        "503": {"description": "No."},
                    },
                }
            },
            "/metrics": {
                "get": {
                    "summary": "Numbers for Prometheus",
                    "responses": {"200": {"description": "The numbers."}},
                }
            },
        },
    }
