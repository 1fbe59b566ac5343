//! A call from end to end: built by the client, routed, verified, dispatched, answered, read.

use std::pin::pin;
use std::task::{Context as Poll, Waker};

use wire::client::{self, Caller};
use wire::dispatch::Router;
use wire::protocol::{self, Response};
use wire::sigv4::{self, Request};
use wire::{Context, Credentials, Error, Operation, ecr, ecs, logs, sts};

const NOW_MS: u64 = 1_795_434_572_000;

fn credentials() -> Credentials {
    Credentials {
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: "secret".into(),
        session_token: None,
    }
}

fn router() -> Router {
    let mut router = Router::new();
    router
        .register::<ecs::ops::ListClusters, _, _>(
            |ctx: Context, input: ecs::ListClustersRequest| async move {
                let arn = wire::arn::Home { region: &ctx.region, account: &ctx.account }.cluster("default");
                match input.next_token {
                    Some(_) => Err(Error::invalid_parameter("Invalid token")),
                    None => {
                        Ok(ecs::ListClustersResponse { cluster_arns: Some(vec![arn]), ..Default::default() })
                    }
                }
            },
        )
        .register::<logs::ops::CreateLogGroup, _, _>(
            |_, _| async move { Ok(logs::CreateLogGroupResponse {}) },
        )
        .register::<sts::ops::GetCallerIdentity, _, _>(|ctx: Context, _| async move {
            Ok(sts::GetCallerIdentityResponse {
                account: Some(ctx.account),
                arn: Some(ctx.principal_arn),
                user_id: Some("<&>".to_owned()),
            })
        });
    router
}

/// No handler here waits for anything.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Poll::from_waker(Waker::noop())) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("a handler waits"),
    }
}

/// What a server does with a request.
fn serve(request: &client::HttpRequest) -> Response {
    let headers: Vec<(&str, &str)> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let target = request.headers.iter().find(|(name, _)| name == "X-Amz-Target");
    let target = target.map(|(_, value)| value.as_str());
    let route = match protocol::route(target, None, "", &request.body) {
        Ok(route) => route,
        Err(misrouted) => {
            return protocol::respond(misrouted.protocol, None, Err(misrouted.error), "req-1");
        }
    };
    let signed =
        Request { method: request.method, path: "/", query: "", headers: &headers, body: &request.body };
    let lookup = |_: &str| Some(credentials());
    let result = match sigv4::verify(&signed, NOW_MS, Some(route.service.signing_name), lookup) {
        Err(refusal) => Err(refusal.to_error(route.service.protocol)),
        Ok(verified) => {
            let context = Context {
                account: "000000000000".into(),
                region: verified.region,
                access_key_id: verified.access_key_id,
                principal_arn: "arn:aws:iam::000000000000:root".into(),
                request_id: "req-1".into(),
                source_host: None,
                scheme: wire::Scheme::Http,
                source_ip: None,
                user_agent: None,
            };
            ready(router().call(route.service.name, route.operation, context, &route.input))
        }
    };
    protocol::respond(route.service.protocol, Some(route.service), result, "req-1")
}

fn request<O: Operation>(input: &O::Input) -> client::HttpRequest {
    let credentials = credentials();
    let caller = Caller { endpoint: "http://127.0.0.1:4580", credentials: &credentials, region: "us-east-1" };
    client::build::<O>(input, &caller, NOW_MS).unwrap()
}

fn call<O: Operation>(input: &O::Input) -> Result<O::Output, client::ServiceError> {
    let response = serve(&request::<O>(input));
    client::parse::<O>(response.status, &response.body)
}

#[test]
fn a_call_answers_its_output() {
    let output = call::<ecs::ops::ListClusters>(&Default::default()).unwrap();
    assert_eq!(output.cluster_arns.unwrap(), ["arn:aws:ecs:us-east-1:000000000000:cluster/default"]);
    assert_eq!(request::<ecs::ops::ListClusters>(&Default::default()).url, "http://127.0.0.1:4580/");
}

#[test]
fn an_operation_without_output_answers_nothing() {
    let input = logs::CreateLogGroupRequest { log_group_name: "g".into(), ..Default::default() };
    assert_eq!(serve(&request::<logs::ops::CreateLogGroup>(&input)).body, b"");
    call::<logs::ops::CreateLogGroup>(&input).unwrap();
}

