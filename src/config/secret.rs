//! Addresses that may hold a password: taken from a variable or a file, never printed whole.
//!
//! It does not look at what is behind an address.

use std::{fmt, path::PathBuf};

use url::Url;

use crate::fault::Fault;

/// A server's URL. `Debug` and `Display` leave out the password and every parameter.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(Url);

impl ServerUrl {
    /// The URL in a text of one of these schemes.
    ///
    /// # Errors
    /// Another text, by the name of the variable that gave it; the text itself is not repeated.
    pub(crate) fn parse(variable: &str, text: &str, schemes: &[&str]) -> Result<Self, Fault> {
        let url = Url::parse(text.trim()).map_err(|it| Fault::fatal(format!("{variable}: not a URL: {}", lower(&it.to_string()))))?;
        if !schemes.contains(&url.scheme()) {
            let wanted: Vec<String> = schemes.iter().map(|it| format!("{it}://")).collect();
            return Err(Fault::fatal(format!("{variable}: starts with {}://, wants {}", url.scheme(), wanted.join(" or "))));
        }
        Ok(Self(url))
    }

    /// The whole URL, with its secrets: for the client that connects to it, and nobody else.
    pub fn secret(&self) -> &str {
        self.0.as_str()
    }

    /// Its parameters, in order.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (String, String)> {
        self.0.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned()))
    }

    /// Why this URL cannot be used, in a line.
    pub(super) fn bad(&self, variable: &str, why: &str) -> Fault {
        Fault::fatal(format!("{variable}: {self} {why}"))
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        shown.set_query(None);
        shown.set_fragment(None);
        if shown.password().is_some() && shown.set_password(Some("***")).is_err() {
            return f.write_str("***");
        }
        write!(f, "{shown}")
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A secret given as itself or as a file's content; an empty one counts as not given.
///
/// # Errors
/// Both are given, or the file cannot be read.
pub(super) fn given(variable: &str, value: Option<String>, file: Option<PathBuf>) -> Result<Option<String>, Fault> {
    let value = value.filter(|it| !it.is_empty());
    let Some(file) = file.filter(|it| !it.as_os_str().is_empty()) else { return Ok(value) };
    if value.is_some() {
        return Err(Fault::fatal(format!("{variable} and {variable}_FILE are both given: keep one")));
    }
    let text = std::fs::read_to_string(&file)
        .map_err(|it| Fault::fatal(format!("{variable}_FILE: {}: {}", file.display(), lower(&it.to_string()))))?;
    Ok(Some(text.trim().to_owned()))
}

/// Messages of libraries start with a capital; ours do not.
pub(super) fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
