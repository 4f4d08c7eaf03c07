//! Rendering: a template and its params become a subject, a text and an HTML page.
//!
//! Strict: what is not there is an error, never an empty place. In HTML every param is escaped.

use std::{collections::BTreeMap, sync::OnceLock};

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

use super::templates::{LAYOUT, Params, TEMPLATES, Template, Texts};
use crate::{currency, fold::Reject};

/// A mail's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rendered {
    /// One line.
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// Bytes that a part may have.
pub(super) const MOST: usize = 1_000_000;

/// The words of a template in one language.
///
/// # Errors
/// A part over 1 MB; a param that the template cannot use.
pub(super) fn render(template: &Template, texts: &Texts, params: &Params) -> Result<Rendered, Reject> {
    template.check(params)?;
    let mut values: BTreeMap<&str, Value> = template.values(params).map(|(name, it)| (name, Value::from(&**it))).collect();
    values.insert("lang", Value::from(texts.lang));
    let subject = part(texts.subject.0, &values)?;
    values.insert("subject", Value::from(subject.as_str()));
    Ok(Rendered { text: part(texts.text.0, &values)?, html: part(texts.html.0, &values)?, subject })
}

fn part(name: &str, values: &BTreeMap<&str, Value>) -> Result<String, Reject> {
    let environment = environment().ok_or_else(|| Reject::new("a template of the contract's own does not parse"))?;
    let rendered = environment.get_template(name).and_then(|it| it.render(Value::from_pairs(values.clone())));
    let rendered = rendered.map_err(|_| Reject::new(format!("{name} cannot be rendered with these params")))?;
    if rendered.len() > MOST {
        return Err(Reject::new(format!("{name} comes to more than 1 MB")));
    }
    Ok(rendered)
}

/// All templates, parsed at first use.
fn environment() -> Option<&'static Environment<'static>> {
    static PARSED: OnceLock<Option<Environment<'static>>> = OnceLock::new();
    PARSED.get_or_init(|| parse().ok()).as_ref()
}

fn parse() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("money", money);
    environment.add_filter("hundredths", hundredths);
    environment.add_template(LAYOUT.0, LAYOUT.1)?;
    for texts in TEMPLATES.iter().flat_map(|it| it.texts) {
        for (name, source) in [texts.subject, texts.text, texts.html] {
            environment.add_template(name, source)?;
        }
    }
    Ok(environment)
}

/// Minor units of a currency as people write them: 1999 of EUR is 19.99 EUR, or 19,99 EUR in German.
fn money(amount: &str, currency: &str, lang: &str) -> Result<String, Error> {
    Ok(format!("{} {currency}", decimal(amount, currency::places(currency).unwrap_or(2), lang)?))
}

/// Hundredths as a decimal: 11876 is 118.76.
fn hundredths(amount: &str, lang: &str) -> Result<String, Error> {
    decimal(amount, 2, lang)
}

fn decimal(amount: &str, places: usize, lang: &str) -> Result<String, Error> {
    let amount: i64 = amount.parse().map_err(|_| Error::new(ErrorKind::InvalidOperation, "not a whole number"))?;
    let sign = if amount < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", amount.unsigned_abs(), width = places + 1);
    let (whole, rest) = digits.split_at(digits.len() - places);
    let point = match (places, lang) {
        (0, _) => "",
        (_, "de") => ",",
        _ => ".",
    };
    Ok(format!("{sign}{whole}{point}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::{super::templates::Shape, *};

    #[test]
    fn every_template_parses_and_asks_for_what_it_declares() {
        let environment = parse().unwrap();
        for template in TEMPLATES {
            let declared: Vec<&str> = template.params.iter().map(|it| it.0).collect();
            for texts in template.texts {
                let mut asked = std::collections::BTreeSet::new();
                for (name, _) in [texts.subject, texts.text, texts.html] {
                    asked.extend(environment.get_template(name).unwrap().undeclared_variables(false));
                }
                let known = |it: &str| declared.contains(&it) || ["lang", "subject"].contains(&it);
                assert!(asked.iter().all(|it| known(it)), "{} {}: {asked:?}", template.name, texts.lang);
                // A language asks for its own translation in place of the original, and for no other's.
                let is_of = |shape, original: &str| matches!(shape, Shape::Of(it) if it == original);
                let translated = |it: &str| template.params.iter().any(|(name, shape)| is_of(*shape, it) && asked.contains(*name));
                let is_foreign = |it: &str, shape| matches!(shape, Shape::Of(_)) && !it.ends_with(&format!("_{}", texts.lang));
                let declared = template.params.iter().filter(|it| !is_foreign(it.0, it.1)).map(|it| it.0);
                let unused: Vec<&str> = declared.filter(|it| !asked.contains(*it) && !translated(it)).collect();
                assert!(unused.is_empty(), "{} {}: {unused:?}", template.name, texts.lang);
            }
        }
    }

    #[test]
    fn money_has_its_currencys_places() {
        for (amount, currency, lang, text) in [
            ("1999", "EUR", "en", "19.99 EUR"),
            ("1999", "EUR", "de", "19,99 EUR"),
            ("5", "USD", "en", "0.05 USD"),
            ("500", "JPY", "de", "500 JPY"),
            ("-1", "KWD", "en", "-0.001 KWD"),
            ("1000000000000", "CLF", "en", "100000000.0000 CLF"),
        ] {
            assert_eq!(money(amount, currency, lang).unwrap(), text);
        }
        assert!(money("1.5", "EUR", "en").is_err());
    }
}