#[test]
fn errors_are_those_of_the_service() {
    let input = ecs::ListClustersRequest { next_token: Some("x".into()), ..Default::default() };
    let response = serve(&request::<ecs::ops::ListClusters>(&input));
    assert_eq!(response.status, 400);
    assert_eq!(
        String::from_utf8(response.body).unwrap(),
        r#"{"__type":"InvalidParameterException","message":"Invalid token"}"#
    );
    assert!(response.headers.contains(&("content-type", "application/x-amz-json-1.1".into())));
    assert!(response.headers.contains(&("x-amzn-requestid", "req-1".into())));
}

#[test]
fn what_is_not_implemented_says_so() {
    let error = call::<ecs::ops::ListAttributes>(&ecs::ListAttributesRequest {
        target_type: ecs::TargetType::ContainerInstance,
        attribute_name: None,
        attribute_value: None,
        cluster: None,
        max_results: None,
        next_token: None,
    })
    .unwrap_err();
    assert_eq!(error.code, "UnsupportedFeatureException");
    assert!(error.message.contains("ListAttributes"));
    let error = call::<ecr::ops::DescribeRegistry>(&Default::default()).unwrap_err();
    assert_eq!(error.code, "ValidationException");
    let error = call::<sts::ops::GetSessionToken>(&Default::default()).unwrap_err();
    assert_eq!((error.code.as_str(), error.status), ("InvalidAction", 400));
}

#[test]
fn a_query_service_answers_xml() {
    let response = serve(&request::<sts::ops::GetCallerIdentity>(&Default::default()));
    let expected = r#"<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Account>000000000000</Account>
<Arn>arn:aws:iam::000000000000:root</Arn>
<UserId>&lt;&amp;&gt;</UserId>
</GetCallerIdentityResult>
<ResponseMetadata><RequestId>req-1</RequestId>
</ResponseMetadata>
</GetCallerIdentityResponse>
"#;
    assert_eq!(String::from_utf8(response.body).unwrap(), expected);
    assert!(response.headers.contains(&("content-type", "text/xml".into())));
}

#[test]
fn a_bad_signature_is_told_in_the_protocol_of_the_service() {
    let mut signed = request::<sts::ops::GetCallerIdentity>(&Default::default());
    signed.body.extend(b"&X=1");
    let response = serve(&signed);
    assert_eq!(response.status, 403);
    assert!(String::from_utf8(response.body).unwrap().contains("<Code>SignatureDoesNotMatch</Code>"));

    let mut signed = request::<ecs::ops::ListClusters>(&Default::default());
    signed.body = br#"{"maxResults":1}"#.to_vec();
    let response = serve(&signed);
    assert_eq!(response.status, 400);
    let body = String::from_utf8(response.body).unwrap();
    assert!(body.starts_with(r#"{"__type":"InvalidSignatureException","message":"The request signature"#));
}

#[test]
fn requests_for_nobody_are_refused() {
    let misrouted = |target, query| protocol::route(target, None, query, b"").unwrap_err();
    let code = |m: protocol::Misrouted| (m.error.code.clone(), m.error.status());
    let unknown = ("UnknownOperationException".to_owned(), 400);
    assert_eq!(code(misrouted(Some("AmazonEC2ContainerServiceV20141113.Nothing"), "")), unknown);
    assert_eq!(code(misrouted(Some("DynamoDB_20120810.PutItem"), "")), unknown);
    assert_eq!(code(misrouted(Some(""), "")), unknown);
    assert_eq!(code(misrouted(None, "")).0, "MissingAction");
    assert_eq!(code(misrouted(None, "Action=Nothing&Version=2011-06-15")).0, "InvalidAction");
    assert_eq!(code(misrouted(None, "Action=GetCallerIdentity&Version=2000-01-01")).0, "InvalidAction");
    let route = protocol::route(None, None, "Action=GetCallerIdentity&Version=2011-06-15", b"").unwrap();
    assert_eq!((route.service.name, route.operation), ("sts", "GetCallerIdentity"));
}

#[test]
fn coverage_lists_every_operation_once() {
    let coverage = router().coverage();
    assert_eq!(coverage.len(), 88 + 62 + 118 + 57 + 11);
    let implemented: Vec<_> =
        coverage.iter().filter(|row| row.implemented).map(|row| row.operation).collect();
    assert_eq!(implemented, ["ListClusters", "CreateLogGroup", "GetCallerIdentity"]);
    let mut merged = Router::new();
    merged.merge(router());
    assert_eq!(merged.coverage(), coverage);
}
