//! The five capability sets of a process (capabilities(7)).

use oci_spec::runtime::{Capabilities, Capability, LinuxCapabilities};

/// Names in the order of their numbers (linux/capability.h).
#[rustfmt::skip]
const NAMES: [&str; 41] = [
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
    "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
    "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
];

/// The sets as the kernel counts them: bit n is capability n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sets {
    pub bounding: u64,
    effective: u64,
    permitted: u64,
    inheritable: u64,
    ambient: u64,
}

/// The header and data of capset(2), version 3: two words of each set.
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const VERSION_3: u32 = 0x2008_0522;

impl Sets {
    /// What the specification grants. No `capabilities` at all grants none.
    pub fn of(given: Option<&LinuxCapabilities>) -> Self {
        let set = |pick: fn(&LinuxCapabilities) -> &Option<Capabilities>| {
            given.and_then(|given| pick(given).as_ref()).map_or(0, bits)
        };
        Sets {
            bounding: set(LinuxCapabilities::bounding),
            effective: set(LinuxCapabilities::effective),
            permitted: set(LinuxCapabilities::permitted),
            inheritable: set(LinuxCapabilities::inheritable),
            ambient: set(LinuxCapabilities::ambient),
        }
    }

    /// Takes from the bounding set what isn't granted. Needs CAP_SETPCAP.
    pub fn bound(&self) -> Result<(), String> {
        for capability in 0..64 {
            if self.bounding & (1 << capability) != 0 {
                continue;
            }
            // SAFETY: plain numbers.
            if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } != 0 {
                let errno = nix::errno::Errno::last();
                // Beyond the last capability that this kernel has.
                if errno == nix::errno::Errno::EINVAL {
                    return Ok(());
                }
                return Err(format!("drop capability {capability} from the bounding set: {errno}"));
            }
        }
        Ok(())
    }

    /// Takes on the other sets.
    pub fn apply(&self) -> Result<(), String> {
        let known = known();
        let low = |set: u64| (set & known) as u32;
        let high = |set: u64| ((set & known) >> 32) as u32;
        let header = Header { version: VERSION_3, pid: 0 };
        let data = [
            Data {
                effective: low(self.effective),
                permitted: low(self.permitted),
                inheritable: low(self.inheritable),
            },
            Data {
                effective: high(self.effective),
                permitted: high(self.permitted),
                inheritable: high(self.inheritable),
            },
        ];
        // SAFETY: structures as capset(2) describes them, alive during the call.
        if unsafe { libc::syscall(libc::SYS_capset, &header, data.as_ptr()) } != 0 {
            return Err(format!("set capabilities: {}", nix::errno::Errno::last()));
        }
        // SAFETY: plain numbers, here and below.
        unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
        for capability in (0..64).filter(|capability| self.ambient & known & (1 << capability) != 0) {
            let raised = unsafe {
                libc::prctl(
                    libc::PR_CAP_AMBIENT,
                    libc::PR_CAP_AMBIENT_RAISE,
                    capability as libc::c_ulong,
                    0,
                    0,
                )
            };
            if raised != 0 {
                return Err(format!("raise ambient capability {capability}: {}", nix::errno::Errno::last()));
            }
        }
        Ok(())
    }
}

fn bits(set: &Capabilities) -> u64 {
    set.iter().filter_map(number).fold(0, |bits, n| bits | 1 << n)
}

fn number(capability: &Capability) -> Option<usize> {
    // As the specification spells it; the type's other spelling lacks the prefix.
    let name = serde_json::to_value(capability).ok()?;
    NAMES.iter().position(|known| name == **known)
}

/// Those that this kernel has: capset(2) refuses others.
fn known() -> u64 {
    let exists = |capability: u64| {
        // SAFETY: plain numbers.
        unsafe { libc::prctl(libc::PR_CAPBSET_READ, capability, 0, 0, 0) >= 0 }
    };
    (0..64).take_while(|capability| exists(*capability)).fold(0, |bits, n| bits | 1 << n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_kernels_numbers() {
        let given: LinuxCapabilities = serde_json::from_str(
            r#"{"bounding":["CAP_CHOWN","CAP_SYS_ADMIN","CAP_CHECKPOINT_RESTORE"],"effective":["CAP_KILL"]}"#,
        )
        .unwrap();
        let sets = Sets::of(Some(&given));
        assert_eq!(sets.bounding, 1 | 1 << 21 | 1 << 40);
        assert_eq!((sets.effective, sets.permitted), (1 << 5, 0));
        assert_eq!(Sets::of(None).bounding, 0);
    }

    #[test]
    fn every_capability_of_the_specification_has_a_number() {
        let all: Capabilities = serde_json::from_str(&serde_json::to_string(NAMES.as_slice()).unwrap())
            .expect("the names are the specification's");
        assert_eq!(bits(&all), (1 << NAMES.len()) - 1);
    }
}
