//! Real reports against the schema that the tool ships, by a small checker of the words it uses.

use pulsegate::Settings;
use serde_json::{Map, Value, json};
use std::time::Duration;

use crate::house::House;
use crate::tool::{report, run};

/// What is wrong with `value`, as the schema has it: where, and what.
fn faults(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let schema = schema.as_object().unwrap();
    let mut found = Vec::new();
    for (word, rule) in schema {
        found.extend(match word.as_str() {
            "$ref" => {
                let name = rule.as_str().unwrap().strip_prefix('#').unwrap();
                faults(root, root.pointer(name).unwrap(), value, at)
            }
            "type" => unless(
                is_of_type(rule, value),
                at,
                &format!("not of type {rule}: {value}"),
            ),
            "const" => unless(rule == value, at, &format!("not {rule}: {value}")),
            "enum" => {
                let is_one = rule.as_array().unwrap().contains(value);
                unless(is_one, at, &format!("none of {rule}: {value}"))
            }
            "minimum" => {
                let least = rule.as_f64().unwrap();
                let is_enough = value.as_f64().is_none_or(|number| number >= least);
                unless(is_enough, at, &format!("below {rule}: {value}"))
            }
            "items" => {
                let parts = value.as_array().into_iter().flatten().enumerate();
                let within = |(number, part)| faults(root, rule, part, &format!("{at}/{number}"));
                parts.flat_map(within).collect()
            }
            "required" => {
                let names = rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|name| name.as_str().unwrap());
                let is_missing = |name: &&str| value.get(name).is_none();
                let told = |name| format!("{at}: {name} is missing");
                names.filter(is_missing).map(told).collect()
            }
            "properties" | "additionalProperties" => Vec::new(),
            "$schema" | "title" | "description" | "$defs" => Vec::new(),
            unknown => panic!("the checker does not know {unknown:?}"),
        });
    }
    if let Some(fields) = value.as_object() {
        found.extend(faults_of_fields(root, schema, fields, at));
    }
    found
}

fn unless(holds: bool, at: &str, fault: &str) -> Vec<String> {
    if holds {
        Vec::new()
    } else {
        vec![format!("{at}: {fault}")]
    }
}

fn faults_of_fields(
    root: &Value,
    schema: &Map<String, Value>,
    fields: &Map<String, Value>,
    at: &str,
) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in fields {
        let at = format!("{at}/{name}");
        let known = schema.get("properties").and_then(|known| known.get(name));
        match (known, schema.get("additionalProperties")) {
            (Some(rule), _) => found.extend(faults(root, rule, value, &at)),
            (None, Some(Value::Bool(false))) => found.push(format!("{at}: not in the schema")),
            (None, Some(rule)) if rule.is_object() => {
                found.extend(faults(root, rule, value, &at));
            }
            (None, _) => {}
        }
    }
    found
}

fn is_of_type(rule: &Value, value: &Value) -> bool {
    if let Some(several) = rule.as_array() {
        return several.iter().any(|rule| is_of_type(rule, value));
    }
    match rule.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        unknown => panic!("the checker does not know the type {unknown:?}"),
    }
}

/// The schema as the tool prints it.
fn schema() -> Value {
    let printed = run(&["report", "--schema"]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    serde_json::from_str(&printed.stdout).unwrap()
}

#[test]
fn every_scenario_reports_as_the_schema_says() {
    let house = House::new(Settings {
        idle_timeout: Some(Duration::from_millis(300)),
        ..Settings::default()
    });
    let (target, pid, schema) = (house.target(), std::process::id().to_string(), schema());
    for scenario in [
        &["hold", "-d", "200ms"][..],
        &["beat", "--every", "50ms", "-d", "200ms"],
        &["echo", "-d", "200ms"],
        &["churn", "-r", "100", "-d", "200ms"],
        &[
            "storm",
            "--policy",
            "immediate",
            "--every",
            "50ms",
            "-d",
            "200ms",
        ],
        &["die", "--every", "50ms", "-d", "200ms", "--expect", "300ms"],
        &["push", "-r", "50", "-d", "200ms"],
        &["slow", "--slow", "2", "--every", "50ms", "-d", "200ms"],
        &["torn", "-d", "200ms"],
        &[
            "beat",
            "--every",
            "50ms",
            "-d",
            "200ms",
            "--threshold",
            "response:p99<1s",
        ],
    ] {
        let args = [&[scenario[0], &target], &scenario[1..], &["-c", "10"]].concat();
        let more = ["--interval", "100ms", "--server-pid", &pid];
        let (_, report) = report(&[&args[..], &more].concat());
        let faults = faults(&schema, &schema, &report, "");
        assert!(faults.is_empty(), "{scenario:?}:\n{}", faults.join("\n"));
        assert!(
            !report["timeline"].as_array().unwrap().is_empty(),
            "{scenario:?}"
        );
    }
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let schema = json!({
        "type": "object",
        "required": ["a"],
        "additionalProperties": false,
        "properties": {"a": {"$ref": "#/$defs/count"}, "b": {"enum": ["x"]}},
        "$defs": {"count": {"type": ["integer", "null"], "minimum": 0}},
    });
    let count = |value: Value| faults(&schema, &schema, &value, "").len();
    for right in [json!({"a": 1}), json!({"a": null, "b": "x"})] {
        assert_eq!(count(right), 0);
    }
    for wrong in [
        json!({}),
        json!({"a": -1}),
        json!({"a": 1.5}),
        json!({"a": 1, "c": 1}),
        json!([]),
    ] {
        assert!(count(wrong.clone()) > 0, "{wrong}");
    }
}
