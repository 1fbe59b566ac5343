//! Rules.

use wire::events::{
    DeleteRuleRequest, DeleteRuleResponse, DescribeRuleRequest, DescribeRuleResponse, DisableRuleRequest,
    DisableRuleResponse, EnableRuleRequest, EnableRuleResponse, ListRulesRequest, ListRulesResponse,
    PutRuleRequest, PutRuleResponse, Rule as Listed, RuleState,
};
use wire::{Context, Error};

use super::pages::Listing;
use super::{Service, invalid, names, patterns, tags};
use crate::schedule::Schedule;
use crate::state::{Change, DEFAULT_BUS, DISABLED, ENABLED, NewRule, Refusal, Rule, RuleKey};

pub(super) async fn put(
    service: &Service,
    context: &Context,
    input: PutRuleRequest,
) -> Result<PutRuleResponse, Error> {
    let state = service.catalog.state();
    let key = names::rule(context, &state, input.event_bus_name.as_deref(), &input.name)?;
    // Terraform writes an empty text for what isn't given.
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (pattern, schedule) = (given(input.event_pattern), given(input.schedule_expression));
    if pattern.is_none() && schedule.is_none() {
        return Err(invalid("Parameter(s) EventPattern or ScheduleExpression must be specified."));
    }
    if let Some(pattern) = &pattern {
        patterns::read(pattern)?;
    }
    if let Some(schedule) = &schedule {
        if key.bus.name != DEFAULT_BUS {
            return Err(invalid("ScheduleExpression is supported only on the default event bus."));
        }
        Schedule::parse(schedule).ok_or_else(|| names::not_valid("ScheduleExpression"))?;
    }
    let arn = key.arn();
    let rule = NewRule {
        pattern,
        schedule,
        state: input.state.map_or(ENABLED, RuleState::as_str),
        description: input.description,
        role: input.role_arn,
        created_by: context.account.clone(),
        tags: tags::read(input.tags.unwrap_or_default())?,
    };
    service.catalog.change(Change::PutRule(key, rule)).await?;
    Ok(PutRuleResponse { rule_arn: Some(arn) })
}

pub(super) async fn describe(
    service: &Service,
    context: &Context,
    input: DescribeRuleRequest,
) -> Result<DescribeRuleResponse, Error> {
    let state = service.catalog.state();
    let key = names::rule(context, &state, input.event_bus_name.as_deref(), &input.name)?;
    let rule = state.rules.get(&key).ok_or_else(|| Refusal::NoRule(key.clone()))?;
    Ok(DescribeRuleResponse {
        name: Some(key.name.clone()),
        arn: Some(key.arn()),
        event_pattern: rule.pattern.clone(),
        schedule_expression: rule.schedule.clone(),
        state: rule.state.parse().ok(),
        description: rule.description.clone(),
        role_arn: rule.role.clone(),
        event_bus_name: Some(key.bus.name),
        created_by: Some(rule.created_by.clone()),
        ..DescribeRuleResponse::default()
    })
}

pub(super) async fn list(
    service: &Service,
    context: &Context,
    input: ListRulesRequest,
) -> Result<ListRulesResponse, Error> {
    let state = service.catalog.state();
    let bus = names::bus(context, &state, input.event_bus_name.as_deref())?;
    let prefix = input.name_prefix.unwrap_or_default();
    let rules = state.rules_of(&bus, &prefix).take_while(|(key, _)| key.name.starts_with(&prefix));
    let listing = Listing::new("ListRules", context, &[&bus.name, &prefix]);
    let (rules, next_token) =
        listing.page(rules, |(key, _)| key.name.clone(), input.next_token.as_deref(), input.limit)?;
    let rules = rules.into_iter().map(|(key, rule)| listed(key, rule)).collect();
    Ok(ListRulesResponse { rules: Some(rules), next_token })
}

fn listed(key: &RuleKey, rule: &Rule) -> Listed {
    Listed {
        name: Some(key.name.clone()),
        arn: Some(key.arn()),
        event_pattern: rule.pattern.clone(),
        schedule_expression: rule.schedule.clone(),
        state: rule.state.parse().ok(),
        description: rule.description.clone(),
        role_arn: rule.role.clone(),
        event_bus_name: Some(key.bus.name.clone()),
        ..Listed::default()
    }
}

pub(super) async fn delete(
    service: &Service,
    context: &Context,
    input: DeleteRuleRequest,
) -> Result<DeleteRuleResponse, Error> {
    let key = names::rule(context, &service.catalog.state(), input.event_bus_name.as_deref(), &input.name)?;
    service.catalog.change(Change::DeleteRule(key)).await?;
    Ok(DeleteRuleResponse::default())
}

pub(super) async fn enable(
    service: &Service,
    context: &Context,
    input: EnableRuleRequest,
) -> Result<EnableRuleResponse, Error> {
    let key = names::rule(context, &service.catalog.state(), input.event_bus_name.as_deref(), &input.name)?;
    service.catalog.change(Change::SetState(key, ENABLED)).await?;
    Ok(EnableRuleResponse::default())
}

pub(super) async fn disable(
    service: &Service,
    context: &Context,
    input: DisableRuleRequest,
) -> Result<DisableRuleResponse, Error> {
    let key = names::rule(context, &service.catalog.state(), input.event_bus_name.as_deref(), &input.name)?;
    service.catalog.change(Change::SetState(key, DISABLED)).await?;
    Ok(DisableRuleResponse::default())
}
