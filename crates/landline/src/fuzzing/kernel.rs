//! What the kernel says: of its interfaces, and beside a message.

use crate::sys::{control_space, parse_control, push_control};

pub fn control(data: &[u8]) {
    let mut again = Vec::new();
    let mut room = 0;
    for message in parse_control(data) {
        room += control_space(message.data.len());
        push_control(&mut again, message.level, message.kind, message.data);
    }
    assert_eq!(again.len(), room);
    assert!(parse_control(&again).eq(parse_control(data)));
}

pub fn netlink(data: &[u8]) {
    crate::interface::parse_answer(data);
}

pub fn multicast(data: &[u8]) {
    for index in [1, 4] {
        let groups = crate::interface::parse_multicast(&String::from_utf8_lossy(data), index);
        assert!(groups.len() <= data.len());
    }
}
