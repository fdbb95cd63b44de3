//! Control messages (cmsg(3)): the bytes beside a datagram, read and built without unsafe code.

#![forbid(unsafe_code)]

/// `struct cmsghdr`: a `size_t` length that counts the header, then the level and the type.
const HEADER: usize = size_of::<usize>() + 8;

/// One message: its level and type as in setsockopt(2), and its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ControlMessage<'a> {
    pub(crate) level: i32,
    pub(crate) kind: i32,
    pub(crate) data: &'a [u8],
}

/// The messages in `bytes`, as far as they are well formed.
pub(crate) fn parse_control(bytes: &[u8]) -> impl Iterator<Item = ControlMessage<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (header, _) = rest.split_at_checked(HEADER)?;
        let (length, place) = header.split_at(size_of::<usize>());
        let length = usize::from_ne_bytes(length.try_into().ok()?);
        let data = rest.get(HEADER..length)?;
        let level = int(&place[..4])?;
        let kind = int(&place[4..])?;
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some(ControlMessage { level, kind, data })
    })
}

/// The room that a payload of `length` takes with its header (`CMSG_LEN`), without what aligns the next.
pub(crate) const fn control_len(length: usize) -> usize {
    HEADER + length
}

/// The same with what aligns the next (`CMSG_SPACE`).
pub(crate) const fn control_space(length: usize) -> usize {
    aligned(HEADER + length)
}

/// Appends a message.
pub(crate) fn push_control(bytes: &mut Vec<u8>, level: i32, kind: i32, data: &[u8]) {
    bytes.extend_from_slice(&control_len(data.len()).to_ne_bytes());
    bytes.extend_from_slice(&level.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(data);
    bytes.resize(aligned(bytes.len()), 0);
}

/// A payload's first four bytes as the `int` most of them are.
pub(crate) fn int(data: &[u8]) -> Option<i32> {
    Some(i32::from_ne_bytes(*data.first_chunk()?))
}

const fn aligned(length: usize) -> usize {
    length.saturating_add(size_of::<usize>() - 1) & !(size_of::<usize>() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// (level, type, payload)
    type Parts = (i32, i32, Vec<u8>);

    fn build(messages: &[Parts]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (level, kind, data) in messages {
            push_control(&mut bytes, *level, *kind, data);
        }
        bytes
    }

    fn parse(bytes: &[u8]) -> Vec<Parts> {
        parse_control(bytes).map(|message| (message.level, message.kind, message.data.to_vec())).collect()
    }

    proptest! {
        #[test]
        fn what_is_built_is_read_back(
            messages in prop::collection::vec((any::<i32>(), any::<i32>(), prop::collection::vec(any::<u8>(), 0..40)), 0..5),
        ) {
            let bytes = build(&messages);
            prop_assert_eq!(bytes.len(), messages.iter().map(|message| control_space(message.2.len())).sum::<usize>());
            prop_assert_eq!(parse(&bytes), messages);
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(parse(&bytes).iter().map(|message| HEADER + message.2.len()).sum::<usize>() <= bytes.len());
        }

        #[test]
        fn a_cut_end_loses_only_the_last(
            messages in prop::collection::vec((any::<i32>(), any::<i32>(), prop::collection::vec(any::<u8>(), 1..40)), 1..5),
        ) {
            let mut bytes = build(&messages);
            bytes.truncate(bytes.len() - size_of::<usize>());
            prop_assert_eq!(parse(&bytes), &messages[..messages.len() - 1]);
        }
    }

    #[test]
    fn lengths_that_lie_end_the_list() {
        for length in [0, HEADER - 1, HEADER + 1, usize::MAX] {
            let mut bytes = build(&[(1, 2, Vec::new())]);
            bytes[..size_of::<usize>()].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(parse(&bytes), [], "{length}");
        }
    }

    #[test]
    fn the_layout_is_that_of_the_c_library() {
        assert_eq!(HEADER, size_of::<libc::cmsghdr>());
    }
}
