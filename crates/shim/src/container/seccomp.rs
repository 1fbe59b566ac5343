//! The seccomp filter: compiled by libseccomp, loaded by ourselves.
//!
//! A profile of 300 names takes libseccomp 2 ms, and every container of a kind has the same: the filter is kept, by the
//! profile's hash, beside the containers' state, which only root can write.

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};
use nix::errno::Errno;
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag, LinuxSeccompOperator,
};
use sha2::{Digest, Sha256};

/// Directory of the compiled filters, beside the containers' state. No container's id can begin with a dot.
pub const CACHE: &str = ".seccomp";

/// A compiled filter.
#[derive(Debug)]
pub struct Filter {
    program: Vec<libc::sock_filter>,
    flags: libc::c_ulong,
}

impl Filter {
    /// The filter of a profile, from `cache` if it is there. Needs the host's file system.
    pub fn of(profile: &LinuxSeccomp, cache: Option<&Path>) -> Result<Self, String> {
        let flags = flags(profile)?;
        let kept = cache.and_then(|cache| kept(profile, cache));
        let bytes = kept.as_ref().and_then(|kept| std::fs::read(kept).ok());
        if let Some(program) = bytes.and_then(|bytes| instructions(&bytes)) {
            return Ok(Filter { program, flags });
        }
        let bytes = compile(profile)?;
        if let Some(kept) = kept {
            // Compiled again next time if it can't be kept.
            let _ = keep(&kept, &bytes);
        }
        let program =
            instructions(&bytes).ok_or("seccomp: the profile gives no filter that the kernel takes")?;
        Ok(Filter { program, flags })
    }

    /// Confines this process for good. Without CAP_SYS_ADMIN it needs no_new_privs (seccomp(2)).
    pub fn load(&self) -> Result<(), String> {
        let program =
            libc::sock_fprog { len: self.program.len() as u16, filter: self.program.as_ptr().cast_mut() };
        // SAFETY: the program lives through the call, which copies it.
        let result =
            unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, self.flags, &program) };
        if result == 0 { Ok(()) } else { Err(format!("seccomp: load the filter: {}", Errno::last())) }
    }
}

fn kept(profile: &LinuxSeccomp, cache: &Path) -> Option<PathBuf> {
    let digest = Sha256::digest(serde_json::to_vec(profile).ok()?);
    let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    // By the library's version too: it decides what the filter looks like.
    let version = libseccomp::ScmpVersion::current().ok()?;
    Some(cache.join(format!("{name}-{version}")))
}

fn keep(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(dir)?;
    let temporary = dir.join(format!(".new-{}", std::process::id()));
    std::fs::write(&temporary, bytes)?;
    std::fs::rename(temporary, path)
}

/// None where that can be no filter.
fn instructions(bytes: &[u8]) -> Option<Vec<libc::sock_filter>> {
    // A `sock_filter` is eight bytes: code, two jumps, an operand (linux/filter.h).
    let (whole, rest) = bytes.as_chunks::<8>();
    if whole.is_empty() || !rest.is_empty() || whole.len() > libc::BPF_MAXINSNS as usize {
        return None;
    }
    let one = |b: &[u8; 8]| libc::sock_filter {
        code: u16::from_ne_bytes([b[0], b[1]]),
        jt: b[2],
        jf: b[3],
        k: u32::from_ne_bytes([b[4], b[5], b[6], b[7]]),
    };
    Some(whole.iter().map(one).collect())
}

fn flags(profile: &LinuxSeccomp) -> Result<libc::c_ulong, String> {
    let mut flags = 0;
    for flag in profile.flags().iter().flatten() {
        flags |= match flag {
            LinuxSeccompFilterFlag::SeccompFilterFlagLog => libc::SECCOMP_FILTER_FLAG_LOG,
            LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
            // There is one thread.
            LinuxSeccompFilterFlag::SeccompFilterFlagTsync => 0,
            LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => {
                return Err(
                    "seccomp: flag SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: there is no listener".into()
                );
            }
        };
    }
    Ok(flags)
}

