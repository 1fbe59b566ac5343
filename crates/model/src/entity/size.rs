use serde::{Deserialize, Serialize};
use std::ops::{Add, AddAssign, Sub, SubAssign};

/// Processor and memory, of a task or of a machine. Signed, because an instance that registers
/// again with less than its tasks hold has a negative remainder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Size {
    /// CPU units: 1024 make one virtual CPU.
    pub cpu: i64,
    pub memory_mib: i64,
}

impl Size {
    pub fn new(cpu: i64, memory_mib: i64) -> Self {
        Self { cpu, memory_mib }
    }

    pub fn fits_in(self, room: Size) -> bool {
        self.cpu <= room.cpu && self.memory_mib <= room.memory_mib
    }
}

impl Add for Size {
    type Output = Size;
    fn add(self, other: Size) -> Size {
        Size { cpu: self.cpu + other.cpu, memory_mib: self.memory_mib + other.memory_mib }
    }
}

impl Sub for Size {
    type Output = Size;
    fn sub(self, other: Size) -> Size {
        Size { cpu: self.cpu - other.cpu, memory_mib: self.memory_mib - other.memory_mib }
    }
}

impl AddAssign for Size {
    fn add_assign(&mut self, other: Size) {
        *self = *self + other;
    }
}

impl SubAssign for Size {
    fn sub_assign(&mut self, other: Size) {
        *self = *self - other;
    }
}
