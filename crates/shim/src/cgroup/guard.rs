//! On v2, devices are guarded by a program that the kernel asks at every access (cgroup-v2.rst, "Device controller"):
//! made from the rules ([`program`], pure), loaded, and tied to the cgroup ([`set`]).

use std::fs::File;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use super::devices::{Kind, Rule};

/// One instruction of the kernel's machine (linux/bpf.h, struct bpf_insn).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instruction {
    code: u8,
    /// The destination below, the source above.
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// Codes of instructions (Documentation/bpf/standardization/instruction-set.rst).
const LOAD_WORD: u8 = 0x61;
const MOVE: u8 = 0xb7;
const MOVE_REGISTER: u8 = 0xbf;
const AND: u8 = 0x57;
const SHIFT_RIGHT: u8 = 0x77;
const JUMP: u8 = 0x05;
const JUMP_NOT_EQUAL: u8 = 0x55;
const JUMP_ANY_BIT: u8 = 0x45;
const EXIT: u8 = 0x95;

/// What is asked about comes as struct bpf_cgroup_dev_ctx: access above and kind below in one word, then the numbers.
const ANSWER: u8 = 0;
const CONTEXT: u8 = 1;
const KIND: u8 = 2;
/// The accesses that nothing has decided about yet.
const OPEN: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

/// From the last rule to the first: what is denied ends it, what is allowed is no more in question.
fn program(rules: &[Rule]) -> Vec<Instruction> {
    let mut code = vec![
        load(KIND, 0),
        Instruction { registers: KIND << 4 | OPEN, ..one(MOVE_REGISTER, OPEN, 0) },
        one(AND, KIND, 0xffff),
        one(SHIFT_RIGHT, OPEN, 16),
        load(MAJOR, 4),
        load(MINOR, 8),
    ];
    for rule in rules.iter().rev() {
        let kind = rule.kind.map(|kind| if kind == Kind::Block { 1 } else { 2 });
        let conditions = [(KIND, kind), (MAJOR, rule.major), (MINOR, rule.minor)];
        let conditions: Vec<_> = conditions
            .into_iter()
            .filter_map(|(register, value)| Some((register, value?.cast_signed())))
            .collect();
        let verdict = if rule.allow { allow(rule.access) } else { deny(rule.access) };
        for (number, (register, value)) in conditions.iter().enumerate() {
            let rest = conditions.len() - number - 1 + verdict.len();
            code.push(jump(JUMP_NOT_EQUAL, *register, *value, rest));
        }
        code.extend(verdict);
    }
    // Nobody speaks of it.
    code.extend(answer(true));
    code
}

fn allow(access: u8) -> Vec<Instruction> {
    let mut code = vec![one(AND, OPEN, i32::from(!access & 7)), jump(JUMP_NOT_EQUAL, OPEN, 0, 2)];
    code.extend(answer(true));
    code
}

fn deny(access: u8) -> Vec<Instruction> {
    let mut code = vec![jump(JUMP_ANY_BIT, OPEN, i32::from(access), 1), jump(JUMP, 0, 0, 2)];
    code.extend(answer(false));
    code
}

fn answer(yes: bool) -> [Instruction; 2] {
    [one(MOVE, ANSWER, i32::from(yes)), one(EXIT, 0, 0)]
}

fn one(code: u8, register: u8, immediate: i32) -> Instruction {
    Instruction { code, registers: register, offset: 0, immediate }
}

fn load(register: u8, offset: i16) -> Instruction {
    Instruction { code: LOAD_WORD, registers: CONTEXT << 4 | register, offset, immediate: 0 }
}

fn jump(code: u8, register: u8, value: i32, over: usize) -> Instruction {
    let offset = i16::try_from(over).expect("a rule is seven instructions at most");
    Instruction { offset, ..one(code, register, value) }
}

/// Guards the devices of everything in the cgroup at `dir`, and below it, beside the programs that are there.
pub fn set(dir: &Path, rules: &[Rule]) -> io::Result<()> {
    let cgroup = File::open(dir)?;
    let program = load_program(&program(rules))?;
    let attach = Attach {
        target: cgroup.as_raw_fd().cast_unsigned(),
        program: program.as_raw_fd().cast_unsigned(),
        kind: BPF_CGROUP_DEVICE,
        flags: BPF_F_ALLOW_MULTI,
    };
    // It stays with the cgroup, and goes with it.
    bpf(BPF_PROG_ATTACH, &attach).map(drop)
}

const BPF_PROG_LOAD: i32 = 5;
const BPF_PROG_ATTACH: i32 = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 2;

/// The part of union bpf_attr that loading a program needs.
#[repr(C)]
struct Load {
    kind: u32,
    length: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
}

#[repr(C)]
struct Attach {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

fn load_program(program: &[Instruction]) -> io::Result<OwnedFd> {
    let attributes = Load {
        kind: BPF_PROG_TYPE_CGROUP_DEVICE,
        length: u32::try_from(program.len()).map_err(io::Error::other)?,
        instructions: program.as_ptr().addr() as u64,
        license: c"Apache-2.0".as_ptr().addr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
    };
    let fd = bpf(BPF_PROG_LOAD, &attributes)?;
    // SAFETY: a new descriptor, which nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn bpf<T>(command: i32, attributes: &T) -> io::Result<i32> {
    // SAFETY: `attributes` has the layout that the command reads, and says of which size it is; what it points to
    // lives until the call is over.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

#[cfg(test)]
mod tests;
