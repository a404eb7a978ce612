//! Stanzas of fields (deb822(5)), borrowed from the text they are read from.

use std::borrow::Cow;

use memchr::memchr;

/// More fields than any real stanza has; beyond, looking for duplicates would take forever.
const MOST_FIELDS: usize = 1000;

/// A paragraph of fields.
#[derive(Debug, Clone, Default)]
pub struct Stanza<'a> {
    fields: Vec<(&'a str, &'a str)>,
    line: usize,
}

/// What is wrong, and in which line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ControlError {
    /// Line, counted from 1.
    pub line: usize,
    /// In words.
    pub problem: String,
}

impl<'a> Stanza<'a> {
    /// Value of a field, whatever the case of its name. Surrounding blanks are removed; continuation lines
    /// are as in the file, each with the newline before it and its leading blank.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// Fields in order.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        self.fields.iter().copied()
    }

    /// Line of the first field, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }
}

/// The stanzas of `text`, separated by lines with nothing or only blanks in them. Lines that start with `#`
/// are comments where they stand between fields; for those within a field see [`without_comments`].
/// After an error the rest of that stanza is passed over, and the next one is read.
pub fn stanzas(text: &str) -> impl Iterator<Item = Result<Stanza<'_>, ControlError>> {
    Stanzas { text, at: 0, line: 0 }
}

struct Stanzas<'a> {
    text: &'a str,
    at: usize,
    /// Number of lines before `at`.
    line: usize,
}

/// A field whose value may go on in the next line.
struct OpenField<'a> {
    name: &'a str,
    value: std::ops::Range<usize>,
    /// Whether a comment stands after it.
    commented: bool,
}

impl<'a> Iterator for Stanzas<'a> {
    type Item = Result<Stanza<'a>, ControlError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.stanza() {
            Ok(stanza) if stanza.fields.is_empty() => None,
            Ok(stanza) => Some(Ok(stanza)),
            Err(problem) => {
                let line = self.line;
                while self.next_line().is_some_and(|(start, end)| !self.is_blank(start, end)) {}
                Some(Err(ControlError { line, problem }))
            }
        }
    }
}

impl<'a> Stanzas<'a> {
    /// The next stanza, without fields at the end of the text.
    fn stanza(&mut self) -> Result<Stanza<'a>, String> {
        let mut stanza = Stanza { fields: Vec::new(), line: self.line + 1 };
        let mut open: Option<OpenField<'a>> = None;
        while let Some((start, end)) = self.next_line() {
            match self.text.as_bytes()[start] {
                b' ' | b'\t' | b'\r' | b'\n' if self.is_blank(start, end) => {
                    if open.is_some() {
                        break;
                    }
                }
                b' ' | b'\t' => match &mut open {
                    Some(field) if field.commented => {
                        return Err(format!("a comment stands in the middle of the field {}", field.name));
                    }
                    Some(field) => field.value.end = end,
                    None => return Err("a continuation line has no field before it".to_owned()),
                },
                b'#' => open.iter_mut().for_each(|field| field.commented = true),
                _ => {
                    match open.take() {
                        None => {
                            stanza.line = self.line;
                            stanza.fields.reserve(24);
                        }
                        Some(field) => stanza.push(self.text, &field),
                    }
                    open = Some(self.field(&stanza, start, end)?);
                }
            }
        }
        if let Some(field) = open {
            stanza.push(self.text, &field);
        }
        Ok(stanza)
    }

    /// The field that starts in the line.
    fn field(&self, stanza: &Stanza<'a>, start: usize, end: usize) -> Result<OpenField<'a>, String> {
        let line = &self.text[start..end];
        let colon = memchr(b':', line.as_bytes())
            .ok_or_else(|| format!("{:?} has no colon after a field name", shortened(line)))?;
        let name = line[..colon].trim_end_matches(BLANKS);
        if name.is_empty() || name.starts_with('-') || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("{:?} is no field name", shortened(name)));
        }
        if stanza.fields.iter().any(|(earlier, _)| earlier.eq_ignore_ascii_case(name)) {
            return Err(format!("the field {name} is there twice"));
        }
        if stanza.fields.len() == MOST_FIELDS {
            return Err(format!("there are more than {MOST_FIELDS} fields"));
        }
        Ok(OpenField { name, value: start + colon + 1..end, commented: false })
    }

    /// Where the next line starts and ends, its newline included.
    fn next_line(&mut self) -> Option<(usize, usize)> {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        if rest.is_empty() {
            return None;
        }
        self.at = memchr(b'\n', rest).map_or(self.text.len(), |newline| start + newline + 1);
        self.line += 1;
        Some((start, self.at))
    }

    fn is_blank(&self, start: usize, end: usize) -> bool {
        self.text.as_bytes()[start..end].iter().all(u8::is_ascii_whitespace)
    }
}

impl<'a> Stanza<'a> {
    fn push(&mut self, text: &'a str, field: &OpenField<'a>) {
        self.fields.push((field.name, text[field.value.clone()].trim_matches(BLANKS)));
    }
}

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// The start of a line, for messages.
fn shortened(line: &str) -> &str {
    let line = line.trim_end();
    line.char_indices().nth(60).map_or(line, |(end, _)| &line[..end])
}

/// `text` without comment lines, for debian/control, where they may stand within a field.
pub fn without_comments(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.starts_with('#')).collect()
}

