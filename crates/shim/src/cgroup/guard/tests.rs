use std::process::Command;

use proptest::prelude::*;

use super::super::devices::{MKNOD, READ, WRITE};
use super::*;

/// One access to a device, as the kernel asks about it.
#[derive(Clone, Copy, Debug)]
struct Question {
    kind: Kind,
    major: u32,
    minor: u32,
    access: u8,
}

/// What the rules mean, without any machine: each access by the last rule that speaks of it.
fn decide(rules: &[Rule], asked: Question) -> bool {
    let speaks = |rule: &Rule, bit: u8| {
        rule.kind.is_none_or(|kind| kind == asked.kind)
            && rule.major.is_none_or(|major| major == asked.major)
            && rule.minor.is_none_or(|minor| minor == asked.minor)
            && rule.access & bit != 0
    };
    [MKNOD, READ, WRITE]
        .into_iter()
        .filter(|bit| asked.access & bit != 0)
        .all(|bit| rules.iter().rev().find(|rule| speaks(rule, bit)).is_none_or(|rule| rule.allow))
}

/// The kernel's machine, as far as a program here uses it.
fn run(program: &[Instruction], asked: Question) -> bool {
    let kind = if asked.kind == Kind::Block { 1 } else { 2 };
    let context = [u32::from(asked.access) << 16 | kind, asked.major, asked.minor];
    let mut registers = [0u64; 6];
    let mut at = 0usize;
    loop {
        let Instruction { code, registers: named, offset, immediate } = program[at];
        let (to, from) = (usize::from(named & 15), usize::from(named >> 4));
        let value = u64::from(immediate.cast_unsigned());
        let taken = match code {
            EXIT => return registers[0] != 0,
            JUMP => true,
            JUMP_NOT_EQUAL => registers[to] != value,
            JUMP_ANY_BIT => registers[to] & value != 0,
            _ => false,
        };
        match code {
            LOAD_WORD => registers[to] = u64::from(context[usize::try_from(offset).unwrap() / 4]),
            MOVE => registers[to] = value,
            MOVE_REGISTER => registers[to] = registers[from],
            AND => registers[to] &= value,
            SHIFT_RIGHT => registers[to] >>= value,
            _ => {}
        }
        at += 1 + if taken { usize::try_from(offset).unwrap() } else { 0 };
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Block), Just(Kind::Character)]
}

prop_compose! {
    fn rule()(allow: bool, kind in proptest::option::of(kind()), major in proptest::option::of(0u32..3),
              minor in proptest::option::of(0u32..3), access in 1u8..8) -> Rule {
        Rule { allow, kind, major, minor, access }
    }
}

proptest! {
    #[test]
    fn the_program_says_what_the_rules_say(
        rules in proptest::collection::vec(rule(), 0..8), kind in kind(), major in 0u32..3, minor in 0u32..3,
        access in 1u8..8,
    ) {
        let asked = Question { kind, major, minor, access };
        prop_assert_eq!(run(&program(&rules), asked), decide(&rules, asked), "{:?}", asked);
    }
}

/// A cgroup of version 2, wherever the machine has its hierarchy.
struct Place(std::path::PathBuf);

impl Place {
    fn new() -> Option<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let root =
            mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"))?.split(' ').nth(1)?;
        let dir = Path::new(root).join(format!("longshore-guard-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        Some(Self(dir))
    }

    /// Which of the paths a process in it can open.
    fn opened(&self, paths: &[&str]) -> Vec<bool> {
        let script = r#"echo $$ > "$0/cgroup.procs"; for path; do (: < "$path") 2> /dev/null; echo $?; done"#;
        let output = Command::new("sh").arg("-c").arg(script).arg(&self.0).args(paths).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().map(|line| line == "0").collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn the_kernel_takes_it_and_asks_it() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not root: not tried in the kernel");
        return;
    }
    let Some(place) = Place::new() else {
        eprintln!("no cgroup of version 2 is mounted: not tried in the kernel");
        return;
    };
    let paths = ["/dev/null", "/dev/zero", "/dev/kmsg", "/dev/urandom"];
    assert_eq!(place.opened(&paths), [true; 4], "before there is a program");
    let all = Rule { allow: false, kind: None, major: None, minor: None, access: MKNOD | READ | WRITE };
    let only = |minor, access| Rule {
        allow: true,
        kind: Some(Kind::Character),
        major: Some(1),
        minor: Some(minor),
        access,
    };
    set(&place.0, &[all, only(3, READ | WRITE), only(5, READ), only(9, WRITE)]).unwrap();
    assert_eq!(place.opened(&paths), [true, true, false, false]);
    // Of two programs each must say yes.
    set(&place.0, &[Rule { allow: false, ..only(5, READ) }]).unwrap();
    assert_eq!(place.opened(&paths), [true, false, false, false]);
}
