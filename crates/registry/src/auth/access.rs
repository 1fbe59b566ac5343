//! What a bearer token was asked for: `repository:<name>:pull,push` (Docker's token authentication specification,
//! "Requesting a token"). It narrows what its owner may do and widens nothing. Pure.

use serde::{Deserialize, Serialize};

use crate::name::RepositoryName;

/// So many repositories at most open with one token, which travels in each request's head.
const MOST: usize = 32;

/// What a token opens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    repositories: Vec<Opened>,
    catalog: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Opened {
    name: RepositoryName,
    rights: Vec<Right>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    Pull,
    Push,
    Delete,
}

impl Right {
    /// What a client asks for who needs this.
    pub fn asked(self) -> &'static str {
        match self {
            Right::Pull => "pull",
            Right::Push => "pull,push",
            Right::Delete => "delete",
        }
    }
}

impl Access {
    /// Reads the `scope` parameters of a request. What isn't understood isn't opened.
    pub fn parse<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Access {
        let mut access = Access::default();
        for scope in scopes.into_iter().flat_map(|scopes| scopes.split(' ')) {
            let Some((what, rights)) = scope.rsplit_once(':') else { continue };
            match what.split_once(':') {
                Some(("repository", name)) if access.repositories.len() < MOST => {
                    let Ok(name) = name.parse() else { continue };
                    let rights = rights.split(',').flat_map(read).copied().collect();
                    access.repositories.push(Opened { name, rights });
                }
                Some(("registry", "catalog")) => access.catalog |= rights == "*",
                _ => {}
            }
        }
        access
    }

    pub fn opens(&self, name: &RepositoryName, right: Right) -> bool {
        self.repositories.iter().any(|opened| opened.name == *name && opened.rights.contains(&right))
    }

    pub fn opens_catalog(&self) -> bool {
        self.catalog
    }
}

fn read(right: &str) -> &'static [Right] {
    match right {
        "pull" => &[Right::Pull],
        "push" => &[Right::Push],
        "delete" => &[Right::Delete],
        "*" => &[Right::Pull, Right::Push, Right::Delete],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn scopes() {
        let name = |text: &str| text.parse::<RepositoryName>().unwrap();
        let access = Access::parse(["repository:team/app:pull,push repository:b:*", "registry:catalog:*"]);
        assert!(access.opens(&name("team/app"), Right::Pull) && access.opens(&name("team/app"), Right::Push));
        assert!(!access.opens(&name("team/app"), Right::Delete) && access.opens(&name("b"), Right::Delete));
        assert!(!access.opens(&name("c"), Right::Pull) && access.opens_catalog());
        for nothing in
            ["", "repository", "repository:b", "repository:B:pull", "repository:b:look", "other:b:pull"]
        {
            let access = Access::parse([nothing]);
            assert!(!access.opens(&name("b"), Right::Pull) && !access.opens_catalog(), "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn no_scope_panics(text: String) {
            let _ = Access::parse([text.as_str()]);
        }
    }
}