/// The body of a cleartext-signed document, or `text` itself when it is not signed. Dash escapes are undone
/// (RFC 9580, 7.2). This does not verify anything.
pub fn strip_signature(text: &str) -> Cow<'_, str> {
    const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
    let signed = text.trim_start_matches(BLANKS);
    if !signed.starts_with(BEGIN) {
        return text.into();
    }
    let mut body = String::with_capacity(signed.len());
    let mut lines = signed.lines().skip(1).skip_while(|line| !line.trim().is_empty());
    lines.next();
    for line in lines.take_while(|line| !line.starts_with("-----BEGIN PGP SIGNATURE-----")) {
        body.push_str(line.strip_prefix("- ").unwrap_or(line));
        body.push('\n');
    }
    body.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Result<Vec<(&str, &str)>, String>> {
        let read = stanzas(text);
        read.map(|stanza| stanza.map(|s| s.fields().collect()).map_err(|e| e.to_string())).collect()
    }

    fn error(text: &str) -> String {
        stanzas(text).find_map(Result::err).unwrap().to_string()
    }

    #[test]
    fn fields_keep_order_and_are_found_in_any_case() {
        let stanza = stanzas("Package: dash\nVersion:0.5\n").next().unwrap().unwrap();
        assert_eq!(stanza.fields().collect::<Vec<_>>(), [("Package", "dash"), ("Version", "0.5")]);
        assert_eq!(stanza.get("PACKAGE"), Some("dash"));
        assert_eq!(stanza.get("Pack"), None);
    }

    #[test]
    fn continuation_lines_are_kept_as_they_are() {
        let text = "Description: short\n long\n .\n\tmore: text\nSize: 1";
        assert_eq!(read(text), [Ok(vec![("Description", "short\n long\n .\n\tmore: text"), ("Size", "1")])]);
    }

    #[test]
    fn a_value_may_start_in_the_next_line_or_be_empty() {
        assert_eq!(read("Files:\n a\n b\nEmpty:\n"), [Ok(vec![("Files", "a\n b"), ("Empty", "")])]);
    }

    #[test]
    fn lines_of_blanks_separate_like_empty_ones() {
        let expected = [Ok(vec![("A", "1")]), Ok(vec![("B", "2")]), Ok(vec![("C", "3")])];
        assert_eq!(read("\n\n \nA: 1\n\n\nB: 2\n \t\nC: 3\n\n"), expected);
    }

    #[test]
    fn dos_line_ends_are_accepted() {
        let stanza = stanzas("A: 1\r\nB:\r\n x\r\n y\r\n\r\nC: 3\r\n");
        let stanzas: Vec<Stanza> = stanza.map(Result::unwrap).collect();
        assert_eq!(stanzas[0].get("A"), Some("1"));
        assert_eq!(stanzas[0].get("B").unwrap().lines().map(str::trim).collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!((stanzas[1].get("C"), stanzas[1].line()), (Some("3"), 6));
    }

    #[test]
    fn comments_stand_between_fields() {
        let text = "# head\nA: 1\n# between\nB: 2\n# after\n\n# alone\n\n#x\nC: 3\n";
        assert_eq!(read(text), [Ok(vec![("A", "1"), ("B", "2")]), Ok(vec![("C", "3")])]);
    }

    #[test]
    fn a_comment_in_a_field_must_be_removed_first() {
        let text = "A: 1,\n# why\n 2\n";
        assert_eq!(error(text), "line 3: a comment stands in the middle of the field A");
        assert_eq!(read(&without_comments(text)), [Ok(vec![("A", "1,\n 2")])]);
    }

    #[test]
    fn errors_name_the_line_and_the_next_stanza_is_read() {
        let text = "A: 1\nno field here\nB: 2\n\nC: 3\n";
        let missing = "line 2: \"no field here\" has no colon after a field name".to_owned();
        assert_eq!(read(text), [Err(missing), Ok(vec![("C", "3")])]);
        assert_eq!(error("A: 1\nB: 2\na: 3\n"), "line 3: the field a is there twice");
        assert_eq!(error("\n : 1\n"), "line 2: a continuation line has no field before it");
        assert_eq!(error(": 1\n"), "line 1: \"\" is no field name");
        assert_eq!(error("Größe: 1\n"), "line 1: \"Größe\" is no field name");
        assert_eq!(error("-A: 1\n"), "line 1: \"-A\" is no field name");
    }

    #[test]
    fn a_blank_before_the_colon_is_accepted_as_dpkg_does() {
        assert_eq!(read("A : 1\n"), [Ok(vec![("A", "1")])]);
        assert_eq!(error("A B: 1\n"), "line 1: \"A B\" is no field name");
    }

    #[test]
    fn a_flood_of_fields_is_refused() {
        let text: Vec<String> = (0..=MOST_FIELDS).map(|number| format!("F{number}: x\n")).collect();
        let text = text.concat();
        assert_eq!(error(&text), "line 1001: there are more than 1000 fields");
    }

    #[test]
    fn armor_is_stripped_and_dashes_unescaped() {
        let text = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nA: 1\n- - x: y\nB: 2\n\
                    -----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n";
        assert_eq!(strip_signature(text), "A: 1\n- x: y\nB: 2\n");
        assert_eq!(strip_signature("A: 1\n"), "A: 1\n");
    }
}
