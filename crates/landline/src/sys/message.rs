//! `recvmsg` and `sendmsg` with control messages that rustix does not know.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;
use rustix::net::addr::SocketAddrStorage;
use rustix::net::{RecvFlags, ReturnFlags, SendFlags, SocketAddrAny};

use super::control::{control_len, control_space, int, parse_control};

/// What the kernel says about a received message.
pub(crate) struct Incoming {
    /// How many bytes it has: with [`RecvFlags::TRUNC`] all of a message, also where the buffers held fewer.
    pub(crate) bytes: usize,
    pub(crate) flags: ReturnFlags,
    /// The part of the control buffer that was filled.
    pub(crate) control: usize,
    /// The sender, where it has an address.
    pub(crate) from: Option<SocketAddrAny>,
}

/// What came along with the bytes on a Unix socket.
pub(crate) struct Rights {
    pub(crate) descriptors: Vec<OwnedFd>,
    /// `struct ucred`: process, user, group.
    pub(crate) credentials: Option<(i32, u32, u32)>,
}

/// The most descriptors in one message (`SCM_MAX_FD`, unix(7)).
const MAX_DESCRIPTORS: usize = 253;

const UCRED: usize = size_of::<libc::ucred>();
const RIGHTS_SPACE: usize = control_space(UCRED) + control_space(MAX_DESCRIPTORS * size_of::<RawFd>());

/// Where the kernel puts control messages, aligned as it likes.
#[repr(C, align(8))]
pub(crate) struct ControlBuffer<const N: usize>(pub(crate) [u8; N]);

/// Receives a message whose control messages are plain data.
///
/// Not for Unix sockets that may be passed descriptors: those would be lost track of. Use [`recv_rights`].
pub(crate) fn recv_msg(
    fd: BorrowedFd<'_>,
    buffers: &mut [IoSliceMut<'_>],
    control: &mut [u8],
    flags: RecvFlags,
) -> rustix::io::Result<Incoming> {
    receive(fd, buffers.as_mut_ptr().cast(), buffers.len(), control, flags)
}

/// [`recv_msg`] without control messages, into memory that need not be initialized; gives the part that now is.
pub(crate) fn recv_msg_into<'a>(
    fd: BorrowedFd<'_>,
    spare: &'a mut [MaybeUninit<u8>],
    flags: RecvFlags,
) -> rustix::io::Result<(&'a mut [u8], Incoming)> {
    let mut buffer = libc::iovec { iov_base: spare.as_mut_ptr().cast(), iov_len: spare.len() };
    let incoming = receive(fd, &raw mut buffer, 1, &mut [], flags)?;
    let filled = incoming.bytes.min(spare.len());
    // SAFETY: the kernel has written that many bytes from the start of `spare`, which is borrowed for as long.
    let filled = unsafe { std::slice::from_raw_parts_mut(spare.as_mut_ptr().cast::<u8>(), filled) };
    Ok((filled, incoming))
}

/// Receives a message on a Unix socket with up to `most` descriptors, which are close-on-exec. The kernel closes those
/// for which there is no room and says so in the flags (`MSG_CTRUNC`).
pub(crate) fn recv_rights(
    fd: BorrowedFd<'_>,
    buffers: &mut [IoSliceMut<'_>],
    most: usize,
    flags: RecvFlags,
) -> rustix::io::Result<(Incoming, Rights)> {
    let mut control = ControlBuffer([0; RIGHTS_SPACE]);
    let most = most.min(MAX_DESCRIPTORS);
    // Not `control_space`, whose rounding up would admit one more.
    let room = control_space(UCRED) + if most == 0 { 0 } else { control_len(most * size_of::<RawFd>()) };
    let control = &mut control.0[..room];
    let flags = flags | RecvFlags::CMSG_CLOEXEC;
    let mut incoming = receive(fd, buffers.as_mut_ptr().cast(), buffers.len(), control, flags)?;

    let mut rights = Rights { descriptors: Vec::new(), credentials: None };
    for message in parse_control(&control[..incoming.control]) {
        match (message.level, message.kind) {
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                let numbers = message.data.chunks_exact(size_of::<RawFd>()).filter_map(int);
                // SAFETY: the kernel has just put these descriptors into our table for us, and nobody else has seen
                // their numbers.
                rights.descriptors.extend(numbers.map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
            }
            (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) => {
                rights.credentials = int(message.data).and_then(|process| {
                    let user = int(message.data.get(4..)?)?;
                    let group = int(message.data.get(8..)?)?;
                    Some((process, user.cast_unsigned(), group.cast_unsigned()))
                });
            }
            _ => {}
        }
    }
    // The room kept for credentials was filled with descriptors if there were none.
    if rights.descriptors.len() > most {
        rights.descriptors.truncate(most);
        incoming.flags |= ReturnFlags::CTRUNC;
    }
    Ok((incoming, rights))
}

fn receive(
    fd: BorrowedFd<'_>,
    buffers: *mut libc::iovec,
    count: usize,
    control: &mut [u8],
    flags: RecvFlags,
) -> rustix::io::Result<Incoming> {
    let mut name = MaybeUninit::<SocketAddrStorage>::zeroed();
    // SAFETY: integers and pointers, for which zero is a value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_name = name.as_mut_ptr().cast();
    header.msg_namelen = size_of::<SocketAddrStorage>() as libc::socklen_t;
    header.msg_iov = buffers;
    header.msg_iovlen = count as _;
    if !control.is_empty() {
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = control.len() as _;
    }
    // SAFETY: the callers pass `count` valid buffers (`IoSliceMut` has the layout of an iovec), and name and control
    // are as long as is said.
    let bytes = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut header, flags.bits().cast_signed()) };
    let bytes = usize::try_from(bytes).map_err(|_| last_error())?;
    let length = header.msg_namelen as usize;
    let named = (size_of::<libc::sa_family_t>()..=size_of::<SocketAddrStorage>()).contains(&length);
    Ok(Incoming {
        bytes,
        flags: ReturnFlags::from_bits_retain(header.msg_flags.cast_unsigned()),
        control: (header.msg_controllen as usize).min(control.len()),
        // SAFETY: the kernel has written an address of this length.
        from: named.then(|| unsafe { SocketAddrAny::new(name, header.msg_namelen) }),
    })
}

/// Sends a message with the control messages in `control`, to `to` or to the peer.
pub(crate) fn send_msg(
    fd: BorrowedFd<'_>,
    to: Option<&SocketAddrAny>,
    buffers: &[IoSlice<'_>],
    control: &[u8],
) -> rustix::io::Result<usize> {
    // SAFETY: integers and pointers, for which zero is a value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    if let Some(to) = to {
        header.msg_name = to.as_ptr().cast_mut().cast();
        header.msg_namelen = to.addr_len();
    }
    header.msg_iov = buffers.as_ptr().cast_mut().cast();
    header.msg_iovlen = buffers.len() as _;
    if !control.is_empty() {
        header.msg_control = control.as_ptr().cast_mut().cast();
        header.msg_controllen = control.len() as _;
    }
    let flags = SendFlags::NOSIGNAL.bits().cast_signed();
    // SAFETY: sendmsg only reads what the header points to, which is all borrowed here and as long as is said.
    let sent = unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const header, flags) };
    usize::try_from(sent).map_err(|_| last_error())
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
