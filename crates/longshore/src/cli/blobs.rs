//! Where the registry's blobs are.

use anyhow::{Result, bail};
use clap::Args;
use registry::{BucketConfig, BucketUrl};

/// The names in the environment are Longshore's own: those of AWS point at Longshore itself after
/// `eval "$(longshore env)"`.
#[derive(Clone, Debug, Default, Args)]
pub struct BlobsArgs {
    /// Keep the registry's blobs in this S3 bucket, below a prefix that no other registry has
    /// [default: files in the data directory]
    #[arg(long, value_name = "s3://BUCKET/PREFIX", env = "LONGSHORE_BLOBS", hide_env = true)]
    pub blobs: Option<BucketUrl>,
    /// The S3 endpoint [default: AWS's of the region]
    #[arg(long, value_name = "URL", env = "LONGSHORE_BLOBS_ENDPOINT", hide_env = true)]
    pub blobs_endpoint: Option<String>,
    /// The bucket's region
    #[arg(
        long,
        value_name = "REGION",
        env = "LONGSHORE_BLOBS_REGION",
        hide_env = true,
        default_value = "us-east-1"
    )]
    pub blobs_region: String,
    /// The key to the bucket; its secret comes from LONGSHORE_BLOBS_SECRET_ACCESS_KEY [default: the machine's role]
    #[arg(long, value_name = "ID", env = "LONGSHORE_BLOBS_ACCESS_KEY_ID", hide_env = true)]
    pub blobs_access_key_id: Option<String>,
    // Only from the environment in practice: whoever lists the processes sees what is on a command line.
    #[arg(long, hide = true, env = "LONGSHORE_BLOBS_SECRET_ACCESS_KEY", hide_env_values = true)]
    pub blobs_secret_access_key: Option<String>,
}

impl BlobsArgs {
    /// `None`: the blobs are files.
    pub fn bucket(&self) -> Result<Option<BucketConfig>> {
        let Some(url) = self.blobs.clone() else { return Ok(None) };
        let key = match (&self.blobs_access_key_id, &self.blobs_secret_access_key) {
            (Some(id), Some(secret)) => Some((id.clone(), secret.clone())),
            (None, None) => None,
            _ => bail!(
                "a key to the bucket needs both LONGSHORE_BLOBS_ACCESS_KEY_ID and LONGSHORE_BLOBS_SECRET_ACCESS_KEY"
            ),
        };
        let (endpoint, region) = (self.blobs_endpoint.clone(), self.blobs_region.clone());
        Ok(Some(BucketConfig { url, endpoint, region, key }))
    }
}
