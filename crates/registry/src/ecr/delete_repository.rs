//! `DeleteRepository`: one with images only when forced.

use wire::{
    Context, Error,
    ecr::{DeleteRepositoryRequest, DeleteRepositoryResponse},
};

use super::{
    error::write,
    repository::{describe, key},
};
use crate::{Shared, state::command::DeleteRepository};

pub(super) async fn call(
    shared: &Shared,
    context: &Context,
    input: DeleteRepositoryRequest,
) -> Result<DeleteRepositoryResponse, Error> {
    let key = key(context, input.registry_id.as_deref(), &input.repository_name)?;
    let command = DeleteRepository { key: key.clone(), force: input.force.unwrap_or(false) };
    let settings = shared.writer.submit(command).await.map_err(write)?;
    Ok(DeleteRepositoryResponse { repository: Some(describe(shared, context, &key, &settings)) })
}
