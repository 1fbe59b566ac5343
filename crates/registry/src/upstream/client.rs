//! Speaking to another registry: the pull half of the OCI distribution protocol, with Docker's token protocol.

use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode, header};
use reqwest::{Response, redirect::Policy};
use serde::Deserialize;

use super::{challenge::Challenge, credentials::Credentials};
use crate::{
    digest::Digest,
    manifest::{DOCKER_LIST, DOCKER_MANIFEST, MANIFEST_MAX, OCI_INDEX, OCI_MANIFEST},
    name::{Reference, clip},
};

const CONNECT: Duration = Duration::from_secs(5);
/// A registry that says nothing for so long counts as gone.
const SILENCE: Duration = Duration::from_secs(30);
const REDIRECTS: usize = 10;
/// Of a token endpoint's answer, and of an error's.
const SMALL: usize = 64 * 1024;
/// A token that doesn't say how long it is good for (Docker's token protocol: at least a minute).
const TOKEN_LEAST: u64 = 60;

/// Why another registry didn't give what it was asked for.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    #[error("{0} has no such content")]
    NotFound(String),
    #[error("{url} refused: {said}")]
    Denied { url: String, said: String },
    #[error("{0} has had too many requests")]
    TooMany(String),
    #[error("{url} can't be used: {why}")]
    Unavailable { url: String, why: String },
    #[error("{url} gave other content than {digest}")]
    OtherContent { url: String, digest: Digest },
    #[error(transparent)]
    Credentials(#[from] super::CredentialsError),
    /// What came could not be kept.
    #[error("what {0} gave could not be stored; the registry's log says why")]
    Storing(String),
}

/// Connections and tokens, shared by all that speak to other registries.
#[derive(Debug, Default)]
pub(crate) struct Client {
    plain: OnceLock<Result<reqwest::Client, String>>,
    tls: OnceLock<Result<reqwest::Client, String>>,
    /// Who asks for what: the `Authorization` that was good, and until when.
    tokens: Mutex<HashMap<Identity, (String, Instant)>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Identity {
    base: String,
    repository: String,
    credentials: Option<Credentials>,
}

/// One repository of another registry.
#[derive(Clone, Debug)]
pub(crate) struct Remote<'a> {
    client: &'a Client,
    identity: Identity,
}

/// A manifest as it came: its digest is that of its bytes.
#[derive(Clone, Debug)]
pub(crate) struct RemoteManifest {
    pub digest: Digest,
    pub media_type: Option<String>,
    pub bytes: Bytes,
}

impl Client {
    pub fn remote(&self, base: &str, repository: &str, credentials: Option<Credentials>) -> Remote<'_> {
        let identity = Identity { base: base.to_owned(), repository: repository.to_owned(), credentials };
        Remote { client: self, identity }
    }

    /// Each is made when it is first needed: https needs the machine's trusted roots, which not every machine has.
    fn connections(&self, url: &str) -> Result<&reqwest::Client, UpstreamError> {
        let made = match url.starts_with("http://") {
            // A proxy can't know the machines that are spoken to like this.
            true => self.plain.get_or_init(|| build(reqwest::Client::builder().no_proxy())),
            false => self.tls.get_or_init(|| build(reqwest::Client::builder())),
        };
        made.as_ref().map_err(|why| UpstreamError::Unavailable { url: url.to_owned(), why: why.clone() })
    }

    fn tokens(&self) -> std::sync::MutexGuard<'_, HashMap<Identity, (String, Instant)>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, String> {
    let redirects = Policy::custom(|attempt| {
        // A blob may be elsewhere, but not where anybody could read and change it.
        let from_tls = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
        match attempt.previous().len() > REDIRECTS || (from_tls && attempt.url().scheme() != "https") {
            true => attempt.stop(),
            false => attempt.follow(),
        }
    });
    let built = builder
        .user_agent(concat!("longshore-registry/", env!("CARGO_PKG_VERSION")))
        .redirect(redirects)
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .build();
    built.map_err(|error| deepest(&error))
}

