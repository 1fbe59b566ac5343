//! What a cache rule makes of a repository's name, and of an upstream's. Pure.

use crate::{
    name::RepositoryName,
    state::{
        entities::{CacheRuleRecord, Scope},
        index::Index,
    },
};

/// The prefix of the rule for what no other is for, and the upstream prefix that adds nothing.
pub(crate) const ROOT: &str = "ROOT";

/// How often a cached tag is compared with upstream's (ECR user guide, "Sync an upstream registry with an Amazon ECR
/// private registry": at least once every 24 hours).
pub(crate) const CHECK_MS: u64 = 24 * 3600 * 1000;

/// A repository upstream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Source {
    /// `scheme://host[:port]`
    pub base: String,
    pub repository: String,
    /// The ARN of the secret with the credentials.
    pub credential: Option<String>,
}

/// Where a repository's images come from: by the rule with the longest prefix; `ROOT` comes after all.
pub(crate) fn source_of(index: &Index, scope: &Scope, name: &RepositoryName) -> Option<Source> {
    let rest = |prefix: &str| match prefix {
        ROOT => Some((0, name.as_str())),
        // There is always a slash behind the prefix.
        prefix => Some((prefix.len(), name.as_str().strip_prefix(prefix)?.strip_prefix('/')?)),
    };
    let fitting = index.cache_rules_of(scope).filter_map(|(prefix, rule)| Some((rest(prefix)?, rule)));
    let ((_, rest), rule) = fitting.max_by_key(|((length, _), _)| *length)?;
    Some(rule.source(rest))
}

impl CacheRuleRecord {
    /// The repository that is called `rest` behind the rule's prefix.
    pub fn source(&self, rest: &str) -> Source {
        let repository = match self.upstream_prefix.as_str() {
            ROOT => rest.to_owned(),
            prefix => format!("{prefix}/{rest}"),
        };
        Source { base: base(&self.upstream_url), repository, credential: self.credential.clone() }
    }
}

/// A registry's address, as a rule may name it: `host[:port]`, `https://…`, or `http://…` where it is meant.
pub(crate) fn is_address(url: &str) -> bool {
    let authority = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or(url);
    let parsed = authority.parse::<http::uri::Authority>();
    parsed.is_ok_and(|parsed| !parsed.host().is_empty() && !authority.contains('@'))
}

/// Without a scheme it is https, but for this machine's own addresses, as docker has it.
fn base(url: &str) -> String {
    if url.starts_with("https://") || url.starts_with("http://") {
        return url.to_owned();
    }
    let host = url.parse::<http::uri::Authority>().map(|a| a.host().to_owned()).unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let is_local = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    format!("{}://{url}", if is_local { "http" } else { "https" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::index::Change;

    fn rule(url: &str, upstream_prefix: &str) -> CacheRuleRecord {
        CacheRuleRecord {
            upstream_url: url.to_owned(),
            upstream: None,
            credential: None,
            custom_role: None,
            upstream_prefix: upstream_prefix.to_owned(),
            created_at_ms: 1,
            updated_at_ms: 1,
        }
    }

    #[test]
    fn the_longest_prefix_wins_and_root_comes_last() {
        let scope = Scope { account: "000000000000".to_owned(), region: "eu-west-1".to_owned() };
        let mut index = Index::default();
        let found = |index: &Index, name: &str| {
            source_of(index, &scope, &name.parse().unwrap()).map(|s| (s.base, s.repository))
        };
        let is = |base: &str, repository: &str| Some((base.to_owned(), repository.to_owned()));
        let put = |index: &mut Index, prefix: &str, rule| {
            index.apply(&Change::PutCacheRule(scope.clone(), prefix.to_owned(), rule));
        };
        put(&mut index, "hub", rule("registry-1.docker.io", ROOT));
        put(&mut index, "hub/team", rule("quay.io", "org/sub"));
        assert_eq!(found(&index, "hub/library/nginx"), is("https://registry-1.docker.io", "library/nginx"));
        assert_eq!(found(&index, "hub/team/app"), is("https://quay.io", "org/sub/app"));
        assert_eq!(found(&index, "hubs/app"), None);
        assert_eq!(found(&index, "hub"), None);
        put(&mut index, ROOT, rule("127.0.0.1:5000", "all"));
        assert_eq!(found(&index, "hubs/app"), is("http://127.0.0.1:5000", "all/hubs/app"));
        assert_eq!(found(&index, "hub/team/app"), is("https://quay.io", "org/sub/app"));
        let elsewhere = Scope { region: "eu-north-1".to_owned(), ..scope.clone() };
        assert_eq!(source_of(&index, &elsewhere, &"hub/a".parse().unwrap()), None);
    }

    #[test]
    fn addresses() {
        for good in
            ["quay.io", "10.0.0.5:5000", "http://10.0.0.5:5000", "https://ghcr.io", "[::1]:5000", "localhost"]
        {
            assert!(is_address(good), "{good}");
        }
        for bad in ["", "http://", "quay.io/v2", "a b", "https://u:p@quay.io", "ftp://quay.io", "http://x/"] {
            assert!(!is_address(bad), "{bad}");
        }
        for (url, is) in [
            ("quay.io", "https://quay.io"),
            ("10.0.0.5:5000", "https://10.0.0.5:5000"),
            ("http://10.0.0.5:5000", "http://10.0.0.5:5000"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("[::1]:5000", "http://[::1]:5000"),
            ("localhost", "http://localhost"),
        ] {
            assert_eq!(base(url), is);
        }
    }
}
