//! `GetAccountSetting` and `PutAccountSetting`. Of the settings, that of mounting decides here; the others have one
//! value each.

use wire::{
    Context, Error,
    ecr::{
        GetAccountSettingRequest, GetAccountSettingResponse, PutAccountSettingRequest,
        PutAccountSettingResponse,
    },
};

use super::{
    error::{invalid, write},
    repository::scope,
};
use crate::{
    Shared,
    state::{command::ChangeRegistry, entities::Scope},
};

/// Whether blobs are mounted from one repository in another. ENABLED is what the OCI distribution specification
/// asks for, and what was before there was the setting.
const BLOB_MOUNTING: &str = "BLOB_MOUNTING";

/// What a setting may be, the first being what holds where nothing was put (API reference, `PutAccountSetting`).
fn values(name: &str) -> Option<&'static [&'static str]> {
    match name {
        "BASIC_SCAN_TYPE_VERSION" => Some(&["AWS_NATIVE"]),
        "REGISTRY_POLICY_SCOPE" => Some(&["V2"]),
        BLOB_MOUNTING => Some(&["ENABLED", "DISABLED"]),
        _ => None,
    }
}

fn known(name: &str) -> Result<&'static [&'static str], Error> {
    values(name).ok_or_else(|| {
        invalid("name", "must be one of BASIC_SCAN_TYPE_VERSION, REGISTRY_POLICY_SCOPE, BLOB_MOUNTING")
    })
}

pub(super) async fn get(
    shared: &Shared,
    context: &Context,
    input: GetAccountSettingRequest,
) -> Result<GetAccountSettingResponse, Error> {
    let values = known(&input.name)?;
    let index = shared.writer.index();
    let put = index.registry(&scope(context)).and_then(|settings| settings.account.get(&input.name));
    let value = put.map_or_else(|| values[0].to_owned(), Clone::clone);
    Ok(GetAccountSettingResponse { name: Some(input.name), value: Some(value) })
}

pub(super) async fn put(
    shared: &Shared,
    context: &Context,
    input: PutAccountSettingRequest,
) -> Result<PutAccountSettingResponse, Error> {
    let values = known(&input.name)?;
    if !values.contains(&input.value.as_str()) {
        return Err(invalid("value", &format!("must be one of {}", values.join(", "))));
    }
    let (name, value) = (input.name.clone(), input.value.clone());
    let edit = move |settings: &mut crate::state::entities::RegistrySettings| {
        settings.account.insert(name, value);
        Ok(())
    };
    shared.writer.submit(ChangeRegistry { scope: scope(context), edit }).await.map_err(write)?;
    Ok(PutAccountSettingResponse { name: Some(input.name), value: Some(input.value) })
}

/// Whether a registry mounts blobs.
pub(crate) fn mounts(shared: &Shared, scope: &Scope) -> bool {
    let index = shared.writer.index();
    let put = index.registry(scope).and_then(|settings| settings.account.get(BLOB_MOUNTING));
    put.is_none_or(|value| value == "ENABLED")
}