impl Remote<'_> {
    /// Whether the registry is there and takes the credentials: its base is asked, which needs no repository.
    pub async fn check(&self) -> Result<(), UpstreamError> {
        self.send(Method::GET, &format!("{}/v2/", self.identity.base), &HeaderMap::new()).await.map(drop)
    }

    /// What a tag or a digest means.
    pub async fn manifest(&self, reference: &Reference) -> Result<RemoteManifest, UpstreamError> {
        let url = self.url("manifests", &reference.to_string());
        let mut headers = HeaderMap::new();
        for kind in [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST] {
            headers.append(header::ACCEPT, header::HeaderValue::from_static(kind));
        }
        let answer = self.send(Method::GET, &url, &headers).await?;
        let media_type = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let media_type = media_type.map(str::to_owned);
        let bytes = whole(answer, &url, MANIFEST_MAX).await?;
        let digest = match reference {
            Reference::Tag(_) => Digest::of(&bytes),
            Reference::Digest(asked) => Digest::with(asked.algorithm(), &bytes),
        };
        match reference {
            Reference::Digest(asked) if *asked != digest => {
                Err(UpstreamError::OtherContent { url, digest: asked.clone() })
            }
            _ => Ok(RemoteManifest { digest, media_type, bytes }),
        }
    }

    /// A blob's bytes from `first` on, unverified.
    pub async fn blob(&self, digest: &Digest, first: u64) -> Result<Response, UpstreamError> {
        let url = self.url("blobs", digest.as_str());
        let mut headers = HeaderMap::new();
        if first > 0 {
            let range = format!("bytes={first}-");
            headers.insert(header::RANGE, range.parse().expect("digits make a header's value"));
        }
        let answer = self.send(Method::GET, &url, &headers).await?;
        match (first, answer.status()) {
            (0, _) | (_, StatusCode::PARTIAL_CONTENT) => Ok(answer),
            _ => Err(UpstreamError::Unavailable { url, why: "it doesn't go on where it broke".to_owned() }),
        }
    }

    pub fn url(&self, kind: &str, which: &str) -> String {
        format!("{}/v2/{}/{kind}/{which}", self.identity.base, self.identity.repository)
    }

    /// Sends a request, answers one challenge, and turns what is no success into an error.
    async fn send(&self, method: Method, url: &str, headers: &HeaderMap) -> Result<Response, UpstreamError> {
        let kept = self.client.tokens().get(&self.identity).cloned();
        let mut authorization = kept.filter(|(_, until)| *until > Instant::now()).map(|(header, _)| header);
        let mut is_challenged = false;
        loop {
            let mut request = self.client.connections(url)?.request(method.clone(), url);
            request = request.headers(headers.clone());
            if let Some(authorization) = &authorization {
                request = request.header(header::AUTHORIZATION, authorization);
            }
            let answer = request.send().await.map_err(|error| failed(url, &error))?;
            if answer.status() == StatusCode::UNAUTHORIZED && !is_challenged {
                is_challenged = true;
                if let Some(next) = self.authorize(answer.headers()).await? {
                    authorization = Some(next);
                    continue;
                }
            }
            return judge(url, answer).await;
        }
    }

    /// What a challenge asks for; `None` where there is nothing to answer.
    async fn authorize(&self, headers: &HeaderMap) -> Result<Option<String>, UpstreamError> {
        let challenges = headers.get_all(header::WWW_AUTHENTICATE).iter();
        let challenges: Vec<_> =
            challenges.filter_map(|value| value.to_str().ok()).filter_map(Challenge::parse).collect();
        let named = |scheme: &str| challenges.iter().find(|c| c.scheme.eq_ignore_ascii_case(scheme));
        let basic = self.identity.credentials.as_ref().map(Credentials::basic);
        let (header, seconds) = match (named("bearer"), named("basic"), basic) {
            (Some(bearer), _, basic) => self.token(bearer, basic).await?,
            (None, Some(_), Some(basic)) => (basic, 600),
            _ => return Ok(None),
        };
        // A tenth is left for clocks and for requests on their way.
        let until = Instant::now() + Duration::from_secs(seconds.clamp(1, 86_400)) * 9 / 10;
        let mut tokens = self.client.tokens();
        tokens.retain(|_, (_, until)| *until > Instant::now());
        tokens.insert(self.identity.clone(), (header.clone(), until));
        Ok(Some(header))
    }

    /// GET on the realm with the service and the scope; the `Authorization`, and how many seconds it is good for.
    async fn token(
        &self,
        challenge: &Challenge,
        basic: Option<String>,
    ) -> Result<(String, u64), UpstreamError> {
        #[derive(Deserialize)]
        struct Answer {
            token: Option<String>,
            access_token: Option<String>,
            expires_in: Option<u64>,
        }
        let broken = |why: &str| UpstreamError::Unavailable {
            url: self.identity.base.clone(),
            why: format!("its challenge {why}"),
        };
        let realm = challenge.parameter("realm").ok_or_else(|| broken("names no realm"))?;
        let mut url = reqwest::Url::parse(realm).map_err(|_| broken("has a realm that is no URL"))?;
        let is_plain = self.identity.base.starts_with("http://");
        if url.scheme() != "https" && !(is_plain && url.scheme() == "http") {
            return Err(broken("would send the password unencrypted"));
        }
        let repository = &self.identity.repository;
        let own = || (!repository.is_empty()).then(|| format!("repository:{repository}:pull"));
        let scope = challenge.parameter("scope").map(str::to_owned).or_else(own);
        let service = challenge.parameter("service").map(|service| ("service", service));
        url.query_pairs_mut().extend_pairs(service).extend_pairs(scope.map(|scope| ("scope", scope)));
        let shown = url.to_string();
        let mut request = self.client.connections(&shown)?.get(url);
        if let Some(basic) = basic {
            request = request.header(header::AUTHORIZATION, basic);
        }
        let answer = request.send().await.map_err(|error| failed(&shown, &error))?;
        let answer = whole(judge(&shown, answer).await?, &shown, SMALL).await?;
        let unreadable = || broken("leads to no token");
        let answer: Answer = serde_json::from_slice(&answer).map_err(|_| unreadable())?;
        let token = answer.token.or(answer.access_token).ok_or_else(unreadable)?;
        match token.bytes().all(|b| b.is_ascii_graphic()) {
            true => Ok((format!("Bearer {token}"), answer.expires_in.unwrap_or(TOKEN_LEAST))),
            false => Err(unreadable()),
        }
    }
}

