//! The agent protocol's frames, as the official agent writes and reads them.

use wire::acs::{self, Decoded, ToAgent, ToServer, docker, handshake};
use wire::tcs;

#[test]
fn a_payload_is_written_as_the_agent_reads_it() {
    let host = docker::HostConfig {
        network_mode: Some("awsvpc".into()),
        log_config: Some(docker::LogConfig {
            r#type: "awslogs".into(),
            config: [("awslogs-group".into(), "/ecs/web".into())].into(),
        }),
        ..Default::default()
    };
    let container = acs::Container {
        name: "web".into(),
        image: "web:1".into(),
        essential: true,
        cpu: 256,
        memory: 512,
        environment: [("A".into(), "1".into())].into(),
        docker_config: Some(acs::container::DockerConfig::new("1.18", &Default::default(), &host).unwrap()),
        ..Default::default()
    };
    let task = acs::Task {
        arn: "arn:aws:ecs:us-east-1:000000000000:task/default/0123".into(),
        desired_status: Some("RUNNING".into()),
        family: "web".into(),
        version: "1".into(),
        cpu: Some(0.25),
        memory: Some(512),
        containers: vec![container],
        ..Default::default()
    };
    let frame = ToAgent::PayloadMessage(acs::PayloadMessage {
        message_id: "m".into(),
        cluster_arn: "c".into(),
        container_instance_arn: "i".into(),
        tasks: vec![task],
        seq_num: Some(1),
        generated_at: None,
    });
    let text = frame.encode().unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    insta::assert_json_snapshot!(json, @r#"
    {
      "message": {
        "clusterArn": "c",
        "containerInstanceArn": "i",
        "messageId": "m",
        "seqNum": 1,
        "tasks": [
          {
            "arn": "arn:aws:ecs:us-east-1:000000000000:task/default/0123",
            "containers": [
              {
                "cpu": 256,
                "dockerConfig": {
                  "config": "{}",
                  "hostConfig": "{\"NetworkMode\":\"awsvpc\",\"LogConfig\":{\"Type\":\"awslogs\",\"Config\":{\"awslogs-group\":\"/ecs/web\"}}}",
                  "version": "1.18"
                },
                "environment": {
                  "A": "1"
                },
                "essential": true,
                "image": "web:1",
                "memory": 512,
                "name": "web"
              }
            ],
            "cpu": 0.25,
            "desiredStatus": "RUNNING",
            "family": "web",
            "memory": 512,
            "version": "1"
          }
        ]
      },
      "type": "PayloadMessage"
    }
    "#);
    assert_eq!(ToAgent::decode(&text).unwrap(), Decoded::Known(frame));
}

#[test]
fn what_an_agent_sends_is_read() {
    let ack = r#"{"type":"AckRequest","message":{"cluster":"demo","containerInstance":"i","messageId":"m","later":1}}"#;
    let Decoded::Known(ToServer::AckRequest(ack)) = ToServer::decode(ack).unwrap() else { panic!("no ack") };
    assert_eq!((ack.cluster.as_str(), ack.message_id.as_str()), ("demo", "m"));
    let ack = r#"{"type":"IAMRoleCredentialsAckRequest","message":{"messageId":"m","credentialsId":"c","expiration":"e"}}"#;
    assert!(matches!(
        ToServer::decode(ack).unwrap(),
        Decoded::Known(ToServer::IamRoleCredentialsAckRequest(_))
    ));
    let later = r#"{"type":"LaterRequest","message":{}}"#;
    assert_eq!(ToServer::decode(later).unwrap(), Decoded::Unknown("LaterRequest".into()));
    assert!(ToServer::decode("{}").is_err());
    assert!(ToServer::decode("nothing").is_err());
    assert!(ToServer::decode(r#"{"type":"AckRequest","message":{}}"#).is_err());
}

#[test]
fn nulls_are_absent() {
    let text = r#"{"type":"PayloadMessage","message":{"messageId":"m","clusterArn":"c","containerInstanceArn":"i","tasks":null,"seqNum":null}}"#;
    assert!(matches!(ToAgent::decode(text), Ok(Decoded::Known(ToAgent::PayloadMessage(_)))));
}

#[test]
fn docker_members_that_we_do_not_know_are_kept() {
    let config = acs::container::DockerConfig {
        host_config: Some(r#"{"Privileged":true,"Runtime":"gvisor"}"#.into()),
        ..Default::default()
    };
    let host = config.host_config().unwrap();
    assert_eq!(host.privileged, Some(true));
    assert_eq!(host.other["Runtime"], "gvisor");
    assert_eq!(config.config().unwrap(), docker::ContainerConfig::default());
    let broken = acs::container::DockerConfig { config: Some("{".into()), ..Default::default() };
    assert!(broken.config().is_err());
}

#[test]
fn a_session_says_who_connects() {
    let query = "agentHash=0123abcd&agentVersion=1.105.1&clusterArn=demo&containerInstanceArn=\
                 arn%3Aaws%3Aecs%3Aus-east-1%3A000000000000%3Acontainer-instance%2Fdemo%2F01&\
                 dockerVersion=DockerVersion%3A%2020.10.24%2Bdfsg1&protocolVersion=2&\
                 sendCredentials=true&seqNum=1";
    let session = acs::SessionQuery::parse(query);
    assert_eq!(session.docker_version, "DockerVersion: 20.10.24+dfsg1");
    assert!(session.send_credentials);
    assert_eq!(session.encode(), query);
    assert_eq!(acs::SessionQuery::parse(&query.replace("%20", "+")), session);
}

#[test]
fn refusals_are_read_in_both_forms() {
    let refusal = handshake::Refusal::inactive_instance("gone");
    assert_eq!(refusal.encode(), r#"{"InactiveInstanceException":"gone"}"#);
    let frame = r#"{"type":"InactiveInstanceException","message":{"message":"gone"}}"#;
    for body in [refusal.encode().as_str(), frame] {
        assert_eq!(handshake::Refusal::parse(body).as_ref(), Some(&refusal));
    }
    assert_eq!(handshake::Refusal::parse("<html>"), None);
}

#[test]
fn telemetry_carries_its_headers_in_front() {
    let json = r#"{"type":"PublishMetricsRequest","message":{"metadata":{"cluster":"c","containerInstance":"i","messageId":"m","idle":true,"fin":true},"taskMetrics":[],"timestamp":1795404251.584}}"#;
    let headers = [("Authorization".to_owned(), "AWS4-HMAC-SHA256 x".to_owned())];
    let frame = tcs::join(&headers, json);
    assert!(frame.starts_with("Authorization: AWS4-HMAC-SHA256 x\r\n\r\n{"));
    assert_eq!(tcs::split(&frame), (headers.to_vec(), json));
    for text in [frame.as_str(), json] {
        let Decoded::Known(tcs::ToServer::PublishMetricsRequest(metrics)) =
            tcs::ToServer::decode(text).unwrap()
        else {
            panic!("no metrics")
        };
        assert_eq!(metrics.metadata.idle, Some(true));
        assert_eq!(metrics.timestamp.unwrap().ms(), 1_795_404_251_584);
    }
}
