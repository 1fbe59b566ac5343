//! How long a group's events are kept.

use wire::logs::{
    DeleteRetentionPolicyRequest, DeleteRetentionPolicyResponse, PutRetentionPolicyRequest,
    PutRetentionPolicyResponse,
};
use wire::{Context, Error};

use super::identifier;
use crate::catalog::Change;
use crate::service::Service;

/// The API reference's list for `retentionInDays`.
const DAYS: [i32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

pub(super) fn put(
    service: &Service,
    context: &Context,
    input: PutRetentionPolicyRequest,
) -> Result<PutRetentionPolicyResponse, Error> {
    let days = input.retention_in_days;
    if !DAYS.contains(&days) {
        return Err(Error::invalid_parameter(format!(
            "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy \
             constraint: Member must satisfy enum value set: {DAYS:?}"
        )));
    }
    let key = identifier::key(context, &input.log_group_name);
    service.change(key, Change::SetRetention { days: Some(days) })?;
    Ok(PutRetentionPolicyResponse::default())
}

pub(super) fn delete(
    service: &Service,
    context: &Context,
    input: DeleteRetentionPolicyRequest,
) -> Result<DeleteRetentionPolicyResponse, Error> {
    let key = identifier::key(context, &input.log_group_name);
    service.change(key, Change::SetRetention { days: None })?;
    Ok(DeleteRetentionPolicyResponse::default())
}
