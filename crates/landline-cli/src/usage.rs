//! Refusals of the argument parser, in one line that names the input.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What is wrong with `arguments`, those of the command line without the program's name.
pub(crate) fn line(error: &clap::Error, arguments: &[String]) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(" ")),
        _ => None,
    };
    let option = context(ContextKind::InvalidArg).unwrap_or_default();
    // The option without what stands for its value.
    let name = option.split_once([' ', '=']).map_or(option.as_str(), |(name, _)| name);
    let value = context(ContextKind::InvalidValue).unwrap_or_default();
    let put = arguments.join(" ");
    match error.kind() {
        ErrorKind::ValueValidation => match std::error::Error::source(error) {
            Some(reason) => {
                let reason = reason.to_string();
                // Some reasons name the value already.
                if reason.starts_with(&format!("{value}: ")) || reason.contains(&format!(" {value}: ")) {
                    format!("{name}: {reason}")
                } else {
                    format!("{name} {value}: {reason}")
                }
            }
            None => format!("{name} {value}: invalid value"),
        },
        ErrorKind::InvalidValue if value.is_empty() => format!("{put}: a value is missing: {option}"),
        ErrorKind::UnknownArgument if option.starts_with('-') => {
            let similar = context(ContextKind::SuggestedArg);
            format!("{option}: unknown option{}", meant(similar))
        }
        ErrorKind::UnknownArgument => format!("{option}: one argument too many"),
        ErrorKind::TooManyValues if value.is_empty() => format!("{name}: takes no value"),
        ErrorKind::TooManyValues => format!("{name}={value}: {name} takes no value"),
        ErrorKind::InvalidSubcommand => {
            let similar = context(ContextKind::SuggestedSubcommand);
            let given = context(ContextKind::InvalidSubcommand).unwrap_or_default();
            format!(
                "{given}: unknown command{}; known are tour, dial, listen, lookup, get, serve, call, gob, forward and proxy",
                meant(similar)
            )
        }
        ErrorKind::ArgumentConflict => match context(ContextKind::PriorArg) {
            Some(other) if other != option => format!("{put}: not {name} and {other} together"),
            _ => format!("{put}: {name} is given more than once"),
        },
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            let last = arguments.last().map_or("", String::as_str);
            match crate::lookup::is_kind(last) {
                true => {
                    format!("lookup {last}: a NAME goes after the KIND, as in: lookup {last} example.com")
                }
                false => format!("lookup {last}: a KIND goes before the NAME, as in: lookup ip {last}"),
            }
        }
        ErrorKind::MissingRequiredArgument => format!("{put}: missing {option}"),
        _ => first_line(&error.to_string()),
    }
}

fn meant(similar: Option<String>) -> String {
    similar.map_or(String::new(), |similar| format!("; did you mean {similar}?"))
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
