//! From what a request names to keys. A bus may be named by its ARN.

use wire::arn;
use wire::{Context, Error};

use super::invalid;
use crate::state::{BusKey, DEFAULT_BUS, Refusal, RuleKey, State};

/// The bus that is meant, which must be there.
pub(super) fn bus(context: &Context, state: &State, given: Option<&str>) -> Result<BusKey, Error> {
    let key = bus_key(context, given)?;
    if !state.has_bus(&key) {
        return Err(Refusal::NoBus(key.name).into());
    }
    Ok(key)
}

pub(super) fn bus_key(context: &Context, given: Option<&str>) -> Result<BusKey, Error> {
    let given = given.unwrap_or(DEFAULT_BUS);
    let name = if given.starts_with("arn:") {
        let named = arn::events(given).filter(|named| named.rule.is_none());
        let named = named.ok_or_else(|| not_valid("EventBusName"))?;
        if named.arn.region != context.region || named.arn.account != context.account {
            return Err(Refusal::NoBus(given.to_owned()).into());
        }
        named.bus
    } else {
        given.to_owned()
    };
    Ok(BusKey { account: context.account.clone(), region: context.region.clone(), name })
}

pub(super) fn rule(
    context: &Context,
    state: &State,
    given: Option<&str>,
    name: &str,
) -> Result<RuleKey, Error> {
    Ok(RuleKey { bus: bus(context, state, given)?, name: name.to_owned() })
}

pub(super) fn not_valid(parameter: &str) -> Error {
    invalid(format!("Parameter {parameter} is not valid."))
}
