//! Tables and times for people.

use comfy_table::{ContentArrangement, Table, presets};

/// Columns are aligned by spaces alone, so that other programs can cut them; a terminal's width
/// isn't exceeded where there is one.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// `12 s ago`, `3 min ago`, `5 h ago`, `2 d ago`.
pub fn ago(at_ms: u64, now_ms: u64) -> String {
    let seconds = now_ms.saturating_sub(at_ms) / 1000;
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7200 => format!("{} min ago", seconds / 60),
        7200..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// A time that has passed, in two units at most: `480 ms`, `12.3 s`, `4 min 10 s`, `5 h 2 min`, `3 d 4 h`.
pub fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    let two = |of: u64, unit: &str, rest: u64, smaller: &str| match rest {
        0 => format!("{of} {unit}"),
        rest => format!("{of} {unit} {rest} {smaller}"),
    };
    match seconds {
        0 => format!("{ms} ms"),
        1..60 if ms.is_multiple_of(1000) => format!("{seconds} s"),
        1..60 => format!("{}.{} s", seconds, ms % 1000 / 100),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_where_their_text_does() {
        let row = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        insta::assert_snapshot!(table(&["TASK", "STATUS"], [row("3f2a", "RUNNING"), row("a", "")]), @r"
        TASK  STATUS
        3f2a  RUNNING
        a
        ");
    }

    #[test]
    fn spans() {
        let of = [0, 480, 1000, 12_345, 60_000, 250_000, 18_120_000, 273_600_000].map(span);
        assert_eq!(of, ["0 ms", "480 ms", "1 s", "12.3 s", "1 min", "4 min 10 s", "5 h 2 min", "3 d 4 h"]);
    }

    #[test]
    fn times_get_coarser() {
        let texts = [0, 119, 120, 7199, 7200, 172_800].map(|s| ago(0, s * 1000));
        assert_eq!(texts, ["0 s ago", "119 s ago", "2 min ago", "119 min ago", "2 h ago", "2 d ago"]);
        assert_eq!(ago(5, 1), "0 s ago");
    }
}
