//! Policies that AWS keeps for everybody, by their names, as far as they are about what is here (Amazon ECR user
//! guide, "AWS managed policies for Amazon ECR"; AWS managed policy reference).

use serde_json::json;

const PULL: &[&str] = &["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
const READ: &[&str] = &[
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetRepositoryPolicy",
    "ecr:DescribeRepositories",
    "ecr:ListImages",
    "ecr:DescribeImages",
    "ecr:GetLifecyclePolicy",
    "ecr:GetLifecyclePolicyPreview",
    "ecr:ListTagsForResource",
    "ecr:DescribeImageScanFindings",
];
const PUSH: &[&str] =
    &["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"];
const LAYERS: &[&str] = &["ecr:BatchCheckLayerAvailability"];
const WRITE_LOGS: &[&str] = &["logs:CreateLogStream", "logs:PutLogEvents"];
const ALL_OF_ECR: &[&str] = &["ecr:*"];
const ALL: &[&str] = &["*"];

/// What an execution role has, as a rule: to pull images and to write logs.
pub const TASK_EXECUTION: &str = "AmazonECSTaskExecutionRolePolicy";

const POLICIES: &[(&str, &[&[&str]])] = &[
    ("AdministratorAccess", &[ALL]),
    ("AmazonEC2ContainerRegistryFullAccess", &[ALL_OF_ECR]),
    ("AmazonEC2ContainerRegistryPowerUser", &[PULL, READ, PUSH]),
    ("AmazonEC2ContainerRegistryPullOnly", &[PULL]),
    ("AmazonEC2ContainerRegistryReadOnly", &[PULL, READ]),
    (TASK_EXECUTION, &[PULL, LAYERS, WRITE_LOGS]),
];

/// The text of the policy with that name.
pub fn managed(name: &str) -> Option<String> {
    let (_, groups) = POLICIES.iter().find(|(known, _)| *known == name)?;
    let actions: Vec<&str> = groups.concat();
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
    });
    Some(policy.to_string())
}

pub fn managed_names() -> impl Iterator<Item = &'static str> {
    POLICIES.iter().map(|(name, _)| *name)
}
