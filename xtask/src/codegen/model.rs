//! The parts of a botocore `service-2.json` that the generator reads. Documentation is not among
//! them: it is never parsed, so it can't be taken over.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

#[derive(Deserialize)]
pub struct Model {
    pub metadata: Metadata,
    pub operations: BTreeMap<String, Operation>,
    pub shapes: BTreeMap<String, Shape>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    pub api_version: String,
    pub protocol: String,
    pub target_prefix: Option<String>,
    pub signing_name: Option<String>,
    pub endpoint_prefix: String,
    pub xml_namespace: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    pub input: Option<ShapeRef>,
    pub output: Option<OutputRef>,
    #[serde(default)]
    pub errors: Vec<ShapeRef>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputRef {
    pub shape: String,
    /// AWS Query puts the result into an element of this name.
    pub result_wrapper: Option<String>,
}

#[derive(Deserialize)]
pub struct ShapeRef {
    pub shape: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Shape {
    #[serde(rename = "type")]
    pub kind: String,
    pub members: BTreeMap<String, ShapeRef>,
    pub required: BTreeSet<String>,
    pub member: Option<ShapeRef>,
    pub key: Option<ShapeRef>,
    pub value: Option<ShapeRef>,
    #[serde(rename = "enum")]
    pub values: Vec<String>,
    /// Of a length (string, list, map, blob) or of a number.
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub pattern: Option<String>,
    pub exception: bool,
    pub fault: bool,
    pub error: Option<ErrorTrait>,
    pub document: bool,
    pub eventstream: bool,
    pub union: bool,
    pub flattened: bool,
    pub sensitive: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorTrait {
    pub code: String,
    pub http_status_code: u16,
    #[serde(default)]
    pub sender_fault: bool,
}

impl Model {
    pub fn shape(&self, name: &str) -> &Shape {
        // A model that names a shape it doesn't define is broken beyond use.
        self.shapes.get(name).unwrap_or_else(|| panic!("the model has no shape {name}"))
    }

    /// Every shape that an operation's input or output reaches; errors are apart.
    pub fn reachable(&self) -> BTreeSet<&str> {
        let mut queue: Vec<&str> = Vec::new();
        for operation in self.operations.values() {
            queue.extend(operation.input.as_ref().map(|r| r.shape.as_str()));
            queue.extend(operation.output.as_ref().map(|r| r.shape.as_str()));
        }
        let mut seen = BTreeSet::new();
        while let Some(name) = queue.pop() {
            let shape = self.shape(name);
            if seen.insert(name) && !shape.is_opaque() {
                queue.extend(shape.references());
            }
        }
        seen
    }
}

impl Shape {
    /// Free-form JSON, or a stream: what lies inside is no shape of ours.
    pub fn is_opaque(&self) -> bool {
        self.document || self.eventstream
    }

    pub fn is_enum(&self) -> bool {
        !self.values.is_empty()
    }

    fn references(&self) -> impl Iterator<Item = &str> {
        let inner = [&self.member, &self.key, &self.value].into_iter().flatten();
        inner.chain(self.members.values()).map(|r| r.shape.as_str())
    }
}