fn compile(profile: &LinuxSeccomp) -> Result<Vec<u8>, String> {
    let failed = |error: libseccomp::error::SeccompError| format!("seccomp: {error}");
    let default = action(profile.default_action(), profile.default_errno_ret())?;
    let mut filter = ScmpFilterContext::new(default).map_err(failed)?;
    for arch in profile.architectures().iter().flatten() {
        filter.add_arch(architecture(*arch)).map_err(failed)?;
    }
    for rule in profile.syscalls().iter().flatten() {
        let wanted = action(rule.action(), rule.errno_ret())?;
        // libseccomp refuses a rule that says what is so anyway.
        if wanted == default {
            continue;
        }
        for name in rule.names() {
            // A name that this library or machine doesn't know can't be called either.
            let Ok(call) = ScmpSyscall::from_name(name) else { continue };
            for conditions in alternatives(rule.args().as_deref().unwrap_or_default()) {
                if conditions.is_empty() {
                    filter.add_rule(wanted, call).map_err(failed)?;
                } else {
                    filter.add_rule_conditional(wanted, call, &conditions).map_err(failed)?;
                }
            }
        }
    }
    // Through a file in memory: libseccomp writes to memory itself only from 2.6 on.
    let io = |error: std::io::Error| format!("seccomp: export the filter: {error}");
    let memory = nix::sys::memfd::memfd_create(c"filter", nix::sys::memfd::MFdFlags::MFD_CLOEXEC)
        .map_err(|errno| io(errno.into()))?;
    filter.export_bpf(&memory).map_err(failed)?;
    let mut file = std::fs::File::from(memory);
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(io)?;
    Ok(bytes)
}

/// Conditions on different arguments must all hold; several on one argument are alternatives, as in runc
/// (libseccomp takes one comparison for each argument).
fn alternatives(args: &[LinuxSeccompArg]) -> Vec<Vec<ScmpArgCompare>> {
    let mut count = BTreeMap::new();
    for arg in args {
        *count.entry(arg.index()).or_insert(0) += 1;
    }
    if count.values().all(|n| *n == 1) {
        vec![args.iter().map(compare).collect()]
    } else {
        args.iter().map(|arg| vec![compare(arg)]).collect()
    }
}

fn compare(arg: &LinuxSeccompArg) -> ScmpArgCompare {
    let (operator, value) = match arg.op() {
        LinuxSeccompOperator::ScmpCmpNe => (ScmpCompareOp::NotEqual, arg.value()),
        LinuxSeccompOperator::ScmpCmpLt => (ScmpCompareOp::Less, arg.value()),
        LinuxSeccompOperator::ScmpCmpLe => (ScmpCompareOp::LessOrEqual, arg.value()),
        LinuxSeccompOperator::ScmpCmpEq => (ScmpCompareOp::Equal, arg.value()),
        LinuxSeccompOperator::ScmpCmpGe => (ScmpCompareOp::GreaterEqual, arg.value()),
        LinuxSeccompOperator::ScmpCmpGt => (ScmpCompareOp::Greater, arg.value()),
        // `value` is the mask and `valueTwo` what must be left, as runc reads them.
        LinuxSeccompOperator::ScmpCmpMaskedEq => {
            (ScmpCompareOp::MaskedEqual(arg.value()), arg.value_two().unwrap_or(0))
        }
    };
    ScmpArgCompare::new(arg.index() as u32, operator, value)
}

fn action(action: LinuxSeccompAction, errno: Option<u32>) -> Result<ScmpAction, String> {
    Ok(match action {
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => ScmpAction::KillThread,
        LinuxSeccompAction::ScmpActKillProcess => ScmpAction::KillProcess,
        LinuxSeccompAction::ScmpActTrap => ScmpAction::Trap,
        LinuxSeccompAction::ScmpActErrno => ScmpAction::Errno(errno.unwrap_or(libc::EPERM as u32) as i32),
        LinuxSeccompAction::ScmpActTrace => ScmpAction::Trace(errno.unwrap_or(libc::EPERM as u32) as u16),
        LinuxSeccompAction::ScmpActLog => ScmpAction::Log,
        LinuxSeccompAction::ScmpActAllow => ScmpAction::Allow,
        LinuxSeccompAction::ScmpActNotify => {
            return Err("seccomp: SCMP_ACT_NOTIFY: there is no listener".into());
        }
    })
}

