//! An HTTP address: the event is posted to it.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, StatusCode, Url, redirect};
use wire::events::HttpParameters;

use super::Outcome;
use crate::error::EventsError;

/// For one attempt (EventBridge user guide, "API destinations").
const TIMEOUT: Duration = Duration::from_secs(5);
/// Of what an answer asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// One client for http, and one for https that is made when it is first needed: a machine may lack trusted roots.
pub(super) struct Clients {
    plain: Client,
    tls: OnceLock<Result<Client, String>>,
}

impl Clients {
    pub fn new() -> Result<Self, EventsError> {
        let failed = |reason: String| EventsError::Client { reason };
        let no_roots = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.to_string()))?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let plain = builder().no_proxy().tls_backend_preconfigured(no_roots).build();
        Ok(Self { plain: plain.map_err(|error| failed(error.to_string()))?, tls: OnceLock::new() })
    }

    fn client(&self, url: &Url) -> Result<&Client, String> {
        if url.scheme() == "http" {
            return Ok(&self.plain);
        }
        let tls = self.tls.get_or_init(|| {
            // Whoever installed one before us chose it; a second installation fails and is not needed.
            let _ = rustls::crypto::CryptoProvider::install_default((*provider()).clone());
            builder().build().map_err(|error| error.to_string())
        });
        tls.as_ref().map_err(Clone::clone)
    }

    pub async fn post(&self, address: &str, parameters: Option<&HttpParameters>, body: String) -> Outcome {
        let (url, headers) = match request(address, parameters) {
            Ok(request) => request,
            Err(reason) => return Outcome::never("INVALID_PARAMETER", reason),
        };
        let client = match self.client(&url) {
            Ok(client) => client,
            Err(reason) => return Outcome::later("SDK_CLIENT_ERROR", reason),
        };
        match client.post(url).headers(headers).body(body).send().await {
            Ok(answer) => judge(answer.status(), answer.headers()),
            Err(error) if error.is_timeout() => Outcome::later("TIMEOUT", "no answer within five seconds"),
            Err(error) => Outcome::later("SDK_CLIENT_ERROR", causes(&error)),
        }
    }
}

fn provider() -> std::sync::Arc<rustls::crypto::CryptoProvider> {
    std::sync::Arc::new(rustls::crypto::ring::default_provider())
}

fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("longshore/", env!("CARGO_PKG_VERSION")))
        // An answer that sends elsewhere is none: who put the address means that one.
        .redirect(redirect::Policy::none())
        .timeout(TIMEOUT)
}

/// The error with what lies below it.
fn causes(error: &dyn std::error::Error) -> String {
    let below = std::iter::successors(error.source(), |error| error.source());
    below.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Those that may pass (EventBridge user guide, "API destinations"): all others stay.
fn judge(status: StatusCode, headers: &HeaderMap) -> Outcome {
    if status.is_success() {
        return Outcome::Done;
    }
    let message = format!("the target answered {status}");
    match status.as_u16() {
        401 | 407 | 409 | 429 | 500.. => {
            let after = headers.get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
            match Outcome::later("API_DESTINATION_ERROR", message) {
                Outcome::Later { error, left, .. } => {
                    let after = after.map(|s| Duration::from_secs(s).min(LONGEST_WAIT));
                    Outcome::Later { error, after, left }
                }
                other => other,
            }
        }
        _ => Outcome::never("API_DESTINATION_ERROR", message),
    }
}

/// The address with a value for each `*` of its path, the query's fields, and the headers.
fn request(address: &str, parameters: Option<&HttpParameters>) -> Result<(Url, HeaderMap), String> {
    let mut values =
        parameters.and_then(|given| given.path_parameter_values.as_deref()).unwrap_or_default().iter();
    let mut parts = address.split('*');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let value = values.next().ok_or("the address has more * than PathParameterValues has values")?;
        filled.push_str(value);
        filled.push_str(part);
    }
    let mut url = Url::parse(&filled).map_err(|error| error.to_string())?;
    let query = parameters.and_then(|given| given.query_string_parameters.as_ref());
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        url.query_pairs_mut().extend_pairs(query);
    }
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json; charset=utf-8"));
    for (name, value) in parameters.and_then(|given| given.header_parameters.as_ref()).into_iter().flatten() {
        let header = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
        let (name, value) = header.ok_or_else(|| format!("{name} is no header with a value"))?;
        headers.insert(name, value);
    }
    Ok((url, headers))
}
