//! Whether a target can be delivered to as it is asked for.

use serde_json::Value;
use wire::events::Target;

use super::Kind;
use super::input::{Piece, is_predefined, pieces};
use super::path::JsonPath;

/// In EventBridge's words where it has some.
pub(crate) fn target(target: &Target, account: &str, region: &str) -> Result<(), String> {
    let Target { id, arn, .. } = target;
    let format = || format!("Parameter {arn} is not valid. Reason: Provided Arn is not in correct format.");
    let is_address = arn.starts_with("http://") || arn.starts_with("https://");
    if !is_address && arn.parse::<wire::arn::Arn>().is_err() {
        return Err(format());
    }
    let kind = Kind::of(arn).ok_or_else(|| match is_address {
        true => format(),
        false => format!(
            "Longshore does not deliver to {arn}: a target is an http:// or https:// address, a log group or an ECS \
             cluster."
        ),
    })?;
    if let Kind::LogGroup { account: of, region: at, .. } | Kind::Cluster { account: of, region: at, .. } =
        &kind
        && (of != account || at != region)
    {
        return Err(format!("Target {id} is of another account or region."));
    }
    parameters(target, &kind)?;
    let inputs = [target.input.is_some(), target.input_path.is_some(), target.input_transformer.is_some()];
    if inputs.into_iter().filter(|given| *given).count() > 1 {
        return Err(format!(
            "Only one of Input, InputPath, or InputTransformer must be provided for target {id}."
        ));
    }
    if target.input.as_ref().is_some_and(|input| serde_json::from_str::<Value>(input).is_err()) {
        return Err(format!("JSON syntax error in input for target {id}."));
    }
    if target.input_path.as_ref().is_some_and(|path| JsonPath::parse(path).is_none()) {
        return Err(format!("Invalid InputPath for target {id}."));
    }
    transformer(target)?;
    dead_letters(target)
}

fn parameters(target: &Target, kind: &Kind) -> Result<(), String> {
    let id = &target.id;
    let others = [
        ("KinesisParameters", target.kinesis_parameters.is_some()),
        ("RunCommandParameters", target.run_command_parameters.is_some()),
        ("BatchParameters", target.batch_parameters.is_some()),
        ("SqsParameters", target.sqs_parameters.is_some()),
        ("RedshiftDataParameters", target.redshift_data_parameters.is_some()),
        ("SageMakerPipelineParameters", target.sage_maker_pipeline_parameters.is_some()),
        ("AppSyncParameters", target.app_sync_parameters.is_some()),
        ("EcsParameters", target.ecs_parameters.is_some() && !matches!(kind, Kind::Cluster { .. })),
        ("HttpParameters", target.http_parameters.is_some() && !matches!(kind, Kind::Http(_))),
    ];
    if let Some((name, _)) = others.into_iter().find(|(_, given)| *given) {
        return Err(format!("Parameter(s) {name} must not be specified for target: {id}."));
    }
    if matches!(kind, Kind::Cluster { .. }) && target.ecs_parameters.is_none() {
        return Err(format!("Parameter(s) EcsParameters must be specified for target: {id}."));
    }
    Ok(())
}

fn transformer(target: &Target) -> Result<(), String> {
    let Some(transformer) = &target.input_transformer else { return Ok(()) };
    let invalid = |what: String| format!("Invalid InputTransformer for target {}: {what}", target.id);
    let paths = || transformer.input_paths_map.iter().flatten();
    for (name, path) in paths() {
        if name.starts_with("AWS.") || name.starts_with("aws.") {
            return Err(invalid(format!("the name {name} is reserved.")));
        }
        JsonPath::parse(path).ok_or_else(|| invalid(format!("{path} is no JSON path.")))?;
    }
    for piece in pieces(&transformer.input_template) {
        if let Piece::Holder { name, .. } = piece
            && !is_predefined(name)
            && !paths().any(|(known, _)| known == name)
        {
            return Err(invalid(format!("the template names {name}, which InputPathsMap lacks.")));
        }
    }
    Ok(())
}

/// On AWS it is an SQS queue.
fn dead_letters(target: &Target) -> Result<(), String> {
    let Some(queue) = target.dead_letter_config.as_ref().and_then(|config| config.arn.as_deref()) else {
        return Ok(());
    };
    match Kind::of(queue) {
        Some(Kind::Http(_) | Kind::LogGroup { .. }) => Ok(()),
        _ => Err(format!(
            "Longshore has no queues: the dead-letter queue of target {} must be an address or a log group.",
            target.id
        )),
    }
}
