//! Rows in aligned columns, fitted to the terminal.

use super::clean::Clean;
use super::fold;

/// The blanks between two columns.
const GAP: u16 = 2;
/// A word of a name or a path that is longer than this may be broken in a narrow column.
const SHORT_WORD: usize = 20;
/// The longest SID of a domain has 55 characters.
const LONGEST_SID: usize = 55;

/// The columns of a longer cell's lines before the table is laid out, which takes the square of their number in time.
const PIECE: u16 = 1_000;
/// A cell that is wider than this does not push the columns after it aside in all other rows, unless the table is folded.
const WIDEST: usize = 500;

/// The rows of a table that is not folded, each with its cells under the headers. The lines are made one by one: together they may
/// take a multiple of the cells.
pub(super) fn unfolded<'a>(
    headers: &'a [&str],
    rows: &'a [Vec<Clean>],
) -> impl Iterator<Item = String> + 'a {
    let fits = |width: &usize| *width <= WIDEST;
    let widths: Vec<usize> = headers
        .iter()
        .enumerate()
        .map(|(index, header)| {
            let cells = rows.iter().filter_map(|row| row.get(index));
            let cells = cells.map(|cell| fold::columns(cell.as_str()));
            cells.filter(fits).max().unwrap_or(0).max(header.len())
        })
        .collect();
    let line = move |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (cell, width) in cells.zip(&widths) {
            line.push_str(cell);
            let left = width.saturating_sub(fold::columns(cell));
            line.extend(std::iter::repeat_n(' ', left.saturating_add(GAP.into())));
        }
        line.truncate(line.trim_end().len());
        line
    };
    let first = line(&mut headers.iter().copied());
    let rows = rows
        .iter()
        .map(move |row| line(&mut row.iter().map(Clean::as_str)));
    std::iter::once(first).chain(rows)
}

/// The lines of a table that is folded to this width: headers, then rows; `None` when the terminal is too narrow for it.
pub(super) fn lines(
    headers: &[&str],
    rows: &[Vec<Clean>],
    width: u16,
    bold: bool,
) -> Option<Vec<String>> {
    let narrowest = narrowest(headers, rows);
    if narrowest.iter().map(|column| column + GAP).sum::<u16>() > width {
        return None;
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table
        .set_content_arrangement(comfy_table::ContentArrangement::Dynamic)
        .set_width(width);
    if bold {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(headers.iter().map(|header| {
        let cell = comfy_table::Cell::new(header);
        if bold {
            cell.add_attribute(comfy_table::Attribute::Bold)
        } else {
            cell
        }
    }));
    for row in rows {
        let cells = row.iter();
        table.add_row(cells.map(|cell| fold::lines(cell, Some(PIECE), 0).join("\n")));
    }
    for (column, narrowest) in table.column_iter_mut().zip(narrowest) {
        column.set_padding((0, GAP));
        column.set_constraint(comfy_table::ColumnConstraint::LowerBoundary(
            comfy_table::Width::Fixed(narrowest + GAP),
        ));
    }
    let text = table.to_string();
    Some(
        text.lines()
            .map(|line| line.trim_end().to_owned())
            .collect(),
    )
}

/// For each column the width under which a header, a short word, a GUID or a SID would be broken: in pieces, none of them can be
/// copied.
fn narrowest(headers: &[&str], rows: &[Vec<Clean>]) -> Vec<u16> {
    let longest = |text: &str| {
        let words = text.split_whitespace().map(|word| {
            let length = word.chars().count();
            let whole =
                (word.starts_with('{') || word.starts_with("S-1-")) && length <= LONGEST_SID;
            if whole {
                length
            } else {
                length.min(SHORT_WORD)
            }
        });
        words.max()
    };
    let column = |index: usize, header: &str| {
        let cells = rows.iter().filter_map(|row| row.get(index));
        let widest = cells.filter_map(|cell| longest(cell.as_str())).max();
        widest.unwrap_or(0).max(header.len())
    };
    headers
        .iter()
        .enumerate()
        .map(|(index, header)| u16::try_from(column(index, header)).unwrap_or(u16::MAX))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(cells: &[&[&str]]) -> Vec<Vec<Clean>> {
        cells
            .iter()
            .map(|row| row.iter().map(|cell| Clean::new(cell)).collect())
            .collect()
    }

    #[test]
    fn guids_and_sids_stay_whole_and_long_names_are_folded() {
        let sid = format!("S-1-5-21-{}-1-2", "9".repeat(30));
        let path = "x".repeat(80);
        let rows = rows(&[&[&format!("two {sid}"), &path], &["a"]]);
        assert_eq!(narrowest(&["ONE", "PATH", "THREE"], &rows), [43, 20, 5]);
        let lines = lines(&["ONE", "PATH"], &rows, 80, false).unwrap();
        assert!(lines.iter().any(|line| line.contains(&sid)), "{lines:#?}");
        assert!(
            lines.iter().all(|line| line.chars().count() <= 80),
            "{lines:#?}"
        );
    }

    #[test]
    fn a_name_of_255_characters_costs_the_others_nothing() {
        let guid = "{31B2F340-016D-11D2-945F-00C04FB984F9}";
        let name = "ü".repeat(255);
        let rows = rows(&[&["Default Domain Policy", guid], &[&name, guid]]);
        let lines = lines(&["NAME", "GUID"], &rows, 80, false).unwrap();
        let row = "Default Domain Policy  ";
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with(row) && line.ends_with(guid)),
            "{lines:#?}"
        );
        assert!(super::lines(&["NAME", "GUID"], &rows, 40, false).is_none());
    }

    /// One cell of half a million characters took minutes.
    #[test]
    fn a_cell_of_many_words_is_laid_out_in_pieces() {
        let words = "word ".repeat(100_000);
        let rows = rows(&[&[words.trim_end(), "x"]]);
        let lines = lines(&["NAME", "SECOND"], &rows, 80, false).unwrap();
        let found: usize = lines.iter().map(|line| line.matches("word").count()).sum();
        assert_eq!(found, 100_000);
        assert!(lines.iter().all(|line| line.chars().count() <= 80));
    }

    /// A list of a hundred thousand SIDs took the square of its length in time, and pushed the last column of all rows aside.
    #[test]
    fn a_wide_cell_is_one_line_that_costs_the_others_nothing() {
        let wide = "S-1-5-21-1-2-3-1104,".repeat(100_000);
        let mut cells: Vec<&[&str]> = vec![&["short", "x"]; 2_000];
        let one: &[&str] = &[&wide, "x"];
        cells.push(one);
        let rows = rows(&cells);
        let mut longest = Vec::new();
        let held = allocation_counter::measure(|| {
            longest = unfolded(&["NAME", "SECOND"], &rows)
                .map(|line| line.len())
                .collect();
        })
        .bytes_max;
        assert_eq!((longest.len(), longest[1]), (2_002, "short  x".len()));
        assert_eq!(longest[2_001], wide.len() + "  x".len());
        assert!(held < 10 << 20, "{held}");
    }

    #[test]
    fn without_a_terminal_nothing_is_folded() {
        let rows = rows(&[&["a b c", "x"], &["d", ""]]);
        assert_eq!(
            unfolded(&["NAME", "SECOND"], &rows).collect::<Vec<_>>(),
            ["NAME   SECOND", "a b c  x", "d"]
        );
    }
}
