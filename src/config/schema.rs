//! The JSON schema of `stacksnap.toml`, for editors.
//!
//! Invariant: it names exactly the keys that the reader knows; a test compares them.

use serde_json::{Value, json};

/// The output of `config schema`.
pub fn json_schema() -> Value {
    let texts = json!({ "type": "array", "items": { "type": "string" } });
    let duration = json!({ "type": "string", "pattern": "^(0|([0-9]+(ms|s|m|min|h|d))+)$" });
    let secret = json!({
        "description": "A secret: a reference, or (with a warning) the text itself.",
        "oneOf": [
            { "type": "object", "additionalProperties": false, "required": ["env"], "properties": { "env": { "type": "string" } } },
            { "type": "object", "additionalProperties": false, "required": ["file"], "properties": { "file": { "type": "string" } } },
            { "type": "object", "additionalProperties": false, "required": ["cmd"], "properties": { "cmd": texts } },
            { "type": "string" }
        ]
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "stacksnap.toml",
        "type": "object",
        "additionalProperties": false,
        "required": ["schema"],
        "properties": {
            "schema": { "const": 1 },
            "snapshot": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "root": { "type": "string" },
                    "formats": { "type": "array", "items": { "enum": super::value::Format::WORDS } },
                    "readable_compression": { "enum": super::value::ReadableCompression::WORDS },
                    "keep_days": { "type": "integer", "minimum": 1 },
                    "jobs": { "type": "integer", "minimum": 1 },
                    "lock_wait": duration,
                    "timeout": duration,
                    "pg_bin": { "type": "string" },
                    "sessions": { "enum": ["keep", "drop"] },
                    "verify": { "enum": super::value::Verify::WORDS },
                    "seal_recipients": texts,
                    "seal_passphrase": secret
                }
            },
            "projects": { "type": "object", "additionalProperties": project(&texts, &secret) }
        }
    })
}

fn project(texts: &Value, secret: &Value) -> Value {
    let list = |key: &str| json!({ "type": "object", "additionalProperties": false, "properties": { key: texts } });
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "db_url": secret,
            "project_dir": { "type": "string" },
            "storage_dir": { "type": "string" },
            "protect": { "type": "string" },
            "exclude_data": texts,
            "user_roles": list("tables"),
            "encryption": list("functions"),
            "tenants": tenants(texts)
        }
    })
}

fn tenants(texts: &Value) -> Value {
    let text = json!({ "type": "string" });
    let pairs = json!({ "type": "object", "additionalProperties": text });
    let reference = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["table", "parent", "on"],
        "properties": { "table": text, "when": text, "parent": text, "on": text }
    });
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "root": text,
            "key": text,
            "label": text,
            "membership": text,
            "columns": texts,
            "shared_tables": texts,
            "tenants_query": text,
            "references": { "type": "array", "items": reference },
            "owner_via": pairs,
            "storage": pairs,
            "changed_column": text,
            "required_tables": texts
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::file::{PROJECT_KEYS, SNAPSHOT_KEYS, TOP_KEYS};
    use crate::config::tenants::{REFERENCE_KEYS, TENANT_KEYS};

    fn keys(value: &Value) -> BTreeSet<&str> {
        value["properties"].as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn the_schema_names_the_keys_that_are_read() {
        let schema = json_schema();
        assert_eq!(keys(&schema), TOP_KEYS.into());
        assert_eq!(keys(&schema["properties"]["snapshot"]), SNAPSHOT_KEYS.into());
        assert_eq!(keys(&schema["properties"]["projects"]["additionalProperties"]), PROJECT_KEYS.into());
        let tenants = &schema["properties"]["projects"]["additionalProperties"]["properties"]["tenants"];
        assert_eq!(keys(tenants), TENANT_KEYS.into());
        assert_eq!(keys(&tenants["properties"]["references"]["items"]), REFERENCE_KEYS.into());
    }
}
