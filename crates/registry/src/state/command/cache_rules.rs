//! Pull through cache rules, and what is noted of looks upstream.

use super::{Command, Decision, Refusal, find};
use crate::{
    name::Tag,
    state::{
        entities::{CacheRuleRecord, RepositoryKey, Scope, TagRecord},
        index::{Change, Index},
    },
};

/// Rules of a registry (ECR's quota "Pull through cache rules per registry").
pub const CACHE_RULES_MOST: usize = 50;

#[derive(Debug)]
pub struct CreateCacheRule {
    pub scope: Scope,
    pub prefix: String,
    pub rule: CacheRuleRecord,
}

impl Command for CreateCacheRule {
    type Outcome = ();

    fn decide(self, index: &Index) -> Result<Decision<()>, Refusal> {
        if index.cache_rule(&self.scope, &self.prefix).is_some() {
            return Err(Refusal::CacheRuleExists { scope: self.scope, prefix: self.prefix });
        }
        if index.cache_rules_of(&self.scope).count() >= CACHE_RULES_MOST {
            return Err(Refusal::TooManyCacheRules(CACHE_RULES_MOST));
        }
        Ok(Decision::new(vec![Change::PutCacheRule(self.scope, self.prefix, self.rule)], ()))
    }
}

/// Changes a rule that is there; gives what it has become.
pub struct UpdateCacheRule<F> {
    pub scope: Scope,
    pub prefix: String,
    pub edit: F,
}

impl<F> Command for UpdateCacheRule<F>
where
    F: FnOnce(&mut CacheRuleRecord) + Send + 'static,
{
    type Outcome = CacheRuleRecord;

    fn decide(self, index: &Index) -> Result<Decision<CacheRuleRecord>, Refusal> {
        let Some(mut rule) = index.cache_rule(&self.scope, &self.prefix).cloned() else {
            return Err(Refusal::CacheRuleUnknown { scope: self.scope, prefix: self.prefix });
        };
        (self.edit)(&mut rule);
        Ok(Decision::new(vec![Change::PutCacheRule(self.scope, self.prefix, rule.clone())], rule))
    }
}

/// Gives what it was. What is cached stays.
#[derive(Debug)]
pub struct DeleteCacheRule {
    pub scope: Scope,
    pub prefix: String,
}

impl Command for DeleteCacheRule {
    type Outcome = CacheRuleRecord;

    fn decide(self, index: &Index) -> Result<Decision<CacheRuleRecord>, Refusal> {
        match index.cache_rule(&self.scope, &self.prefix).cloned() {
            Some(rule) => Ok(Decision::new(vec![Change::DeleteCacheRule(self.scope, self.prefix)], rule)),
            None => Err(Refusal::CacheRuleUnknown { scope: self.scope, prefix: self.prefix }),
        }
    }
}

/// Upstream's tag stands where the cached one does.
#[derive(Debug)]
pub struct CheckedUpstream {
    pub key: RepositoryKey,
    pub tag: Tag,
    pub now_ms: u64,
}

impl Command for CheckedUpstream {
    type Outcome = ();

    fn decide(self, index: &Index) -> Result<Decision<()>, Refusal> {
        let at = find(index, &self.key)?.tags.get(&self.tag);
        let changes = at.map(|at| {
            let record = TagRecord { checked_upstream_ms: Some(self.now_ms), ..at.clone() };
            Change::PutTag(self.key, self.tag, record)
        });
        Ok(Decision::new(changes.into_iter().collect(), ()))
    }
}
