//! A policy that has been checked.

use crate::name::Tag;

/// The rules, the first to be applied first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub rules: Vec<Rule>,
}

/// Of the images that it selects, something becomes of all but some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its place: the lowest is applied first.
    pub priority: i32,
    pub selection: Selection,
    pub keep: Keep,
    pub action: Action,
}

/// What becomes of an image that a rule marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It comes into the archive storage class.
    Archive,
    Expire,
}

/// Which images a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    Any,
    Untagged,
    /// Each of these begins one of the image's tags.
    Prefixes(Vec<String>),
    /// Each of these, in which `*` stands for any run of characters, is one of the image's tags.
    Patterns(Vec<String>),
}

/// What stays as it is of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// So many that were pushed last.
    Newest(u32),
    /// Those that were pushed within so many days.
    Pushed(u32),
    /// Those that were pulled within so many days.
    Pulled(u32),
    /// Those that were archived within so many days.
    Archived(u32),
}

impl Rule {
    /// Whether it is about what is archived, and about nothing else; other rules aren't.
    pub fn is_for_archive(&self) -> bool {
        matches!(self.keep, Keep::Archived(_))
    }
}

impl Selection {
    pub fn selects(&self, tags: &[&Tag]) -> bool {
        let all = |wanted: &[String], fits: fn(&str, &str) -> bool| {
            !tags.is_empty() && wanted.iter().all(|w| tags.iter().any(|tag| fits(w, tag.as_str())))
        };
        match self {
            Self::Any => true,
            Self::Untagged => tags.is_empty(),
            Self::Prefixes(prefixes) => all(prefixes, |prefix, tag| tag.starts_with(prefix)),
            Self::Patterns(patterns) => all(patterns, wire::ecr_host::matches),
        }
    }
}
