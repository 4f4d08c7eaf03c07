//! The templates: what each mail says, what it asks for, and whether it may be sent twice.
//!
//! They are compiled in and parsed once. Nothing is rendered here: that is `render.rs`.

use std::{collections::BTreeMap, sync::Arc};

use Class::{AtLeastOnce, AtMostOnce};
use Shape::{Line, Of, Text, Url, Whole};

use crate::fold::{Reject, check_text, check_within};

/// What one kind of mail says.
#[derive(Debug)]
pub(super) struct Template {
    /// Its name, as events spell it.
    pub(super) name: &'static str,
    /// What becomes of it where nobody knows whether it was sent.
    pub(super) class: Class,
    /// What it asks for.
    pub(super) params: &'static [(&'static str, Shape)],
    /// Its texts, a language each.
    pub(super) texts: &'static [Texts],
}

/// What becomes of a mail where nobody knows whether it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// It is sent again, with the same Message-ID: whoever waits for it must get it.
    AtLeastOnce,
    /// It is left: better none than two.
    AtMostOnce,
}

/// What a param may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One line of at most [`LINE`] characters: it may stand in a subject.
    Line,
    /// Any text.
    Text,
    /// A whole number of 64 bits, in digits.
    Whole,
    /// A link: `https://` and no space.
    Url,
    /// A translation of this other param, which stands in where it is missing.
    Of(&'static str),
}

/// A template in one language: the names and sources of its parts.
#[derive(Debug)]
pub(super) struct Texts {
    /// The language, in lower case.
    pub(super) lang: &'static str,
    pub(super) subject: Source,
    pub(super) text: Source,
    pub(super) html: Source,
}

/// A file: its name, by which escaping is chosen, and what it holds.
pub(super) type Source = (&'static str, &'static str);

/// The texts of a template in English and German, from the files of its name.
macro_rules! texts {
    ($name:literal) => {
        &[texts!($name, "en"), texts!($name, "de")]
    };
    ($name:literal, $lang:literal) => {
        Texts {
            lang: $lang,
            subject: texts!($name, $lang, ".subject.txt"),
            text: texts!($name, $lang, ".txt"),
            html: texts!($name, $lang, ".html"),
        }
    };
    ($name:literal, $lang:literal, $part:literal) => {
        (concat!($name, ".", $lang, $part), include_str!(concat!("templates/", $name, ".", $lang, $part)))
    };
}

/// The frame of every HTML part.
pub(super) const LAYOUT: Source = ("layout.html", include_str!("templates/layout.html"));
/// Characters of a line, and of a link, at most.
pub(super) const LINE: usize = 254;
pub(super) const LINK: usize = 2_000;
/// Characters of a language tag at most.
pub(super) const LOCALE: usize = 35;
/// Params of a request at most.
pub(super) const PARAMS: usize = 64;
/// The language that stands in for one that a template lacks.
const FALLBACK: &str = "en";

/// Every template. Those that somebody waits for are at-least-once, those that may be missed at-most-once.
pub(super) static TEMPLATES: &[Template] = &[
    Template {
        name: "receipt",
        class: AtLeastOnce,
        params: &[("order_id", Line), ("amount", Whole), ("currency", Line), ("paid_on", Line)],
        texts: texts!("receipt"),
    },
    Template {
        name: "refund",
        class: AtLeastOnce,
        params: &[("order_id", Line), ("amount", Whole), ("currency", Line), ("refunded_on", Line)],
        texts: texts!("refund"),
    },
    Template {
        name: "achievement",
        class: AtMostOnce,
        params: &[
            ("title", Line),
            ("title_de", Of("title")),
            ("description", Text),
            ("description_de", Of("description")),
            ("points", Whole),
        ],
        texts: texts!("achievement"),
    },
    Template { name: "welcome", class: AtMostOnce, params: &[("name", Line)], texts: texts!("welcome") },
    Template {
        name: "password-reset",
        class: AtLeastOnce,
        params: &[("name", Line), ("url", Url), ("minutes", Whole)],
        texts: texts!("password-reset"),
    },
    Template {
        name: "weekly-summary",
        class: AtMostOnce,
        params: &[("name", Line), ("week", Line), ("tests", Whole), ("minutes", Whole), ("best_wpm", Whole)],
        texts: texts!("weekly-summary"),
    },
];

