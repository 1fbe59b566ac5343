//! Which system calls a container may make: everything is refused but what is listed.
//!
//! The list is Linux's table of system calls for x86_64 and arm64 (unistd.h) without those that
//! Docker's documentation ("Seccomp security profiles for Docker") names as withheld, its reasons
//! being: not namespaced, touches the whole host's kernel, or has been a way out before. Those that
//! a capability guards come with the capability.
//!
//! Only the machine's own architecture is listed, so 32-bit programs do not run: three
//! architectures cost a start 11 ms, one costs 2 ms.

use std::collections::HashSet;

use oci_spec::runtime::{
    Arch, Capability, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArgBuilder, LinuxSeccompBuilder,
    LinuxSeccompOperator, LinuxSyscall, LinuxSyscallBuilder,
};

/// The profile for a container with these capabilities.
pub fn profile(granted: &HashSet<Capability>) -> LinuxSeccomp {
    let mut names: Vec<&str> = ALLOWED.iter().flat_map(|group| group.split_whitespace()).collect();
    for (capability, guarded) in GUARDED {
        if granted.contains(&capability) {
            names.extend(guarded.split_whitespace());
        }
    }
    names.sort_unstable();
    names.dedup();
    let mut rules = vec![allow(&names)];
    if !granted.contains(&Capability::SysAdmin) {
        rules.extend([clone_without_namespaces(), clone3_is_missing()]);
    }
    rules.extend(PERSONALITIES.map(personality));
    rules.push(socket_but_vsock());
    LinuxSeccompBuilder::default()
        .default_action(LinuxSeccompAction::ScmpActErrno)
        .default_errno_ret(libc::EPERM as u32)
        .architectures(architecture().into_iter().collect::<Vec<_>>())
        .syscalls(rules)
        .build()
        .expect("every field has a default")
}

/// `None` where the list is not known to fit; the runtime then takes its own architecture.
fn architecture() -> Option<Arch> {
    match std::env::consts::ARCH {
        "x86_64" => Some(Arch::ScmpArchX86_64),
        "aarch64" => Some(Arch::ScmpArchAarch64),
        _ => None,
    }
}

