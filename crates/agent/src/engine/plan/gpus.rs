//! The GPUs of a task: associations of the type `gpu`, each with one container (amazon-ecs-agent,
//! `agent/api/task/task.go`).

use wire::acs::Task;

use super::Refusal;

const GPU: &str = "gpu";

pub fn check(task: &Task) -> Result<(), Refusal> {
    for association in &task.associations {
        let kind = &association.r#type;
        if kind != GPU {
            return Err(Refusal::new(format!(
                "UnsupportedFeature: the task uses an association of the type {kind}, which this agent does not \
                 support yet"
            )));
        }
        let [container] = &association.containers[..] else {
            return Err(Refusal::new(format!("the GPU {} is not of one container", association.name)));
        };
        if !task.containers.iter().any(|c| c.name == *container) {
            return Err(Refusal::new(format!(
                "the GPU {} is of the container {container}, which is not in the task",
                association.name
            )));
        }
    }
    Ok(())
}

pub fn of(task: &Task, container: &str) -> Vec<String> {
    let its = task.associations.iter().filter(|a| a.r#type == GPU && a.containers == [container]);
    its.map(|association| association.name.clone()).collect()
}
