//! Writes the tables: shapes for the generic decoder, operations with their errors, the service.
//! They are data, not code: a thousand statics cost the compiler little.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::model::{Model, Shape, ShapeRef};
use super::names;

pub fn shapes(model: &Model) -> String {
    let mut out = String::from("use crate::shape::{Kind, Length, Member, Shape};\n\n");
    let mut taken = BTreeMap::new();
    for name in model.reachable() {
        let constant = names::constant(name);
        if let Some(other) = taken.insert(constant.clone(), name) {
            panic!("{name} and {other} have one constant");
        }
        let kind = kind(name, model.shape(name));
        writeln!(out, "pub static {constant}: Shape = Shape {{ name: {name:?}, kind: {kind} }};").unwrap();
    }
    out
}

fn kind(name: &str, shape: &Shape) -> String {
    let length = length(shape);
    match shape.kind.as_str() {
        _ if shape.is_opaque() => "Kind::Document".into(),
        "structure" => {
            let mut members = String::new();
            for (member, target) in &shape.members {
                write!(
                    members,
                    "Member {{ name: {member:?}, shape: {}, required: {} }},",
                    reference(target),
                    shape.required.contains(member),
                )
                .unwrap();
            }
            format!("Kind::Structure {{ members: &[{members}], union: {} }}", shape.union)
        }
        "list" => {
            assert!(!shape.flattened, "{name}: flattened lists aren't decoded");
            let member = inner(name, &shape.member);
            format!("Kind::List {{ member: {member}, length: {length} }}")
        }
        "map" => {
            let (key, value) = (inner(name, &shape.key), inner(name, &shape.value));
            format!("Kind::Map {{ key: {key}, value: {value}, length: {length} }}")
        }
        "string" => format!(
            "Kind::String {{ length: {length}, pattern: {:?}, values: &{:?} }}",
            shape.pattern, shape.values
        ),
        "blob" => format!("Kind::Blob {{ length: {length} }}"),
        "integer" => format!("Kind::Integer {{ range: {} }}", integer_range(shape)),
        "long" => format!("Kind::Long {{ range: {} }}", integer_range(shape)),
        "double" | "float" => {
            format!("Kind::Double {{ min: {:?}, max: {:?} }}", shape.min, shape.max)
        }
        "boolean" => "Kind::Boolean".into(),
        "timestamp" => "Kind::Timestamp".into(),
        other => panic!("{name}: no table for {other}"),
    }
}

fn length(shape: &Shape) -> String {
    if shape.min.is_none() && shape.max.is_none() {
        return "Length::ANY".into();
    }
    let whole = |n: Option<f64>| n.map(|n| n as u64);
    format!("Length {{ min: {:?}, max: {:?} }}", whole(shape.min), whole(shape.max))
}

fn integer_range(shape: &Shape) -> String {
    let whole = |n: Option<f64>| n.map(|n| n as i64);
    format!("({:?}, {:?})", whole(shape.min), whole(shape.max))
}

fn inner(name: &str, target: &Option<ShapeRef>) -> String {
    reference(target.as_ref().unwrap_or_else(|| panic!("{name} lacks its inner shape")))
}

fn reference(target: &ShapeRef) -> String {
    format!("&{}", names::constant(&target.shape))
}

pub fn operations(service: &str, model: &Model) -> String {
    let mut out = String::from(
        "use super::{shapes, types};\nuse crate::operation::{ErrorInfo, Operation, OperationInfo, \
         Protocol, ServiceInfo};\n\n",
    );
    let meta = &model.metadata;
    let protocol = match meta.protocol.as_str() {
        "json" => "Json",
        "query" => "Query",
        other => panic!("{service}: no codec for protocol {other}"),
    };
    writeln!(
        out,
        "pub static SERVICE: ServiceInfo = ServiceInfo {{ name: {service:?}, protocol: \
         Protocol::{protocol}, signing_name: {:?}, target_prefix: {:?}, api_version: {:?}, \
         xml_namespace: {:?}, operations: &OPERATIONS, errors: &ERRORS }};\n",
        meta.signing_name.as_ref().unwrap_or(&meta.endpoint_prefix),
        meta.target_prefix.as_deref().unwrap_or_default(),
        meta.api_version,
        meta.xml_namespace.as_deref().unwrap_or_default(),
    )
    .unwrap();
    write_errors(&mut out, model);

    let all: Vec<String> =
        model.operations.keys().map(|name| format!("&{}", names::constant(name))).collect();
    writeln!(out, "pub static OPERATIONS: [&OperationInfo; {}] = [{}];\n", all.len(), all.join(", "))
        .unwrap();
    for (name, operation) in &model.operations {
        let table = |shape: Option<&str>| {
            shape.map_or("None".to_owned(), |s| format!("Some(&shapes::{})", names::constant(s)))
        };
        let input = operation.input.as_ref().map(|r| r.shape.as_str());
        let output = operation.output.as_ref().map(|r| r.shape.as_str());
        let wrapper = operation.output.as_ref().and_then(|r| r.result_wrapper.as_deref());
        let errors: BTreeSet<&str> = operation.errors.iter().map(|e| e.shape.as_str()).collect();
        let errors: Vec<String> = errors.iter().map(|e| format!("&{}", error_constant(e))).collect();
        writeln!(
            out,
            "pub static {}: OperationInfo = OperationInfo {{ service: &SERVICE, name: {name:?}, \
             input: {}, output: {}, result_wrapper: {wrapper:?}, errors: &[{}] }};",
            names::constant(name),
            table(input),
            table(output),
            errors.join(", ")
        )
        .unwrap();
        let rust = |shape: Option<&str>, suffix: &str| {
            names::type_name(&shape.map_or_else(|| format!("{name}{suffix}"), str::to_owned))
        };
        writeln!(
            out,
            "#[derive(Clone, Copy, Debug)]\npub struct {name};\nimpl Operation for {name} {{\n\
             type Input = types::{};\ntype Output = types::{};\n\
             const INFO: &'static OperationInfo = &{};\n}}\n",
            rust(input, "Request"),
            rust(output, "Response"),
            names::constant(name)
        )
        .unwrap();
    }
    out
}

fn error_constant(shape: &str) -> String {
    format!("ERROR_{}", names::constant(shape))
}

fn write_errors(out: &mut String, model: &Model) {
    let mut all = Vec::new();
    for (name, shape) in model.shapes.iter().filter(|(_, shape)| shape.exception) {
        let status = if shape.fault { 500 } else { 400 };
        let (code, status, sender) = match &shape.error {
            Some(e) => (e.code.as_str(), e.http_status_code, e.sender_fault),
            None => (name.as_str(), status, !shape.fault),
        };
        let constant = error_constant(name);
        writeln!(
            out,
            "static {constant}: ErrorInfo = ErrorInfo {{ shape: {name:?}, code: {code:?}, \
             status: {status}, sender_fault: {sender} }};"
        )
        .unwrap();
        all.push(format!("&{constant}"));
    }
    writeln!(out, "pub static ERRORS: [&ErrorInfo; {}] = [{}];\n", all.len(), all.join(", ")).unwrap();
}
