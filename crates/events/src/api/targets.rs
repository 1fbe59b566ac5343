//! The targets of rules.

use wire::events::{
    ListRuleNamesByTargetRequest, ListRuleNamesByTargetResponse, ListTargetsByRuleRequest,
    ListTargetsByRuleResponse, PutTargetsRequest, PutTargetsResponse, RemoveTargetsRequest,
    RemoveTargetsResponse, Target,
};
use wire::{Context, Error};

use super::pages::Listing;
use super::{Service, invalid, names};
use crate::state::{Change, Refusal};
use crate::targets::check;

pub(super) async fn put(
    service: &Service,
    context: &Context,
    input: PutTargetsRequest,
) -> Result<PutTargetsResponse, Error> {
    let key = names::rule(context, &service.catalog.state(), input.event_bus_name.as_deref(), &input.rule)?;
    for target in &input.targets {
        check::target(target, &context.account, &context.region).map_err(invalid)?;
    }
    service.catalog.change(Change::PutTargets(key, input.targets)).await?;
    Ok(PutTargetsResponse { failed_entry_count: Some(0), failed_entries: Some(Vec::new()) })
}

pub(super) async fn list(
    service: &Service,
    context: &Context,
    input: ListTargetsByRuleRequest,
) -> Result<ListTargetsByRuleResponse, Error> {
    let state = service.catalog.state();
    let key = names::rule(context, &state, input.event_bus_name.as_deref(), &input.rule)?;
    let rule = state.rules.get(&key).ok_or_else(|| Refusal::NoRule(key.clone()))?;
    let listing = Listing::new("ListTargetsByRule", context, &[&key.bus.name, &key.name]);
    let (targets, next_token) = listing.page(
        rule.targets.values(),
        |target| target.id.clone(),
        input.next_token.as_deref(),
        input.limit,
    )?;
    Ok(ListTargetsByRuleResponse { targets: Some(targets.into_iter().cloned().collect()), next_token })
}

/// Targets that aren't there are as good as removed.
pub(super) async fn remove(
    service: &Service,
    context: &Context,
    input: RemoveTargetsRequest,
) -> Result<RemoveTargetsResponse, Error> {
    let key = names::rule(context, &service.catalog.state(), input.event_bus_name.as_deref(), &input.rule)?;
    service.catalog.change(Change::RemoveTargets(key, input.ids)).await?;
    Ok(RemoveTargetsResponse { failed_entry_count: Some(0), failed_entries: Some(Vec::new()) })
}

pub(super) async fn rule_names(
    service: &Service,
    context: &Context,
    input: ListRuleNamesByTargetRequest,
) -> Result<ListRuleNamesByTargetResponse, Error> {
    let state = service.catalog.state();
    let bus = names::bus(context, &state, input.event_bus_name.as_deref())?;
    let names_it = |target: &Target| target.arn == input.target_arn;
    let rules = state.rules_of(&bus, "").filter(|(_, rule)| rule.targets.values().any(names_it));
    let listing = Listing::new("ListRuleNamesByTarget", context, &[&bus.name, &input.target_arn]);
    let (rules, next_token) =
        listing.page(rules, |(key, _)| key.name.clone(), input.next_token.as_deref(), input.limit)?;
    let rule_names = Some(rules.into_iter().map(|(key, _)| key.name.clone()).collect());
    Ok(ListRuleNamesByTargetResponse { rule_names, next_token })
}
