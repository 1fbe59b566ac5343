use serde_json::json;

use super::agent::{Stage, stable};
use crate::ecs::service::tests::update;

/// For each of several bounds: every commit of an update is looked at.
#[tokio::test]
async fn an_update_keeps_its_bounds_at_every_moment() {
    for (desired, minimum, maximum) in [
        (4usize, 100usize, 200usize),
        (4, 50, 100),
        (4, 75, 125),
        (4, 0, 100),
        (1, 100, 200),
        (5, 100, 120),
        (3, 34, 100),
        (4, 0, 50),
    ] {
        let stage = Stage::new().await;
        let bounds = json!({"minimumHealthyPercent": minimum, "maximumPercent": maximum});
        stable(&stage, json!({"desiredCount": desired, "deploymentConfiguration": bounds})).await;
        let watch = stage.watch();
        let shown = update(&stage.fixture, json!({"taskDefinition": "web:2"})).await.unwrap();
        assert_eq!(shown["deployments"].as_array().unwrap().len(), 2);
        stage.play_until_stable().await;
        let seen = watch.seen().await;
        let lower = (desired * minimum).div_ceil(100);
        let upper = (desired * maximum / 100).max(desired);
        assert!(seen.fewest_healthy >= lower, "{desired} {minimum}–{maximum}: {seen:?}");
        assert!(seen.most_wanted <= upper, "{desired} {minimum}–{maximum}: {seen:?}");
        assert!(stage.tasks().iter().all(|task| task.definition.revision.0 == 2));
        let told = stage.told();
        let end = [
            "(service web) (deployment *) deployment completed.",
            "(service web) has reached a steady state.",
        ];
        assert_eq!(told[told.len() - 2..], end);
        assert!(told.iter().any(|message| message.starts_with("(service web) has stopped ")), "{told:?}");
    }
}

#[tokio::test]
async fn a_new_update_supersedes_one_under_way() {
    let stage = Stage::new().await;
    stable(&stage, json!({"desiredCount": 4})).await;
    let watch = stage.watch();
    for _ in 0..3 {
        update(&stage.fixture, json!({"forceNewDeployment": true})).await.unwrap();
        for pick in 0..3 {
            stage.play_one(pick).await;
            tokio::task::yield_now().await;
        }
    }
    let shown = update(&stage.fixture, json!({"taskDefinition": "web:2"})).await.unwrap();
    let primary = shown["deployments"][0]["id"].clone();
    assert!(shown["deployments"].as_array().unwrap().len() >= 2);
    stage.play_until_stable().await;
    let shown = stage.described().await;
    assert_eq!(shown["deployments"][0]["id"], primary);
    assert_eq!(shown["deployments"].as_array().unwrap().len(), 1);
    let seen = watch.seen().await;
    assert!(seen.fewest_healthy >= 4 && seen.most_wanted <= 8, "{seen:?}");
}

#[tokio::test]
async fn an_update_goes_on_after_a_crash() {
    let stage = Stage::new().await;
    stable(&stage, json!({"desiredCount": 4})).await;
    update(&stage.fixture, json!({"taskDefinition": "web:2"})).await.unwrap();
    let key = stage.key();
    stage.wait_until("begun", |world| world.live_tasks_of(&key).count() > 4).await;
    stage.play_one(0).await;
    let after = stage.restarted().await;
    let watch = after.watch();
    after.play_until_stable().await;
    assert!(watch.seen().await.fewest_healthy >= 4);
    assert_eq!(after.tasks().len(), 4);
    assert!(after.tasks().iter().all(|task| task.definition.revision.0 == 2));
}

#[tokio::test]
async fn bounds_that_leave_no_step_are_told() {
    let stage = Stage::new().await;
    // 101 % of one task is one task: none may be added, none taken away.
    let bounds = json!({"minimumHealthyPercent": 100, "maximumPercent": 101});
    stable(&stage, json!({"desiredCount": 1, "deploymentConfiguration": bounds})).await;
    update(&stage.fixture, json!({"forceNewDeployment": true})).await.unwrap();
    let key = stage.key();
    stage
        .wait_until("told", |world| {
            let events = &world.service(&key).unwrap().events;
            events.front().is_some_and(|event| event.message.contains("was unable to stop or start tasks"))
        })
        .await;
    update(&stage.fixture, json!({"deploymentConfiguration": {"maximumPercent": 200}})).await.unwrap();
    stage.play_until_stable().await;
}

#[tokio::test]
async fn an_update_without_room_takes_it_from_the_old_within_the_bounds() {
    let stage = Stage::new().await;
    // The machine has room for 16 tasks of this size; 12 and 12 more don't fit.
    let bounds = json!({"minimumHealthyPercent": 50, "maximumPercent": 200});
    stable(&stage, json!({"desiredCount": 12, "deploymentConfiguration": bounds})).await;
    let watch = stage.watch();
    update(&stage.fixture, json!({"taskDefinition": "web:2"})).await.unwrap();
    stage.play_until_stable().await;
    assert!(watch.seen().await.fewest_healthy >= 6);
}
