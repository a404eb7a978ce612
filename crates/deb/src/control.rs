//! Stanzas of fields (deb822(5)), borrowed from the text they are read from.

use memchr::{memchr, memmem};

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
    /// Value of a field, surrounding blanks removed; continuation lines are as in the file, each with the
    /// newline before it and its leading blank.
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

/// The stanzas of `text`. Lines that start with `#` are comments. After an error the rest of that
/// stanza is passed over, and the next one is read.
pub fn stanzas(text: &str) -> impl Iterator<Item = Result<Stanza<'_>, ControlError>> {
    Stanzas { rest: text, line: 1 }
}

struct Stanzas<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Iterator for Stanzas<'a> {
    type Item = Result<Stanza<'a>, ControlError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let (block, line) = self.block();
            match parse(block, line) {
                Ok(stanza) if stanza.fields.is_empty() => {}
                result => return Some(result),
            }
        }
        None
    }
}

impl<'a> Stanzas<'a> {
    /// The text up to the next blank line, and its first line's number.
    fn block(&mut self) -> (&'a str, usize) {
        let (start, mut from) = (self.line, 0);
        loop {
            let found = memmem::find(&self.rest.as_bytes()[from..], b"\n");
            let end = found.map_or(self.rest.len(), |at| from + at + 1);
            self.line += usize::from(found.is_some());
            let blank = self.rest[from..end].trim().is_empty();
            if blank || end == self.rest.len() {
                let block = &self.rest[..if blank { from } else { end }];
                self.rest = &self.rest[end..];
                return (block, start);
            }
            from = end;
        }
    }
}

fn parse(block: &str, first_line: usize) -> Result<Stanza<'_>, ControlError> {
    let mut stanza = Stanza { fields: Vec::with_capacity(24), line: first_line };
    let mut at = 0;
    let mut line = first_line;
    while at < block.len() {
        let (name_start, field_line) = (at, line);
        let mut end = line_end(block, at);
        line += 1;
        at = end;
        if block.as_bytes()[name_start] == b'#' {
            continue;
        }
        let error = |problem: String| ControlError { line: field_line, problem };
        if matches!(block.as_bytes()[name_start], b' ' | b'\t') {
            return Err(error("a continuation line without a field before it".to_owned()));
        }
        let first = &block[name_start..end];
        let colon = memchr(b':', first.as_bytes())
            .ok_or_else(|| error(format!("{:?} has no colon after a field name", first.trim_end())))?;
        let name = &first[..colon];
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(error(format!("{name:?} is no field name")));
        }
        while at < block.len() && matches!(block.as_bytes()[at], b' ' | b'\t' | b'#') {
            if block.as_bytes()[at] == b'#' {
                // A comment ends the value for a reader that borrows; only debian/control has them.
                break;
            }
            end = line_end(block, at);
            line += 1;
            at = end;
        }
        stanza.fields.push((name, block[name_start + colon + 1..end].trim()));
    }
    for (index, (name, _)) in stanza.fields.iter().enumerate() {
        if stanza.fields[..index].iter().any(|(earlier, _)| earlier.eq_ignore_ascii_case(name)) {
            return Err(ControlError {
                line: first_line,
                problem: format!("the field {name} is there twice"),
            });
        }
    }
    Ok(stanza)
}

fn line_end(text: &str, from: usize) -> usize {
    memchr(b'\n', &text.as_bytes()[from..]).map_or(text.len(), |at| from + at + 1)
}

/// `text` without comment lines, for debian/control, where they may stand within a field.
pub fn without_comments(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.starts_with('#')).collect()
}

/// The body of a cleartext-signed document, or `text` itself when it is not signed. Dash escapes are undone
/// (RFC 9580, 7.2). This does not verify anything.
pub fn strip_signature(text: &str) -> std::borrow::Cow<'_, str> {
    const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
    if !text.trim_start().starts_with(BEGIN) {
        return text.into();
    }
    let mut body = String::with_capacity(text.len());
    let mut lines = text.trim_start().lines().skip(1).skip_while(|line| !line.trim().is_empty());
    lines.next();
    for line in lines.take_while(|line| !line.starts_with("-----BEGIN PGP SIGNATURE-----")) {
        body.push_str(line.strip_prefix("- ").unwrap_or(line));
        body.push('\n');
    }
    body.into()
}