fn architecture(arch: Arch) -> ScmpArch {
    match arch {
        Arch::ScmpArchNative => ScmpArch::Native,
        Arch::ScmpArchX86 => ScmpArch::X86,
        Arch::ScmpArchX86_64 => ScmpArch::X8664,
        Arch::ScmpArchX32 => ScmpArch::X32,
        Arch::ScmpArchArm => ScmpArch::Arm,
        Arch::ScmpArchAarch64 => ScmpArch::Aarch64,
        Arch::ScmpArchMips => ScmpArch::Mips,
        Arch::ScmpArchMips64 => ScmpArch::Mips64,
        Arch::ScmpArchMips64n32 => ScmpArch::Mips64N32,
        Arch::ScmpArchMipsel => ScmpArch::Mipsel,
        Arch::ScmpArchMipsel64 => ScmpArch::Mipsel64,
        Arch::ScmpArchMipsel64n32 => ScmpArch::Mipsel64N32,
        Arch::ScmpArchPpc => ScmpArch::Ppc,
        Arch::ScmpArchPpc64 => ScmpArch::Ppc64,
        Arch::ScmpArchPpc64le => ScmpArch::Ppc64Le,
        Arch::ScmpArchS390 => ScmpArch::S390,
        Arch::ScmpArchS390x => ScmpArch::S390X,
        Arch::ScmpArchParisc => ScmpArch::Parisc,
        Arch::ScmpArchParisc64 => ScmpArch::Parisc64,
        Arch::ScmpArchRiscv64 => ScmpArch::Riscv64,
        Arch::ScmpArchLoongarch64 => ScmpArch::Loongarch64,
        Arch::ScmpArchM68k => ScmpArch::M68k,
        Arch::ScmpArchSh => ScmpArch::Sh,
        Arch::ScmpArchSheb => ScmpArch::Sheb,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(text: &str) -> LinuxSeccomp {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_filter_is_compiled_once_and_then_read() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("cache");
        let profile = profile(
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read","no_such_call"],"action":"SCMP_ACT_ALLOW"}]}"#,
        );
        let first = Filter::of(&profile, Some(&cache)).unwrap();
        let file = std::fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
        assert_eq!(std::fs::read(&file).unwrap().len(), first.program.len() * 8);
        // A second reading takes what is there.
        std::fs::write(&file, [0u8; 8]).unwrap();
        assert_eq!(Filter::of(&profile, Some(&cache)).unwrap().program.len(), 1);
        // What can be no filter is made anew.
        std::fs::write(&file, [0u8; 7]).unwrap();
        assert_eq!(Filter::of(&profile, Some(&cache)).unwrap().program.len(), first.program.len());
    }

    #[test]
    fn several_conditions_on_one_argument_are_alternatives() {
        let arg = |index: usize, value: u64| -> LinuxSeccompArg {
            serde_json::from_value(serde_json::json!({"index": index, "value": value, "op": "SCMP_CMP_EQ"}))
                .unwrap()
        };
        assert_eq!(alternatives(&[]).len(), 1);
        assert_eq!(alternatives(&[arg(0, 1), arg(1, 2)]).len(), 1);
        assert_eq!(alternatives(&[arg(0, 1), arg(0, 2)]).len(), 2);
    }

    #[test]
    fn what_needs_a_listener_is_refused() {
        let profile = profile(r#"{"defaultAction":"SCMP_ACT_NOTIFY"}"#);
        assert!(Filter::of(&profile, None).unwrap_err().contains("SCMP_ACT_NOTIFY"));
    }
}
