//! A peer's description of a type.

use crate::error::{Error, ErrorKind};
use crate::number::{take_uint, to_int};
use crate::schema::Method;

/// What a description says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Description {
    pub(super) name: Box<str>,
    /// The id that it repeats, which is not always the one it is for.
    pub(super) own_id: i64,
    pub(super) kind: Kind,
}

/// The types that it refers to are ids.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Array { elem: i64, len: u64 },
    Slice { elem: i64 },
    Struct { fields: Vec<(Box<str>, i64)> },
    Map { key: i64, value: i64 },
    Opaque(Method),
}

/// Takes a description from the front of `input`, after the id.
pub(super) fn take(input: &mut &[u8]) -> Result<Description, Error> {
    let mut found = None;
    each_field(input, |number, input| {
        let description = match number {
            0 => array(input)?,
            1 => slice(input)?,
            2 => structure(input)?,
            3 => map(input)?,
            4 => opaque(input, Method::Gob)?,
            5 => opaque(input, Method::Binary)?,
            6 => opaque(input, Method::Text)?,
            _ => return Err(corrupt("a type of a kind that gob does not have")),
        };
        match found.replace(description) {
            None => Ok(()),
            Some(_) => Err(corrupt("a type of two kinds")),
        }
    })?;
    found.ok_or_else(|| corrupt("a type of no kind"))
}

#[derive(Default)]
struct Common {
    name: Box<str>,
    id: i64,
}

fn common(input: &mut &[u8]) -> Result<Common, Error> {
    let mut common = Common::default();
    each_field(input, |number, input| {
        match number {
            0 => common.name = text(input)?,
            1 => common.id = int(input)?,
            _ => return Err(unknown_field()),
        }
        Ok(())
    })?;
    Ok(common)
}

fn described(common: Common, kind: Kind) -> Description {
    Description { name: common.name, own_id: common.id, kind }
}

fn array(input: &mut &[u8]) -> Result<Description, Error> {
    let (mut about, mut elem, mut len) = (Common::default(), 0, 0);
    each_field(input, |number, input| {
        match number {
            0 => about = common(input)?,
            1 => elem = int(input)?,
            2 => len = int(input)?,
            _ => return Err(unknown_field()),
        }
        Ok(())
    })?;
    let len = u64::try_from(len).map_err(|_| corrupt("an array of a negative length"))?;
    Ok(described(about, Kind::Array { elem, len }))
}

fn slice(input: &mut &[u8]) -> Result<Description, Error> {
    let (mut about, mut elem) = (Common::default(), 0);
    each_field(input, |number, input| {
        match number {
            0 => about = common(input)?,
            1 => elem = int(input)?,
            _ => return Err(unknown_field()),
        }
        Ok(())
    })?;
    Ok(described(about, Kind::Slice { elem }))
}

fn map(input: &mut &[u8]) -> Result<Description, Error> {
    let (mut about, mut key, mut value) = (Common::default(), 0, 0);
    each_field(input, |number, input| {
        match number {
            0 => about = common(input)?,
            1 => key = int(input)?,
            2 => value = int(input)?,
            _ => return Err(unknown_field()),
        }
        Ok(())
    })?;
    Ok(described(about, Kind::Map { key, value }))
}

fn opaque(input: &mut &[u8], by: Method) -> Result<Description, Error> {
    let mut about = Common::default();
    each_field(input, |number, input| {
        if number > 0 {
            return Err(unknown_field());
        }
        about = common(input)?;
        Ok(())
    })?;
    Ok(described(about, Kind::Opaque(by)))
}

fn structure(input: &mut &[u8]) -> Result<Description, Error> {
    let (mut about, mut fields) = (Common::default(), Vec::new());
    each_field(input, |number, input| {
        match number {
            0 => about = common(input)?,
            1 => {
                let count = take_uint(input)?;
                // A field that takes less than this has no name or no type.
                if count > input.len() as u64 / 5 {
                    return Err(corrupt("a type of more fields than its description has room for"));
                }
                fields.reserve_exact(count as usize);
                for _ in 0..count {
                    fields.push(field(input)?);
                }
            }
            _ => return Err(unknown_field()),
        }
        Ok(())
    })?;
    Ok(described(about, Kind::Struct { fields }))
}

fn field(input: &mut &[u8]) -> Result<(Box<str>, i64), Error> {
    let (mut name, mut id) = (Box::default(), 0);
    each_field(input, |number, input| {
        match number {
            0 => name = text(input)?,
            1 => id = int(input)?,
            _ => return Err(unknown_field()),
        }
        Ok(())
    })?;
    if name.is_empty() { Err(corrupt("a field without a name")) } else { Ok((name, id)) }
}

/// Calls `take` for each field of a struct, by its number.
fn each_field(
    input: &mut &[u8],
    mut take: impl FnMut(u64, &mut &[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut next = 0_u64;
    loop {
        match take_uint(input)? {
            0 => return Ok(()),
            delta => {
                let number = next.checked_add(delta - 1).ok_or_else(unknown_field)?;
                take(number, input)?;
                next = number + 1;
            }
        }
    }
}

fn int(input: &mut &[u8]) -> Result<i64, Error> {
    Ok(to_int(take_uint(input)?))
}

fn text(input: &mut &[u8]) -> Result<Box<str>, Error> {
    let len = usize::try_from(take_uint(input)?).unwrap_or(usize::MAX);
    let Some((bytes, rest)) = input.split_at_checked(len) else {
        return Err(corrupt("a value ends beyond its message"));
    };
    *input = rest;
    std::str::from_utf8(bytes).map(Box::from).map_err(|_| corrupt("a name that is not UTF-8"))
}

fn unknown_field() -> Error {
    corrupt("a description of a type has a field that gob does not have")
}

fn corrupt(text: &'static str) -> Error {
    ErrorKind::Corrupt(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_of_go_are_read() {
        let mut input =
            &b"\x03\x01\x01\x05Inner\x01\xff\x82\x00\x01\x01\x01\x01X\x01\x04\x00\x00\x00rest"[..];
        let read = take(&mut input).unwrap();
        assert_eq!(&*read.name, "Inner");
        assert_eq!(read.own_id, 65);
        assert_eq!(read.kind, Kind::Struct { fields: vec![("X".into(), 2)] });
        assert_eq!(input, b"rest");
        let mut input = &b"\x01\x01\x02\xff\x82\x00\x01\x04\x01\x06\x00\x00"[..];
        let read = take(&mut input).unwrap();
        assert_eq!((&*read.name, read.kind), ("", Kind::Array { elem: 2, len: 3 }));
    }

    #[test]
    fn what_is_no_description_is_refused() {
        for (input, part) in [
            (&b""[..], "ends beyond"),
            (b"\x00", "of no kind"),
            (b"\x08", "of a kind"),
            (b"\x03\x01\x02\x02\x00\x00\x01\x00\x00", "of two kinds"),
            (b"\x03\x01\x02\x02\x00\x01\xfc\xff\xff\xff\xff\x00\x00", "more fields"),
            (b"\x03\x04\x00\x00", "has a field"),
            (b"\x01\x03\x01\x00\x00", "negative"),
            (b"\x02\x01\x01\x02\xff\xfe\x00\x00\x00", "not UTF-8"),
            (b"\xf8\xff\xff\xff\xff\xff\xff\xff\xff", "kind"),
            (b"\x03\xf8\xff\xff\xff\xff\xff\xff\xff\xff\x01", "has a field"),
        ] {
            let error = take(&mut &*input).unwrap_err().to_string();
            assert!(error.contains(part), "{}: {error}", input.escape_ascii());
        }
    }
}
