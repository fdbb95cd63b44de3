//! Header blocks (RFC 7541), written by hand.

/// `:method GET`, `:method POST`, `:path /`, `:scheme http`, each by its index in the static table.
pub(super) const GET: u8 = 0x82;
pub(super) const POST: u8 = 0x83;
pub(super) const ROOT: u8 = 0x84;
pub(super) const HTTP: u8 = 0x86;

/// A field as a literal without indexing and with a new name, section 6.2.2. Neither may be longer than 126 bytes.
pub(super) fn field(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    [&[0][..], &text(name), &text(value)].concat()
}

/// A string as it is, section 5.2.
pub(super) fn text(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    assert!(text.len() < 127, "the length would need a second byte");
    [&[u8::try_from(text.len()).unwrap()], text].concat()
}

/// A request of `method` (an index) for `path` at `a`, over http.
pub(super) fn request(method: u8, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = [&[method, HTTP][..], &field(":path", path), &field(":authority", "a")].concat();
    for (name, value) in fields {
        block.extend(field(name, value));
    }
    block
}

pub(super) fn get(path: &str) -> Vec<u8> {
    request(GET, path, &[])
}

pub(super) fn post(path: &str) -> Vec<u8> {
    request(POST, path, &[])
}

/// Pseudo-headers, and whatever else, in this order.
pub(super) fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| field(name, value)).collect()
}
