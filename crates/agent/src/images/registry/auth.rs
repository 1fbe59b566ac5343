//! Authorization: Basic with the first request where we have credentials for our own registry, otherwise
//! whatever the registry's challenge asks for (RFC 7235; Docker's token protocol for Bearer).

use super::super::{
    error::RequestError,
    resolver::{Auth, Basic, EcrCredentials, EcrScope, Target},
};
use super::transport::{self, Transport};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Who asks for what: the key of a token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity<'a> {
    pub target: &'a Target,
    pub auth: &'a Auth,
}

type Key = (Target, Auth);

/// Tokens and ECR credentials, each kept until shortly before it expires.
pub(in crate::images) struct Authorizer {
    ecr: Option<EcrCredentials>,
    headers: Mutex<HashMap<Key, (String, Instant)>>,
    // One task asks for a scope's ECR token while the others wait for its answer.
    ecr_tokens: tokio::sync::Mutex<HashMap<EcrScope, (Basic, Instant)>>,
}

impl std::fmt::Debug for Authorizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authorizer").finish_non_exhaustive()
    }
}

impl Authorizer {
    pub fn new(ecr: Option<EcrCredentials>) -> Self {
        Self { ecr, headers: Mutex::default(), ecr_tokens: tokio::sync::Mutex::default() }
    }

    /// The `Authorization` to send with the first request.
    pub(super) async fn known(&self, identity: &Identity<'_>) -> Result<Option<String>, RequestError> {
        if let Some((header, until)) = self.lock().get(&identity.key())
            && *until > Instant::now()
        {
            return Ok(Some(header.clone()));
        }
        // Only to our own registry do we send a password unasked.
        match &identity.target.ecr {
            Some(_) => Ok(self.credentials(identity).await?.map(|basic| basic_header(&basic))),
            None => Ok(None),
        }
    }

    /// The answer to a 401's challenge; `None` where we have none, and the 401 stands.
    /// `was_sent`: the refused request carried an authorization, so what we had kept is worthless.
    pub(super) async fn answer(
        &self,
        transport: &Transport,
        identity: &Identity<'_>,
        headers: &HeaderMap,
        was_sent: bool,
    ) -> Result<Option<String>, RequestError> {
        if was_sent {
            self.lock().remove(&identity.key());
            if let Some(scope) = &identity.target.ecr {
                self.ecr_tokens.lock().await.remove(scope);
            }
        }
        let credentials = self.credentials(identity).await?;
        let challenges: Vec<Challenge> = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .filter_map(Challenge::parse)
            .collect();
        let named = |scheme: &str| challenges.iter().find(|c| c.scheme.eq_ignore_ascii_case(scheme));
        let (header, lifetime) = if let Some(bearer) = named("bearer") {
            let token = fetch_token(transport, identity, bearer, credentials.as_ref()).await?;
            // A tenth is left for clocks and for requests on their way.
            let lifetime = Duration::from_secs(token.expires_in.unwrap_or(60).clamp(1, 86_400)) * 9 / 10;
            (format!("Bearer {}", token.value), lifetime)
        } else if let (Some(_), Some(basic)) = (named("basic"), &credentials) {
            (basic_header(basic), Duration::from_secs(600))
        } else {
            return Ok(None);
        };
        self.lock().insert(identity.key(), (header.clone(), Instant::now() + lifetime));
        Ok(Some(header))
    }

