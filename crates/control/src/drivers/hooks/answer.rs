//! What a hook says. Whoever gives no answer, or none that can be read, has failed.

use std::time::Duration;

use model::Document;
use model::command::HookAnswer;
use plan::hooks::Call;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::payload;
use crate::ecs::service::stages;

/// How long a hook may think. One that needs longer answers IN_PROGRESS and is asked again.
const PATIENCE: Duration = Duration::from_secs(60);
const CONNECT: Duration = Duration::from_secs(10);
/// ECS asks again after that many seconds unless the hook says otherwise.
const USUAL_DELAY_S: u64 = 30;
const LONGEST_DELAY_S: u64 = 24 * 60 * 60;
const LONGEST_ANSWER: usize = 64 * 1024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    hook_status: String,
    call_back_delay: Option<f64>,
    hook_details: Option<Map<String, Value>>,
}

/// Redirects are answers of somebody else, and are not followed.
pub(super) fn client() -> Option<reqwest::Client> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .timeout(PATIENCE)
        .build();
    client.inspect_err(|error| tracing::error!(%error, "lifecycle hooks can't be asked")).ok()
}

pub(super) async fn of(client: Option<&reqwest::Client>, call: &Call) -> HookAnswer {
    let said = match (client, stages::url(&call.target)) {
        (Some(client), Ok(url)) => said(client, url, &payload::of(call)).await,
        (None, _) => Err("there is no client".to_owned()),
        (_, Err(error)) => Err(error.to_string()),
    };
    match said.and_then(|text| read(&text, call.details.as_ref())) {
        Ok(answer) => answer,
        Err(why) => {
            tracing::warn!(service = %call.service, stage = %call.stage, target = %call.target, why, "a hook failed");
            HookAnswer::Failed
        }
    }
}

async fn said(client: &reqwest::Client, url: &str, payload: &Value) -> Result<Vec<u8>, String> {
    let mut answer =
        client.post(url).json(payload).send().await.map_err(|error| error.without_url().to_string())?;
    if !answer.status().is_success() {
        return Err(format!("it answered {}", answer.status()));
    }
    let mut text = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| error.without_url().to_string())? {
        text.extend_from_slice(&chunk);
        if text.len() > LONGEST_ANSWER {
            return Err("its answer is too long".to_owned());
        }
    }
    Ok(text)
}

fn read(text: &[u8], told: Option<&Document>) -> Result<HookAnswer, String> {
    let answer: Answer = serde_json::from_slice(text).map_err(|error| format!("its answer: {error}"))?;
    match answer.hook_status.as_str() {
        "SUCCEEDED" => Ok(HookAnswer::Succeeded),
        "FAILED" => Ok(HookAnswer::Failed),
        "IN_PROGRESS" => {
            let after_s = match answer.call_back_delay {
                Some(delay) if delay >= 0.0 => delay.min(LONGEST_DELAY_S as f64),
                Some(_) => return Err("its callBackDelay is negative".to_owned()),
                None => USUAL_DELAY_S as f64,
            };
            let details = answer.hook_details.map(|given| Document::of(&merged(told, given))).transpose();
            let details = details.map_err(|error| error.to_string())?;
            // At most once a second.
            Ok(HookAnswer::Later { after_ms: (after_s * 1000.0).max(1000.0) as u64, details })
        }
        other => Err(format!("its hookStatus is {other:?}")),
    }
}

/// What it was told before stays where it says nothing else.
fn merged(told: Option<&Document>, given: Map<String, Value>) -> Map<String, Value> {
    let mut details = told.and_then(|told| told.to::<Map<String, Value>>().ok()).unwrap_or_default();
    details.extend(given);
    details
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn later(answer: Value, told: Option<&Document>) -> (u64, Option<Value>) {
        match read(answer.to_string().as_bytes(), told) {
            Ok(HookAnswer::Later { after_ms, details }) => (after_ms, details.map(|one| one.to().unwrap())),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn answers_are_read_as_ecs_reads_them() {
        assert_eq!(read(br#"{"hookStatus": "SUCCEEDED"}"#, None), Ok(HookAnswer::Succeeded));
        assert_eq!(read(br#"{"hookStatus": "FAILED", "x": 1}"#, None), Ok(HookAnswer::Failed));
        assert_eq!(later(json!({"hookStatus": "IN_PROGRESS"}), None), (30_000, None));
        let told = Document::of(&json!({"a": 1, "b": 2})).unwrap();
        let answer = json!({"hookStatus": "IN_PROGRESS", "callBackDelay": 0, "hookDetails": {"b": 3}});
        assert_eq!(later(answer, Some(&told)), (1000, Some(json!({"a": 1, "b": 3}))));
    }

    #[test]
    fn what_cannot_be_read_has_failed() {
        for text in ["", "{}", "null", "[]", r#"{"hookStatus": "OK"}"#, r#"{"hookStatus": 1}"#] {
            assert!(read(text.as_bytes(), None).is_err(), "{text}");
        }
        let negative = br#"{"hookStatus": "IN_PROGRESS", "callBackDelay": -1}"#;
        assert!(read(negative, None).is_err());
    }
}
