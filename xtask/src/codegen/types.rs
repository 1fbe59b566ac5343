//! Writes the DTOs: a struct for each structure, an enum for each string with a fixed set of values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::model::{Model, Shape};
use super::names;

/// Names of the prelude and of our own runtime which a generated type must not hide.
const RESERVED: &[&str] =
    &["Option", "Vec", "Box", "String", "BTreeMap", "Timestamp", "Blob", "Document", "Default"];

pub struct Types<'a> {
    model: &'a Model,
    reachable: BTreeSet<&'a str>,
}

impl<'a> Types<'a> {
    pub fn new(model: &'a Model) -> Self {
        Self { model, reachable: model.reachable() }
    }

    fn of(&self, wanted: impl Fn(&Shape) -> bool) -> impl Iterator<Item = (&'a str, &'a Shape)> {
        let shapes = self.reachable.iter().map(|&name| (name, self.model.shape(name)));
        shapes.filter(move |(_, shape)| wanted(shape))
    }

    pub fn structs(&self) -> String {
        let defaultable = self.defaultable();
        let mut out = String::from(
            "#![allow(unused_imports)]\n\nuse std::collections::BTreeMap;\n\nuse serde::{Deserialize, Serialize};\n\n\
             use super::enums::*;\nuse crate::types::{Blob, Document, Timestamp};\n\n",
        );
        for (name, shape) in self.of(|s| s.kind == "structure" && !s.is_opaque()) {
            self.write_struct(&mut out, name, shape, defaultable.contains(name));
        }
        for (operation, info) in &self.model.operations {
            // An operation without input or output still has types, so that `Operation` needs no
            // special case; the tables say that nothing is on the wire.
            for (present, suffix) in [(info.input.is_some(), "Request"), (info.output.is_some(), "Response")]
            {
                if !present {
                    self.write_struct(&mut out, &format!("{operation}{suffix}"), &Shape::default(), true);
                }
            }
        }
        out
    }

    fn write_struct(&self, out: &mut String, name: &str, shape: &Shape, default: bool) {
        let type_name = names::type_name(name);
        assert!(!RESERVED.contains(&type_name.as_str()), "{type_name} hides a name of the prelude");
        let default = if default { ", Default" } else { "" };
        writeln!(out, "#[derive(Clone, Debug, PartialEq, Serialize, Deserialize{default})]").unwrap();
        writeln!(out, "#[serde(rename_all = \"camelCase\")]\npub struct {type_name} {{").unwrap();
        let mut taken = BTreeMap::new();
        for (member, target) in &shape.members {
            let field = names::field(member);
            if let Some(other) = taken.insert(field.clone(), member) {
                panic!("{name}: {member} and {other} have one field name");
            }
            let rename = (names::camel_case(&field) != *member).then(|| format!("rename = {member:?}"));
            let mut rust = self.rust_type(&target.shape);
            if self.contains_itself(name, &target.shape) {
                rust = format!("Box<{rust}>");
            }
            let optional = !shape.required.contains(member);
            let skip = optional.then(|| "skip_serializing_if = \"Option::is_none\"".to_owned());
            let attributes: Vec<String> = rename.into_iter().chain(skip).collect();
            if !attributes.is_empty() {
                writeln!(out, "#[serde({})]", attributes.join(", ")).unwrap();
            }
            if optional {
                rust = format!("Option<{rust}>");
            }
            writeln!(out, "pub {field}: {rust},").unwrap();
        }
        out.push_str("}\n\n");
    }

    pub fn enums(&self) -> String {
        let mut out = String::from("#![allow(unused_imports)]\n\nuse crate::types::wire_enum;\n\n");
        for (name, shape) in self.of(Shape::is_enum) {
            let type_name = names::type_name(name);
            assert!(!RESERVED.contains(&type_name.as_str()), "{type_name} hides a prelude name");
            writeln!(out, "wire_enum! {{\npub enum {type_name} {{").unwrap();
            let mut taken = BTreeMap::new();
            for value in &shape.values {
                let mut variant = names::variant(value);
                if variant == "Self" {
                    variant.push('_');
                }
                if let Some(other) = taken.insert(variant.clone(), value) {
                    panic!("{name}: {value} and {other} have one variant name");
                }
                writeln!(out, "{variant} = {value:?},").unwrap();
            }
            out.push_str("}\n}\n\n");
        }
        out
    }

    fn rust_type(&self, name: &str) -> String {
        let shape = self.model.shape(name);
        let inner = |r: &Option<super::model::ShapeRef>| {
            self.rust_type(&r.as_ref().unwrap_or_else(|| panic!("{name} lacks its inner shape")).shape)
        };
        match shape.kind.as_str() {
            _ if shape.is_opaque() => "Document".into(),
            "structure" => names::type_name(name),
            "string" if shape.is_enum() => names::type_name(name),
            "string" => "String".into(),
            "integer" => "i32".into(),
            "long" => "i64".into(),
            "double" | "float" => "f64".into(),
            "boolean" => "bool".into(),
            "timestamp" => "Timestamp".into(),
            "blob" => "Blob".into(),
            "list" => format!("Vec<{}>", inner(&shape.member)),
            "map" => format!("BTreeMap<{}, {}>", inner(&shape.key), inner(&shape.value)),
            other => panic!("{name}: no Rust type for {other}"),
        }
    }

    /// Whether a struct would contain itself through `member` without a list or map between.
    fn contains_itself(&self, owner: &str, member: &str) -> bool {
        let mut queue = vec![member];
        let mut seen = BTreeSet::new();
        while let Some(name) = queue.pop() {
            if name == owner {
                return true;
            }
            let shape = self.model.shape(name);
            if shape.kind == "structure" && !shape.is_opaque() && seen.insert(name) {
                queue.extend(shape.members.values().map(|m| m.shape.as_str()));
            }
        }
        false
    }

    /// The structs with a meaningful `Default`: every required member has one. An enum has none.
    fn defaultable(&self) -> BTreeSet<&'a str> {
        let mut yes: BTreeSet<&str> = self.of(|s| s.kind == "structure").map(|(n, _)| n).collect();
        loop {
            let no: Vec<&str> = yes
                .iter()
                .copied()
                .filter(|name| {
                    let shape = self.model.shape(name);
                    shape.required.iter().any(|member| {
                        let target = &shape.members[member].shape;
                        let inner = self.model.shape(target);
                        inner.is_enum()
                            || inner.kind == "structure"
                                && !inner.is_opaque()
                                && !yes.contains(target.as_str())
                    })
                })
                .collect();
            if no.is_empty() {
                return yes;
            }
            yes.retain(|name| !no.contains(name));
        }
    }
}
