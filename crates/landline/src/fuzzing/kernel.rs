//! What the kernel says of its interfaces.

pub fn netlink(data: &[u8]) {
    crate::interface::parse_answer(data);
}

pub fn multicast(data: &[u8]) {
    for index in [1, 4] {
        let groups = crate::interface::parse_multicast(&String::from_utf8_lossy(data), index);
        assert!(groups.len() <= data.len());
    }
}
