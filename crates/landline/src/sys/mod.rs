//! The only unsafe code and the only system-specific code: what rustix and socket2 lack.
//!
//! Each room wraps one facility of Linux in a safe function; nothing here decides anything.

#![allow(unsafe_code)]

mod addr_info;
mod control;
mod datagrams;
mod descriptor;
#[cfg(test)]
mod hooked_waker;
mod message;
mod multicast;
mod read_buf;
mod registered;
mod signal;
mod socket_option;
mod waker;

pub(crate) use addr_info::{AddrInfo, AddrInfoError, addr_info, name_info};
#[cfg(any(test, fuzzing))]
pub(crate) use control::control_space;
pub(crate) use control::{int, parse_control, push_control};
pub(crate) use datagrams::receive_datagrams;
pub(crate) use descriptor::{adopt, with_descriptor};
#[cfg(test)]
pub(crate) use hooked_waker::Hooked;
pub(crate) use message::{ControlBuffer, Incoming, Rights, recv_msg, recv_msg_into, recv_rights, send_msg};
pub(crate) use multicast::{Membership, set_membership, set_multicast_interface_v4};
pub(crate) use read_buf::fill;
pub(crate) use registered::{Entered, Number, Registered, register};
pub(crate) use signal::is_ignored;
pub(crate) use socket_option::{
    bind_to_device, get_int, peer_credentials, peer_pidfd, set_bind_address_no_port, set_fast_open_connect,
    set_incoming_cpu, set_int, set_mark, tcp_info,
};
pub(crate) use waker::borrowed_waker;
