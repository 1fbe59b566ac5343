//! Which devices a container may reach: the specification's rules in the one form that both versions of cgroups are
//! written from. Pure.

use std::fmt;

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

/// What is done with a device, in the kernel's bits (linux/bpf.h, BPF_DEVCG_ACC_*).
pub const MKNOD: u8 = 1;
pub const READ: u8 = 2;
pub const WRITE: u8 = 4;
const ALL: u8 = MKNOD | READ | WRITE;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Block,
    Character,
}

/// The last rule that speaks of a device and of an access decides about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    pub allow: bool,
    /// Without one, for every device there is and every access.
    pub kind: Option<Kind>,
    pub major: Option<u32>,
    pub minor: Option<u32>,
    pub access: u8,
}

/// What every container may do with devices, whatever its rules say, as in runc: make nodes, which are only names, and
/// open null, zero, full, random, urandom, tty, ptmx and the pseudo-terminals (OCI runtime specification, "Default
/// Devices").
const ALWAYS: [Rule; 10] = [
    allowed(Kind::Character, None, None, MKNOD),
    allowed(Kind::Block, None, None, MKNOD),
    allowed(Kind::Character, Some(1), Some(3), ALL),
    allowed(Kind::Character, Some(1), Some(5), ALL),
    allowed(Kind::Character, Some(1), Some(7), ALL),
    allowed(Kind::Character, Some(1), Some(8), ALL),
    allowed(Kind::Character, Some(1), Some(9), ALL),
    allowed(Kind::Character, Some(5), Some(0), ALL),
    allowed(Kind::Character, Some(5), Some(2), ALL),
    allowed(Kind::Character, Some(136), None, ALL),
];

const fn allowed(kind: Kind, major: Option<u32>, minor: Option<u32>, access: u8) -> Rule {
    Rule { allow: true, kind: Some(kind), major, minor, access }
}

/// The rules in their order, with those that hold for everybody; none if there are none to add to.
pub fn rules(given: &[LinuxDeviceCgroup]) -> Result<Vec<Rule>, String> {
    let given: Vec<Rule> = given.iter().map(rule).collect::<Result<_, _>>()?;
    let always: &[Rule] = if given.is_empty() { &[] } else { &ALWAYS };
    Ok([given.as_slice(), always].concat())
}

fn rule(given: &LinuxDeviceCgroup) -> Result<Rule, String> {
    let kind = match given.typ().unwrap_or(LinuxDeviceType::A) {
        LinuxDeviceType::A => {
            return Ok(Rule { allow: given.allow(), kind: None, major: None, minor: None, access: ALL });
        }
        LinuxDeviceType::B => Kind::Block,
        LinuxDeviceType::C | LinuxDeviceType::U => Kind::Character,
        LinuxDeviceType::P => return Err("resources.devices: a FIFO is no device".into()),
    };
    let number = |number: Option<i64>| match number.filter(|number| *number >= 0) {
        // What a device's number has bits for (dev_t in the kernel: 12 and 20).
        Some(number) => u32::try_from(number).ok().filter(|number| *number < 1 << 20).map(Some),
        None => Some(None),
    };
    let (Some(major), Some(minor)) = (number(given.major()), number(given.minor())) else {
        return Err("resources.devices: no device has such a number".into());
    };
    let access = given.access().as_deref().filter(|access| !access.is_empty()).unwrap_or("rwm");
    let access = access.chars().try_fold(0, |bits, letter| match letter {
        'm' => Ok(bits | MKNOD),
        'r' => Ok(bits | READ),
        'w' => Ok(bits | WRITE),
        other => Err(format!("resources.devices: {other:?} is no access")),
    })?;
    Ok(Rule { allow: given.allow(), kind: Some(kind), major, minor, access })
}

/// As v1's `devices.allow` and `devices.deny` take it.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(kind) = self.kind else { return f.write_str("a") };
        f.write_str(if kind == Kind::Block { "b" } else { "c" })?;
        for (number, before) in [(self.major, ' '), (self.minor, ':')] {
            match number {
                Some(number) => write!(f, "{before}{number}")?,
                None => write!(f, "{before}*")?,
            }
        }
        f.write_str(" ")?;
        for (bit, letter) in [(READ, "r"), (WRITE, "w"), (MKNOD, "m")] {
            f.write_str(if self.access & bit != 0 { letter } else { "" })?;
        }
        Ok(())
    }
}
