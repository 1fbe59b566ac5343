//! `longshore ca`: what others know this Longshore by.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::site::Site;

pub fn ca(site: &Site) -> Result<ExitCode> {
    // Away from a data directory this says that there is none.
    site.keys()?;
    match std::fs::read_to_string(site.dir.ca()) {
        Ok(pem) => print!("{pem}"),
        Err(_) => bail!("there is no certificate authority yet; `{}` makes it", site.call("up")),
    }
    Ok(ExitCode::SUCCESS)
}