impl Credentials {
    fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.username, self.access_token)))
    }
}

async fn judge(url: &str, answer: Response) -> Result<Response, UpstreamError> {
    let (url, status) = (url.to_owned(), answer.status());
    if status.is_success() {
        return Ok(answer);
    }
    Err(match status {
        StatusCode::NOT_FOUND => UpstreamError::NotFound(url),
        StatusCode::TOO_MANY_REQUESTS => UpstreamError::TooMany(url),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let said = said(answer).await.unwrap_or_else(|| status.to_string());
            UpstreamError::Denied { url, said }
        }
        _ => {
            let why = said(answer).await.map_or(status.to_string(), |said| format!("{status}: {said}"));
            UpstreamError::Unavailable { url, why }
        }
    })
}

/// The first message of an error's body.
async fn said(answer: Response) -> Option<String> {
    let body = whole(answer, "", SMALL).await.ok()?;
    let body: serde_json::Value = serde_json::from_slice(&body).ok()?;
    let message = body.pointer("/errors/0/message").or_else(|| body.pointer("/errors/0/code"))?.as_str()?;
    Some(clip(message))
}

async fn whole(mut answer: Response, url: &str, most: usize) -> Result<Bytes, UpstreamError> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| failed(url, &error))? {
        if bytes.len() + chunk.len() > most {
            let why = format!("it sends more than {most} bytes");
            return Err(UpstreamError::Unavailable { url: url.to_owned(), why });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

pub(super) fn failed(url: &str, error: &reqwest::Error) -> UpstreamError {
    UpstreamError::Unavailable { url: url.to_owned(), why: deepest(error) }
}

/// The cause of causes says most: "connection refused".
fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.last().map_or_else(String::new, |error| clip(&error.to_string()))
}
