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
    fn times_get_coarser() {
        let texts = [0, 119, 120, 7199, 7200, 172_800].map(|s| ago(0, s * 1000));
        assert_eq!(texts, ["0 s ago", "119 s ago", "2 min ago", "119 min ago", "2 h ago", "2 d ago"]);
        assert_eq!(ago(5, 1), "0 s ago");
    }
}