    async fn credentials(&self, identity: &Identity<'_>) -> Result<Option<Basic>, RequestError> {
        if let Auth::Basic(basic) = identity.auth {
            return Ok(Some(basic.clone()));
        }
        let (Some(scope), Some(ecr)) = (&identity.target.ecr, &self.ecr) else { return Ok(None) };
        let mut tokens = self.ecr_tokens.lock().await;
        if let Some((basic, until)) = tokens.get(scope)
            && *until > Instant::now()
        {
            return Ok(Some(basic.clone()));
        }
        let token = ecr(scope.account.clone(), scope.region.clone()).await.map_err(|reason| {
            RequestError::Denied {
                method: "GetAuthorizationToken".to_owned(),
                url: identity.target.base.clone(),
                status: "no token".to_owned(),
                message: reason,
            }
        })?;
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let lifetime = Duration::from_millis(token.expires_at_ms.saturating_sub(now_ms + 300_000));
        tokens.insert(scope.clone(), (token.credentials.clone(), Instant::now() + lifetime));
        Ok(Some(token.credentials))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, (String, Instant)>> {
        self.headers.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Identity<'_> {
    fn key(&self) -> Key {
        (self.target.clone(), self.auth.clone())
    }
}

fn basic_header(basic: &Basic) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", basic.username, basic.password)))
}

struct Token {
    value: String,
    /// Seconds.
    expires_in: Option<u64>,
}

/// Docker's token protocol: GET on the realm with the service and the scope.
async fn fetch_token(
    transport: &Transport,
    identity: &Identity<'_>,
    challenge: &Challenge,
    credentials: Option<&Basic>,
) -> Result<Token, RequestError> {
    #[derive(serde::Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
        expires_in: Option<u64>,
    }
    let protocol = |reason: &str| RequestError::Protocol {
        url: identity.target.base.clone(),
        reason: reason.to_owned(),
    };
    let realm = challenge.parameter("realm").ok_or_else(|| protocol("a Bearer challenge without a realm"))?;
    let mut url =
        reqwest::Url::parse(realm).map_err(|_| protocol("a Bearer challenge with a realm that is no URL"))?;
    let insecure = identity.target.base.starts_with("http://");
    if url.scheme() != "https" && !(insecure && url.scheme() == "http") {
        return Err(protocol("a Bearer challenge whose realm is not https"));
    }
    let scope = match challenge.parameter("scope") {
        Some(scope) => scope.to_owned(),
        None => format!("repository:{}:pull", identity.target.repository),
    };
    {
        let mut query = url.query_pairs_mut();
        if let Some(service) = challenge.parameter("service") {
            query.append_pair("service", service);
        }
        query.append_pair("scope", &scope);
    }
    let shown = url.to_string();
    let mut request = transport.for_url(&shown)?.get(url);
    if let Some(basic) = credentials {
        request = request.header(reqwest::header::AUTHORIZATION, basic_header(basic));
    }
    let answer = request.send().await.map_err(|error| transport::failed("GET", &shown, error))?;
    let status = answer.status();
    if !status.is_success() {
        let message = super::first_message(answer).await;
        return Err(if matches!(status.as_u16(), 400..=404) {
            RequestError::Denied {
                method: "GET".to_owned(),
                url: shown,
                status: status.to_string(),
                message: message.unwrap_or_else(|| "authorization failed".to_owned()),
            }
        } else {
            RequestError::Status {
                method: "GET".to_owned(),
                url: shown,
                code: status.as_u16(),
                status: status.to_string(),
                message: message.map(|m| format!(": {m}")).unwrap_or_default(),
            }
        });
    }
    let bytes = super::body(answer, &shown, 1 << 20).await?;
    let answer: Answer =
        serde_json::from_slice(&bytes).map_err(|_| protocol("the token endpoint's answer can't be read"))?;
    let value = answer
        .token
        .or(answer.access_token)
        .filter(|token| token.bytes().all(|b| b.is_ascii_graphic()))
        .ok_or_else(|| protocol("the token endpoint gave no token"))?;
    Ok(Token { value, expires_in: answer.expires_in })
}

/// One challenge of a `WWW-Authenticate` header.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// Reads `Scheme name="value", name=value`. Of a header with several challenges the first.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (scheme, mut rest) = text.split_once(' ').unwrap_or((text, ""));
        if scheme.is_empty() {
            return None;
        }
        let mut parameters = Vec::new();
        loop {
            rest = rest.trim_start_matches([' ', ',', '\t']);
            let Some((name, after)) = rest.split_once('=') else { break };
            if name.contains(char::is_whitespace) {
                break; // the next challenge begins
            }
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => unquote(quoted)?,
                None => {
                    let end = after.find([',', ' ']).unwrap_or(after.len());
                    (after[..end].to_owned(), &after[end..])
                }
            };
            parameters.push((name.to_ascii_lowercase(), value));
            rest = after;
        }
        Some(Self { scheme: scheme.to_owned(), parameters })
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// The text up to the closing quote, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_as_registries_send_them() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        let challenge = Challenge::parse(hub).unwrap();
        assert_eq!(challenge.parameter("realm"), Some("https://auth.docker.io/token"));
        assert_eq!(challenge.parameter("scope"), Some("repository:a/b:pull,push"));
        let ecr = Challenge::parse(r#"Basic realm="x \"y\"", service=ecr.amazonaws.com"#).unwrap();
        assert_eq!(ecr.parameter("realm"), Some("x \"y\""));
        assert_eq!(ecr.parameter("service"), Some("ecr.amazonaws.com"));
        assert_eq!(Challenge::parse("Negotiate").unwrap().scheme, "Negotiate");
        assert_eq!(Challenge::parse(r#"Bearer realm="unclosed"#), None);
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_the_reader_panic(text in ".{0,120}") {
            let _ = Challenge::parse(&text);
        }
    }
}
