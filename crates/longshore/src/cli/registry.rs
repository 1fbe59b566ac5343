//! The registry's own commands.

use clap::{Args, Subcommand, ValueEnum};

use super::BlobsArgs;

#[derive(Clone, Debug, Args)]
pub struct RegistryArgs {
    #[command(subcommand)]
    pub command: RegistryCommand,
}

#[derive(Clone, Debug, Subcommand)]
pub enum RegistryCommand {
    /// Read every stored blob and manifest again, and say what isn't as it was pushed
    Verify(VerifyArgs),
    /// Show what a scanner's report says of an image
    Findings(FindingsArgs),
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  longshore registry verify
  longshore registry verify --json --data-dir /var/lib/longshore | jq .findings

It reads the data directory itself, on the machine where it lies, and changes nothing there; the server may
run or not. Where the blobs are in a bucket, it is told so as the server is: with --blobs or LONGSHORE_BLOBS.
Each file is read to its end and its digest taken; each manifest must have all that it names.

To mend what it finds: remove a damaged file, then push the images that need it again. A file that isn't
there counts as never pushed, so that any client uploads it. A record that can't be read comes back with a
backup of registry.db alone. What is left over takes room and does no harm; the next start removes it.

Exit status: 0 where all that was pushed can be pulled, 1 where not, or where it can't be told.")]
pub struct VerifyArgs {
    #[command(flatten)]
    pub blobs: BlobsArgs,
    /// As {repositories, manifests, blobs, bytes, findings}
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  longshore registry findings team/app:v1
  longshore registry findings team/app@sha256:0123… --severity high
  longshore registry findings team/app --json | jq '.[].name'

Longshore has no scanner: an external one's report, in SARIF or CycloneDX, is attached to the image as an artifact
(`oras attach --artifact-type application/sarif+json IMAGE report.sarif`), and the newest is shown.

Exit status: 0 where there is a report, whatever it says; 1 where there is none, or the image isn't there.")]
pub struct FindingsArgs {
    /// A repository, with :TAG or @DIGEST [default: latest]; the registry's address may stand before it
    #[arg(value_name = "IMAGE")]
    pub image: String,
    /// Only those that are so severe or more
    #[arg(long, value_enum, default_value_t = Severity::Undefined)]
    pub severity: Severity,
    /// As a list of {name, severity, description, uri, attributes}
    #[arg(long)]
    pub json: bool,
}

/// As ECR has them, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Severity {
    Undefined,
    Informational,
    Low,
    Medium,
    High,
    Critical,
}
