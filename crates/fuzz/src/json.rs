//! AWS JSON bodies against the operations' models.

use serde_json::Value;
use wire::operation::{Operation, OperationInfo, Protocol};
use wire::{codec, ecr, ecs, logs};

use crate::alike::{alike, texts_alike};
use crate::supply::Supply;

/// A message shows at most ten values of 1,024 characters, and for those of words its own.
const LONGEST_MESSAGE: usize = 64 << 10;

pub fn check(data: &[u8]) {
    let mut supply = Supply(data);
    let (high, low) = (usize::from(supply.byte()), usize::from(supply.byte()));
    let operations: Vec<&'static OperationInfo> = wire::SERVICES
        .iter()
        .filter(|service| service.protocol == Protocol::Json)
        .flat_map(|service| service.operations.iter().copied())
        .collect();
    let operation = operations[((high << 8) | low) % operations.len()];
    let body = supply.0;
    let decoded = codec::decode_value(operation, body);
    match &decoded {
        Ok(value) => is_settled(operation, value),
        Err(error) => {
            assert!(!error.code.is_empty(), "a refusal without a code");
            assert!(error.message.len() <= LONGEST_MESSAGE, "a message of {} bytes", error.message.len());
        }
    }
    typed(operation, body, decoded.is_ok());
}

/// What was decoded is decoded to itself, and members that nobody knows change nothing.
fn is_settled(operation: &OperationInfo, value: &Value) {
    let again = |value: &Value| codec::decode_value(operation, value.to_string().as_bytes());
    let same = |decoded: Result<Value, wire::Error>| {
        let decoded = decoded.expect("what was decoded is decoded again");
        assert!(alike(&decoded, value), "{}: {decoded} is not {value}", operation.name);
    };
    same(again(value));
    let mut more = value.clone();
    if let (Value::Object(members), Some(_)) = (&mut more, operation.input) {
        members.insert("fromTheFuture".to_owned(), Value::Array(vec![Value::Null]));
        same(again(&more));
    }
}

/// Tables and types agree: what the tables let through is an input, which is written as it was read.
fn typed(operation: &OperationInfo, body: &[u8], accepted: bool) {
    fn of<O: Operation>(operation: &OperationInfo, body: &[u8], accepted: bool) {
        if !std::ptr::eq(O::INFO, operation) {
            return;
        }
        let input = codec::decode::<O>(body);
        assert_eq!(input.is_ok(), accepted, "{}: {:?}", operation.name, input.err());
        let Ok(input) = input else { return };
        let text = serde_json::to_string(&input).expect("an input is JSON");
        let again = codec::decode::<O>(text.as_bytes()).expect("what was written is read");
        let again = serde_json::to_string(&again).expect("an input is JSON");
        assert!(texts_alike(&again, &text), "{}: {again} is not {text}", operation.name);
    }
    macro_rules! each {
        ($($service:ident::$name:ident)*) => { $(of::<$service::ops::$name>(operation, body, accepted);)* };
    }
    each! {
        ecs::CreateCluster ecs::CreateService ecs::DeleteService ecs::DescribeServices ecs::DescribeTasks
        ecs::ListTasks ecs::PutAttributes ecs::RegisterContainerInstance ecs::RegisterTaskDefinition
        ecs::RunTask ecs::StartTask ecs::StopTask ecs::SubmitContainerStateChange ecs::SubmitTaskStateChange
        ecs::TagResource ecs::UpdateService
        ecr::BatchGetImage ecr::CompleteLayerUpload ecr::CreateRepository ecr::PutImage ecr::UploadLayerPart
        logs::CreateLogGroup logs::FilterLogEvents logs::GetLogEvents logs::PutLogEvents
        logs::PutRetentionPolicy
    }
}
