//! The name server that all resolvers ask: 127.0.0.1 and ::1 for every name, two calls a query.

use std::{
    io,
    net::{Ipv4Addr, UdpSocket},
};

use super::message;

pub(crate) fn serve() -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    // Room for all that 64 lookups can have under way; the system may grant less, which is enough too.
    socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20)?;
    println!("listening {}", socket.local_addr()?);
    let mut query = [0; 2048];
    let mut answer = Vec::with_capacity(2048);
    loop {
        let (len, from) = socket.recv_from(&mut query)?;
        if message::write_answer(&query[..len], &mut answer).is_some() {
            // A resolver that has gone away is none of our business.
            let _ = socket.send_to(&answer, from);
        }
    }
}
