//! The XML of AWS Query answers.

use serde_json::Value;

use crate::error::Error;
use crate::operation::OperationInfo;
use crate::shape::{Kind, Shape};
use crate::types::Timestamp;

pub fn success(operation: &OperationInfo, output: &Value, request_id: &str) -> String {
    let name = operation.name;
    let mut xml = format!("<{name}Response xmlns=\"{}\">\n", operation.service.xml_namespace);
    if let Some(shape) = operation.output {
        let wrapper = operation.result_wrapper.map_or_else(|| format!("{name}Result"), str::to_owned);
        element(&mut xml, &wrapper, shape, output);
    }
    xml.push_str("<ResponseMetadata>");
    text_element(&mut xml, "RequestId", request_id);
    xml.push_str(&format!("</ResponseMetadata>\n</{name}Response>\n"));
    xml
}

pub fn failure(error: &Error, namespace: &str, request_id: &str) -> String {
    let kind = if error.is_sender_fault() { "Sender" } else { "Receiver" };
    let mut xml = match namespace {
        "" => "<ErrorResponse>\n<Error>".to_owned(),
        _ => format!("<ErrorResponse xmlns=\"{namespace}\">\n<Error>"),
    };
    text_element(&mut xml, "Type", kind);
    text_element(&mut xml, "Code", &error.code);
    text_element(&mut xml, "Message", &error.message);
    xml.push_str("</Error>\n");
    text_element(&mut xml, "RequestId", request_id);
    xml.push_str("</ErrorResponse>\n");
    xml
}

fn element(xml: &mut String, name: &str, shape: &Shape, value: &Value) {
    match (&shape.kind, value) {
        (Kind::Structure { members, .. }, Value::Object(object)) => {
            open(xml, name);
            for member in *members {
                if let Some(value) = object.get(member.name) {
                    element(xml, member.name, member.shape, value);
                }
            }
            close(xml, name);
        }
        (Kind::List { member, .. }, Value::Array(items)) => {
            open(xml, name);
            for item in items {
                element(xml, "member", member, item);
            }
            close(xml, name);
        }
        (Kind::Timestamp, Value::Number(seconds)) => {
            let ms = (seconds.as_f64().unwrap_or_default() * 1000.0).round();
            let at = Timestamp::from_ms(ms as u64);
            text_element(xml, name, &at.to_iso8601().unwrap_or_default());
        }
        (_, Value::Null) => {}
        (_, Value::String(text)) => text_element(xml, name, text),
        (_, other) => text_element(xml, name, &other.to_string()),
    }
}

fn open(xml: &mut String, name: &str) {
    xml.push_str(&format!("<{name}>"));
}

fn close(xml: &mut String, name: &str) {
    xml.push_str(&format!("</{name}>\n"));
}

fn text_element(xml: &mut String, name: &str, text: &str) {
    open(xml, name);
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            // XML 1.0 has no way to write these at all.
            '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                xml.push('\u{fffd}');
            }
            other => xml.push(other),
        }
    }
    close(xml, name);
}
