//! The model's shapes as data. The decoder, the Query codec and the XML writer walk these tables,
//! so that a thousand shapes cost no code.

/// A named shape of a service's model.
#[derive(Debug)]
pub struct Shape {
    pub name: &'static str,
    pub kind: Kind,
}

#[derive(Debug)]
pub enum Kind {
    /// `union`: exactly one member may be set.
    Structure {
        members: &'static [Member],
        union: bool,
    },
    List {
        member: &'static Shape,
        length: Length,
    },
    Map {
        key: &'static Shape,
        value: &'static Shape,
        length: Length,
    },
    /// `values` not empty: an enum. `length` counts UTF-16 code units, as AWS's Java front ends do.
    String {
        length: Length,
        pattern: Option<&'static str>,
        values: &'static [&'static str],
    },
    /// Base64 in JSON; `length` counts the decoded bytes.
    Blob {
        length: Length,
    },
    Integer {
        range: (Option<i64>, Option<i64>),
    },
    Long {
        range: (Option<i64>, Option<i64>),
    },
    Double {
        min: Option<f64>,
        max: Option<f64>,
    },
    Boolean,
    /// Epoch seconds in JSON, ISO 8601 in Query.
    Timestamp,
    /// Any JSON: its content is not described by the model.
    Document,
}

#[derive(Debug)]
pub struct Member {
    pub name: &'static str,
    pub shape: &'static Shape,
    pub required: bool,
}

/// Inclusive bounds of a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    pub min: Option<u64>,
    pub max: Option<u64>,
}

impl Length {
    pub const ANY: Self = Self { min: None, max: None };

    pub fn admits(self, length: u64) -> bool {
        self.min.is_none_or(|min| length >= min) && self.max.is_none_or(|max| length <= max)
    }
}