fn allow(names: &[&str]) -> LinuxSyscall {
    LinuxSyscallBuilder::default()
        .names(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
        .action(LinuxSeccompAction::ScmpActAllow)
        .build()
        .expect("the required fields are set")
}

fn allow_if(name: &str, operator: LinuxSeccompOperator, value: u64) -> LinuxSyscall {
    let argument = LinuxSeccompArgBuilder::default().index(0usize).value(value).op(operator).build();
    LinuxSyscallBuilder::default()
        .names(vec![name.to_owned()])
        .action(LinuxSeccompAction::ScmpActAllow)
        .args(vec![argument.expect("the required fields are set")])
        .build()
        .expect("the required fields are set")
}

/// The CLONE_NEW… flags of clone(2) start here, but for CLONE_NEWNS, which the kernel grants only
/// to CAP_SYS_ADMIN: without a new user namespace nobody in the container has that. The one flag
/// from here on that makes no namespace is CLONE_IO, which C libraries do not use.
///
/// A comparison and not a mask because runtimes differ in which of the two values of
/// `SCMP_CMP_MASKED_EQ` is the mask: under one that takes the other one than runc, the usual rule
/// lets everything through.
const FIRST_NAMESPACE: u64 = libc::CLONE_NEWCGROUP as u64;

fn clone_without_namespaces() -> LinuxSyscall {
    allow_if("clone", LinuxSeccompOperator::ScmpCmpLt, FIRST_NAMESPACE)
}

/// clone3 has its flags in memory, where a filter can't look. C libraries fall back to clone only
/// if they are told that clone3 does not exist.
fn clone3_is_missing() -> LinuxSyscall {
    LinuxSyscallBuilder::default()
        .names(vec!["clone3".to_owned()])
        .action(LinuxSeccompAction::ScmpActErrno)
        .errno_ret(libc::ENOSYS as u32)
        .build()
        .expect("the required fields are set")
}

/// PER_LINUX, PER_LINUX32, UNAME26 with each, and the question "which is it?" (personality(2)).
const PERSONALITIES: [u64; 5] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

fn personality(value: u64) -> LinuxSyscall {
    allow_if("personality", LinuxSeccompOperator::ScmpCmpEq, value)
}

/// AF_VSOCK is not namespaced: it reaches the hypervisor from any container.
fn socket_but_vsock() -> LinuxSyscall {
    allow_if("socket", LinuxSeccompOperator::ScmpCmpNe, libc::AF_VSOCK as u64)
}

/// By subject. A name that the machine's libseccomp or architecture does not know is skipped.
const ALLOWED: &[&str] = &[
    // Processes and their identity.
    "arch_prctl capget capset execve execveat exit exit_group fork getegid geteuid getgid getgroups \
     getpgid getpgrp getpid getppid getresgid getresuid getsid gettid getuid kill landlock_add_rule \
     landlock_create_ruleset landlock_restrict_self modify_ldt pidfd_open pidfd_send_signal prctl \
     process_mrelease process_vm_readv process_vm_writev ptrace seccomp set_tid_address setfsgid \
     setfsuid setgid setgroups setpgid setregid setresgid setresuid setreuid setsid setuid tgkill \
     tkill umask uname vfork wait4 waitid",
    // Scheduling and limits.
    "get_robust_list getcpu getpriority getrlimit getrusage ioprio_get ioprio_set membarrier \
     prlimit64 rseq sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr \
     sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr \
     sched_setparam sched_setscheduler sched_yield set_robust_list setpriority setrlimit sysinfo \
     times",
    // Signals and waiting.
    "alarm epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 \
     futex futex_requeue futex_wait futex_waitv futex_wake pause poll ppoll pselect6 restart_syscall \
     rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend \
     rt_sigtimedwait rt_tgsigqueueinfo select sigaltstack signalfd signalfd4",
    // Time.
    "adjtimex clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep setitimer \
     time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create \
     timerfd_gettime timerfd_settime",
    // Memory.
    "brk cachestat madvise map_shadow_stack memfd_create memfd_secret mincore mlock mlock2 mlockall \
     mmap mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect \
     remap_file_pages",
    // Files.
    "access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat \
     faccessat2 fadvise64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchownat \
     fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstatfs fsync ftruncate \
     futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch inotify_init \
     inotify_init1 inotify_rm_watch ioctl lchown lgetxattr link linkat listxattr listxattrat \
     llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod mknodat name_to_handle_at \
     newfstatat open openat openat2 read readahead readlink readlinkat removexattr removexattrat \
     rename renameat renameat2 rmdir setxattr setxattrat stat statfs statx symlink symlinkat sync \
     sync_file_range syncfs truncate unlink unlinkat utime utimensat utimes write",
    // Bulk and asynchronous input and output.
    "io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit pipe pipe2 pread64 preadv \
     preadv2 pwrite64 pwritev pwritev2 readv sendfile splice tee vmsplice writev",
    // Sockets and messages.
    "accept accept4 bind connect getpeername getrandom getsockname getsockopt listen mq_getsetattr \
     mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd recvfrom \
     recvmmsg recvmsg semctl semget semop semtimedop sendmmsg sendmsg sendto setsockopt shmat shmctl \
     shmdt shmget shutdown socketpair",
];

/// With the capability that makes the kernel permit them at all.
const GUARDED: [(Capability, &str); 14] = [
    (Capability::Bpf, "bpf"),
    (Capability::DacReadSearch, "open_by_handle_at"),
    (Capability::Perfmon, "perf_event_open"),
    (
        Capability::SysAdmin,
        "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr \
         move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog \
         umount umount2 unshare",
    ),
    (Capability::SysBoot, "reboot"),
    (Capability::SysChroot, "chroot"),
    (Capability::SysModule, "delete_module finit_module init_module"),
    (Capability::SysNice, "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
    (Capability::SysPacct, "acct"),
    (Capability::SysPtrace, "kcmp pidfd_getfd process_madvise"),
    (Capability::SysRawio, "ioperm iopl"),
    (Capability::SysTime, "clock_adjtime clock_settime settimeofday stime"),
    (Capability::SysTtyConfig, "vhangup"),
    (Capability::Syslog, "syslog"),
];
