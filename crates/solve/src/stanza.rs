//! Fields of one stanza of a Packages index, without copying.
//!
//! An index holds more than a million fields of which a universe needs eight; so nothing is collected
//! here, and a field that nobody asks for costs the search for its end.

use memchr::memchr;

/// Fields of a stanza in order. A line that is no field is given as `Err`.
pub(crate) fn fields(stanza: &str) -> impl Iterator<Item = Result<(&str, &str), &str>> {
    let mut rest = stanza;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = end_of_field(rest.as_bytes());
        let field = rest.get(..end)?;
        rest = rest.get(end + 1..).unwrap_or_default();
        Some(split(field).ok_or(field))
    })
}

/// The value of a field, looked up without regard to case (deb822).
pub(crate) fn field<'a>(stanza: &'a str, name: &str) -> Option<&'a str> {
    fields(stanza).flatten().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn split(field: &str) -> Option<(&str, &str)> {
    let colon = memchr(b':', field.as_bytes())?;
    let name = &field[..colon];
    let valid =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic()) && !name.starts_with(['-', '#']);
    valid.then(|| (name, field[colon + 1..].trim_ascii()))
}

/// Where the field at the start of the text ends: at a line feed that no continuation line follows.
fn end_of_field(text: &[u8]) -> usize {
    let mut from = 0;
    while let Some(at) = memchr(b'\n', &text[from..]) {
        let line_feed = from + at;
        if !matches!(text.get(line_feed + 1), Some(b' ' | b'\t')) {
            return line_feed;
        }
        from = line_feed + 1;
    }
    text.len()
}

/// Byte ranges of the stanzas of a text: what lies between empty lines.
pub(crate) fn stanzas(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let bytes = text.as_bytes();
    let separator = memchr::memmem::Finder::new("\n\n");
    let mut at = 0;
    std::iter::from_fn(move || {
        while bytes.get(at) == Some(&b'\n') {
            at += 1;
        }
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let start = at;
        let end = separator.find(rest).map_or(bytes.len(), |found| start + found);
        at = end + 1;
        Some((start, end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_with_continuation_lines_is_one_field() {
        let text = "Package: a\nDepends: b,\n c\nVersion: 1";
        let found: Vec<_> = fields(text).collect();
        assert_eq!(found, [Ok(("Package", "a")), Ok(("Depends", "b,\n c")), Ok(("Version", "1"))]);
        assert_eq!(field(text, "version"), Some("1"));
    }

    #[test]
    fn stanzas_are_separated_by_any_number_of_empty_lines() {
        let text = "\n\nA: 1\nB: 2\n\n\nA: 3";
        let found: Vec<_> = stanzas(text).map(|(start, end)| &text[start..end]).collect();
        assert_eq!(found, ["A: 1\nB: 2", "A: 3"]);
    }

    #[test]
    fn a_line_that_is_no_field_is_reported() {
        assert_eq!(fields("Package: a\nnonsense\n").collect::<Vec<_>>()[1], Err("nonsense"));
    }
}
