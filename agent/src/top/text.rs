//! Text in terminal cells: wide characters take two.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Cells that `text` takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` if it fits into `cells`, else its beginning and `ellipsis` (one cell).
pub fn cut(text: &str, cells: usize, ellipsis: &str) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let Some(room) = cells.checked_sub(1) else {
        return String::new();
    };
    let mut used = 0;
    let fits = |letter: &char| {
        used += letter.width().unwrap_or(0);
        used <= room
    };
    let mut kept: String = text.chars().take_while(fits).collect();
    kept.push_str(ellipsis);
    kept
}

/// `text` if it fits into `cells`, else its beginning and end around `ellipsis`, with all of the
/// port of an address: half a port is another port.
pub fn cut_middle(text: &str, cells: usize, ellipsis: &str) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let Some(room) = cells.checked_sub(1) else {
        return String::new();
    };
    let port = text.rsplit(':').next().map_or(0, |port| port.len() + 1);
    let end = (room / 2).max(port).min(room);
    let head = cut(text, room - end + 1, ellipsis);
    let skipped = text.chars().count().saturating_sub(end);
    head.chars().chain(text.chars().skip(skipped)).collect()
}

/// `text` in at most `lines` lines of `cells`, broken between words; what does not fit ends in
/// `ellipsis`.
pub fn wrap(text: &str, cells: usize, lines: usize, ellipsis: &str) -> Vec<String> {
    let mut wrapped: Vec<String> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && wrapped.len() < lines {
        if wrapped.len() + 1 == lines || width(rest) <= cells {
            wrapped.push(cut(rest, cells, ellipsis));
            break;
        }
        let mut used = 0;
        let mut end = 0;
        for (at, letter) in rest.char_indices() {
            used += letter.width().unwrap_or(0);
            if letter == ' ' {
                end = at;
            }
            if used > cells {
                break;
            }
        }
        if end == 0 {
            wrapped.push(cut(rest, cells, ellipsis));
            break;
        }
        let (line, after) = rest.split_at(end);
        wrapped.push(line.to_owned());
        rest = after.trim_start();
    }
    wrapped
}

/// `text` in exactly `cells`, on the left or on the right.
pub fn pad(text: &str, cells: usize, right: bool) -> String {
    let space = " ".repeat(cells.saturating_sub(width(text)));
    if right {
        space + text
    } else {
        text.to_owned() + &space
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_are_never_cut_in_half() {
        assert_eq!(cut("数据库服务", 10, "~"), "数据库服务");
        assert_eq!(cut("数据库服务", 8, "~"), "数据库~");
        assert_eq!(cut("数据库服务", 7, "~"), "数据库~");
        assert_eq!(cut("abc", 0, "~"), "");
        for cells in 0..12 {
            assert!(width(&cut("a数b据c库", cells, "…")) <= cells);
        }
    }

    #[test]
    fn addresses_keep_their_ports() {
        assert_eq!(cut_middle("[fd00:1::2]:40000", 12, "~"), "[fd00~:40000");
        assert_eq!(cut_middle("127.0.0.1:10991", 9, "~"), "12~:10991");
        assert_eq!(cut_middle("10.0.0.1:80", 11, "~"), "10.0.0.1:80");
        for cells in 0..20 {
            assert!(width(&cut_middle("[fd00:1::2]:40000", cells, "~")) <= cells);
        }
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 7, 2, "~"), ["one two", "three"]);
        assert_eq!(wrap("one two three", 7, 1, "~"), ["one tw~"]);
        assert_eq!(
            wrap("one two three four", 7, 2, "~"),
            ["one two", "three ~"]
        );
        assert_eq!(wrap("unbreakable", 5, 2, "~"), ["unbr~"]);
        assert_eq!(wrap("fits", 9, 2, "~"), ["fits"]);
        assert!(wrap("none", 9, 0, "~").is_empty());
        for cells in 0..20 {
            for line in wrap("数据 库服务 abc de 务", cells, 3, "~") {
                assert!(width(&line) <= cells, "{line}");
            }
        }
    }

    #[test]
    fn padding_counts_cells() {
        assert_eq!(pad("数", 4, true), "  数");
        assert_eq!(pad("ab", 4, false), "ab  ");
        assert_eq!(pad("abcdef", 4, false), "abcdef");
    }
}
