//! Brings services to what is pushed. The registry's outbox holds the pushes until they are acted on, and a
//! service remembers the last one that it was deployed for: a crash between the two repeats nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::{Refusal, ServiceKey};
use tokio::sync::watch;

use crate::app::App;
use crate::ecs::image::OwnRegistry;
use crate::ecs::service::follow;
use crate::pushes::{Push, SharedPushes};
use crate::writer::SubmitError;

/// After this what the store didn't take is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// How often the change is made anew because the service or its family moved on meanwhile.
const REMAKES: usize = 64;

pub(super) async fn run(app: Arc<App>, pushes: SharedPushes, mut stop: watch::Receiver<bool>) {
    let own = OwnRegistry::of(&app.config);
    let mut newest = pushes.newest();
    let mut done = 0;
    loop {
        newest.mark_unchanged();
        let batch = pushes.after(done);
        let last = batch.last().map_or(done, |push| push.number);
        let all_done = deploy_all(&app, &own, batch).await;
        if all_done && last > done {
            pushes.forget(last).await;
            done = last;
        }
        tokio::select! {
            changed = newest.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(RETRY), if !all_done => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Whether nothing is left to be tried again. What comes after a failure waits for it: a service remembers only the
/// last push that it was deployed for, and would take the one that failed for done.
async fn deploy_all(app: &App, own: &OwnRegistry, batch: Vec<Push>) -> bool {
    // Of a tag that was pushed twice only where it stands now matters.
    let mut last = HashMap::new();
    for push in &batch {
        last.insert((&push.scope, &push.repository, &push.tag), push.number);
    }
    let stands = |push: &&Push| last.get(&(&push.scope, &push.repository, &push.tag)) == Some(&push.number);
    for push in batch.iter().filter(stands) {
        let services: Vec<ServiceKey> =
            app.world().all_services().map(|service| service.key.clone()).collect();
        for key in services {
            if !deploy(app, own, push, &key).await {
                return false;
            }
        }
    }
    true
}

async fn deploy(app: &App, own: &OwnRegistry, push: &Push, key: &ServiceKey) -> bool {
    for _ in 0..REMAKES {
        let world = app.world();
        let Some(service) = world.service(key) else { return true };
        let command = match follow::command(&world, own, push, service, app.now_ms(), app.seed()) {
            Ok(None) => return true,
            Ok(Some(command)) => command,
            Err(error) => {
                tracing::warn!(service = %key, %error, "a push can't be deployed");
                return true;
            }
        };
        match app.submit(command).await {
            Ok(_) => {
                let Push { repository, tag, digest, .. } = push;
                tracing::info!(service = %key, repository, tag, digest, "a push is deployed");
                return true;
            }
            Err(SubmitError::Refused(Refusal::StaleSnapshot(stale))) => {
                tracing::debug!(service = %key, %stale, "make the change again");
            }
            Err(SubmitError::Refused(refusal)) => {
                tracing::warn!(service = %key, %refusal, "a push isn't deployed");
                return true;
            }
            Err(error) => {
                tracing::debug!(service = %key, %error, "a push's deployment wasn't stored");
                return false;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use model::Scope;
    use serde_json::json;
    use store::{Fault, Faulty, MemoryStore};

    use super::*;
    use crate::ecs::service::tests::{create, describe};
    use crate::pushes::{Pushes, Recorded};
    use crate::testing::{Fixture, START_MS};

    fn push(number: u64, repository: &str, digest: &str) -> Push {
        Push {
            number,
            scope: Scope::new("000000000000", "us-east-1"),
            repository: repository.to_owned(),
            tag: "v1".to_owned(),
            digest: digest.to_owned(),
            at_ms: START_MS + number,
            is_image: true,
        }
    }

    /// A service `web` whose containers run `REPOSITORY:v1` of our registry.
    async fn serve(fixture: &Fixture, repositories: &[&str]) {
        let container = |name: &&str| json!({"name": name, "image": format!("127.0.0.1:4580/{name}:v1")});
        let containers: Vec<_> = repositories.iter().map(container).collect();
        let definition = json!({
            "family": "web", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256",
            "memory": "512", "containerDefinitions": containers,
        });
        fixture.json("RegisterTaskDefinition", definition).await.unwrap();
        create(fixture, json!({})).await.unwrap();
    }

    /// An outbox that is filled by hand.
    struct Outbox {
        pushes: Mutex<Vec<Push>>,
        newest: watch::Sender<u64>,
    }

    impl Outbox {
        fn push(&self, digest: &str) -> u64 {
            let number = *self.newest.borrow() + 1;
            self.pushes.lock().unwrap().push(push(number, "app", digest));
            self.newest.send_replace(number);
            number
        }

        fn is_empty(&self) -> bool {
            self.pushes.lock().unwrap().is_empty()
        }
    }

    impl Pushes for Outbox {
        fn after(&self, number: u64) -> Vec<Push> {
            self.pushes.lock().unwrap().iter().filter(|push| push.number > number).cloned().collect()
        }

        fn newest(&self) -> watch::Receiver<u64> {
            self.newest.subscribe()
        }

        fn forget(&self, through: u64) -> Recorded<'_> {
            self.pushes.lock().unwrap().retain(|push| push.number > through);
            Box::pin(std::future::ready(()))
        }
    }

    #[tokio::test]
    async fn the_last_of_several_is_deployed_and_then_those_that_come() {
        let fixture = Fixture::new().await;
        serve(&fixture, &["app"]).await;
        let outbox = Arc::new(Outbox { pushes: Mutex::default(), newest: watch::channel(0).0 });
        outbox.push("sha256:1");
        outbox.push("sha256:2");
        let (stop, stopped) = watch::channel(false);
        let driver = tokio::spawn(run(fixture.app.clone(), outbox.clone(), stopped));
        let done = async || {
            while !outbox.is_empty() {
                tokio::task::yield_now().await;
            }
            describe(&fixture, "web").await["events"].as_array().unwrap().len()
        };
        assert_eq!(done().await, 1, "of the two only the last");
        outbox.push("sha256:3");
        assert_eq!(done().await, 2);
        let service = describe(&fixture, "web").await;
        assert!(service["taskDefinition"].as_str().unwrap().ends_with("web:3"), "{service}");
        stop.send(true).unwrap();
        driver.await.unwrap();
    }

    #[tokio::test]
    async fn a_push_that_was_not_stored_is_not_passed_by_the_next() {
        let store = MemoryStore::new();
        // After the cluster, the definition and the service.
        let faulty = Faulty::new(store.clone(), [(4, Fault::Refuse)]);
        let fixture = Fixture::through(store, faulty, START_MS);
        crate::drivers::ensure_default_cluster(&fixture.app).await.unwrap();
        serve(&fixture, &["app", "side"]).await;
        let own = OwnRegistry::of(&fixture.app.config);
        let batch = || vec![push(1, "app", "sha256:1"), push(2, "side", "sha256:2")];
        let events = async || describe(&fixture, "web").await["events"].as_array().unwrap().len();
        assert!(!deploy_all(&fixture.app, &own, batch()).await);
        assert_eq!(events().await, 0, "the second waits for the first");
        assert!(deploy_all(&fixture.app, &own, batch()).await);
        assert_eq!(events().await, 2);
        let now = fixture.json("DescribeTaskDefinition", json!({"taskDefinition": "web"})).await.unwrap();
        let images: Vec<_> = now["taskDefinition"]["containerDefinitions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|container| container["image"].as_str().unwrap())
            .collect();
        assert_eq!(images, ["127.0.0.1:4580/app:v1@sha256:1", "127.0.0.1:4580/side:v1@sha256:2"]);
        assert!(deploy_all(&fixture.app, &own, batch()).await);
        assert_eq!(events().await, 2, "nothing is done twice");
    }
}
