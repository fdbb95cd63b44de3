//! Escapes of the zone-file form: RFC 1035 section 5.1, and RFC 9460 appendix A for service parameters.

use std::fmt::{self, Display, Formatter, Write};

/// A character string in double quotes.
pub(crate) struct Quoted<'a>(pub(crate) &'a [u8]);

/// A character string as it may stand without quotes.
pub(crate) struct Unquoted<'a>(pub(crate) &'a [u8]);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        escape(f, self.0, b"\"\\", true)?;
        f.write_char('"')
    }
}

impl Display for Unquoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        escape(f, self.0, b"\"\\;()", false)
    }
}

fn escape(f: &mut Formatter<'_>, bytes: &[u8], special: &[u8], spaces: bool) -> fmt::Result {
    for &byte in bytes {
        match byte {
            _ if special.contains(&byte) => write!(f, "\\{}", char::from(byte))?,
            b'!'..=b'~' => f.write_char(char::from(byte))?,
            b' ' if spaces => f.write_char(' ')?,
            _ => write!(f, "\\{byte:03}")?,
        }
    }
    Ok(())
}

/// Writes the items with `between` between them.
pub(crate) fn joined<T: Display>(
    f: &mut Formatter<'_>,
    between: &str,
    items: impl IntoIterator<Item = T>,
) -> fmt::Result {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        item.fmt(f)?;
    }
    Ok(())
}