/// The params of a mail.
pub(super) type Params = BTreeMap<Arc<str>, Arc<str>>;

impl Template {
    /// The template of a name.
    ///
    /// # Errors
    /// A name that is none.
    pub(super) fn find(name: &str) -> Result<&'static Self, Reject> {
        TEMPLATES.iter().find(|it| it.name == name).ok_or_else(|| Reject::new("template is not known"))
    }

    /// Its texts in a language, or in the same language of anywhere, or in English.
    ///
    /// # Errors
    /// None of these is there.
    pub(super) fn texts(&self, locale: &str) -> Result<&Texts, Reject> {
        let locale = locale.to_ascii_lowercase();
        let language = locale.split(['-', '_']).next().unwrap_or_default();
        let texts = [&locale, language, FALLBACK].into_iter().find_map(|lang| self.texts.iter().find(|it| it.lang == lang));
        texts.ok_or_else(|| Reject::new("locale is none of the template's, and there is no fallback"))
    }

    /// Whether all that it asks for is there, and such as it may be. More may be there.
    ///
    /// # Errors
    /// The first that is not, by its name.
    pub(super) fn check(&self, params: &Params) -> Result<(), Reject> {
        for (name, shape) in self.params {
            match (params.get(*name), shape) {
                (None, Of(_)) => {}
                (None, _) => return Err(Reject::new(format!("params lacks {name}"))),
                (Some(value), _) => self.bare(*shape).check(&format!("params.{name}"), value)?,
            }
        }
        Ok(())
    }

    /// What each of its params says: a translation that is missing, what the original says.
    pub(super) fn values<'p>(&self, params: &'p Params) -> impl Iterator<Item = (&'static str, &'p Arc<str>)> {
        self.params.iter().filter_map(|(name, shape)| {
            let original = if let Of(original) = shape { params.get(*original) } else { None };
            Some((*name, params.get(*name).or(original)?))
        })
    }

    /// What a param may be: a translation, what its original may be.
    fn bare(&self, shape: Shape) -> Shape {
        let Of(original) = shape else { return shape };
        self.params.iter().find(|it| it.0 == original).map_or(Text, |it| it.1)
    }
}

impl Shape {
    fn check(self, field: &str, value: &str) -> Result<(), Reject> {
        match self {
            Self::Line => check_line(field, value, LINE),
            Self::Text | Self::Of(_) => check_text(field, value, 0..=usize::MAX),
            Self::Whole if value.parse::<i64>().is_ok() => Ok(()),
            Self::Whole => Err(Reject::new(format!("{field} is not a whole number"))),
            Self::Url => {
                check_line(field, value, LINK)?;
                let is_link = value.starts_with("https://") && !value.contains(char::is_whitespace);
                if is_link { Ok(()) } else { Err(Reject::new(format!("{field} is not a link that begins with https://"))) }
            }
        }
    }
}

/// Whether a text may stand in a header: so many characters, none of them a control character.
///
/// # Errors
/// The field, and which of the two.
pub(super) fn check_line(field: &str, text: &str, most: usize) -> Result<(), Reject> {
    if text.contains(char::is_control) {
        return Err(Reject::new(format!("{field} holds a control character")));
    }
    check_text(field, text, 0..=most)
}

/// Whether a language tag is one, or empty.
///
/// # Errors
/// The field.
pub(super) fn check_locale(field: &str, locale: &str) -> Result<(), Reject> {
    let is_part = |it: &str| (1..=8).contains(&it.len()) && it.bytes().all(|it| it.is_ascii_alphanumeric());
    if locale.is_empty() || (locale.len() <= LOCALE && locale.split(['-', '_']).all(is_part)) {
        return Ok(());
    }
    Err(Reject::new(format!("{field} is not a language tag")))
}

/// Whether params are not too many, and have names.
///
/// # Errors
/// Too many, or a name or value that none may have.
pub(super) fn check_params(params: &Params) -> Result<(), Reject> {
    check_within("the number of params", params.len(), 0..=PARAMS)?;
    for (name, value) in params {
        check_text("a param's name", name, 1..=64)?;
        check_line("a param's name", name, 64)?;
        check_text("a param", value, 0..=usize::MAX)?;
    }
    Ok(())
}
