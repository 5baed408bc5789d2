//! Text of others, made safe for a single line of a log.

/// Up to 300 characters of `text`, without those that break a line, control a terminal or reorder
/// the displayed text.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .filter(|c| !is_invisible(*c))
        .map(|c| match c {
            '\u{2028}' | '\u{2029}' => ' ',
            c if c.is_control() => ' ',
            c => c,
        })
        .take(300)
        .collect()
}

/// Whether a character only affects its neighbours: marks, embeddings, overrides and isolates of
/// the bidirectional algorithm, joiners, tags, a byte order mark.
///
/// [UAX #9 section 2](https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters)
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}
