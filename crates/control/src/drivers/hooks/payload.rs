//! What a hook is told (ECS developer guide, "Lambda hooks for Amazon ECS service deployments").

use model::{Shift, Stage};
use plan::hooks::Call;
use serde_json::{Map, Value, json};

use crate::arn;

pub(super) fn of(call: &Call) -> Value {
    let (test, production) = match call.stage {
        Stage::TestTrafficShift => (weights(call, if call.back { 0 } else { Shift::ALL }), Map::new()),
        Stage::PreProductionTrafficShift | Stage::ProductionTrafficShift => {
            (Map::new(), weights(call, call.weight))
        }
        _ => (Map::new(), Map::new()),
    };
    let mut payload = json!({
        "executionId": &*call.run,
        "lifecycleStage": call.stage.as_str(),
        "resourceArn": arn::service_deployment(&call.service, &call.deployment),
        "executionDetails": {
            "serviceArn": arn::service(&call.service),
            "targetServiceRevisionArn": arn::service_revision(&call.service, &call.deployment),
            "testTrafficWeights": test,
            "productionTrafficWeights": production,
        },
    });
    if let Some(details) = call.details.as_ref().and_then(|details| details.to::<Value>().ok()) {
        payload["hookDetails"] = details;
    }
    payload
}

/// In percent, of the new revision and of the old one.
fn weights(call: &Call, new: u32) -> Map<String, Value> {
    let percent = |tenths: u32| match tenths % 10 {
        0 => json!(tenths / 10),
        _ => json!(f64::from(tenths) / 10.0),
    };
    let of = |deployment| arn::service_revision(&call.service, deployment);
    let old = call.other.as_ref().map(|other| (of(other), percent(Shift::ALL - new)));
    [(of(&call.deployment), percent(new))].into_iter().chain(old).collect()
}
