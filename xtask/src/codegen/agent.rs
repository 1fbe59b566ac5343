//! What agents send that the public model leaves out. The model that the ECS agent itself is generated from
//! (amazon-ecs-agent, `ecs-agent/api/ecs/model`) has a few members more; those that we honour are added.

use super::model::{Model, ShapeRef};

/// Service, structure, member, its shape.
const MEMBERS: &[(&str, &str, &str, &str)] =
    &[("ecs", "RegisterContainerInstanceRequest", "clientToken", "String")];

pub fn add_members(service: &str, model: &mut Model) {
    for (_, structure, member, shape) in MEMBERS.iter().filter(|(of, ..)| *of == service) {
        if let Some(structure) = model.shapes.get_mut(*structure) {
            // Where the public model has come to know it, that one counts.
            structure
                .members
                .entry((*member).to_owned())
                .or_insert_with(|| ShapeRef { shape: (*shape).to_owned() });
        }
    }
}
