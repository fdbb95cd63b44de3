//! Socket options that rustix lacks.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;
use socket2::SockRef;

/// `SO_BINDTODEVICE` (socket(7)).
pub(crate) fn bind_to_device(fd: BorrowedFd<'_>, interface: &str) -> rustix::io::Result<()> {
    errno(SockRef::from(&fd).bind_device(Some(interface.as_bytes())))
}

/// `SO_MARK` (socket(7)); needs CAP_NET_ADMIN.
pub(crate) fn set_mark(fd: BorrowedFd<'_>, mark: u32) -> rustix::io::Result<()> {
    errno(SockRef::from(&fd).set_mark(mark))
}

fn errno<T>(result: std::io::Result<T>) -> rustix::io::Result<T> {
    result.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::INVAL))
}

/// `TCP_INFO` (tcp(7)). Fields that the running kernel does not know are zero.
pub(crate) fn tcp_info(fd: BorrowedFd<'_>) -> rustix::io::Result<libc::tcp_info> {
    // SAFETY: the struct holds integers only, for which zero, and any other bytes, are a value.
    unsafe { get(fd, libc::IPPROTO_TCP, libc::TCP_INFO, std::mem::zeroed()) }
}

/// `SO_PEERCRED` (unix(7)): process, user and group. Not by way of rustix, whose type has no place for the process 0
/// of another PID namespace.
pub(crate) fn peer_credentials(fd: BorrowedFd<'_>) -> rustix::io::Result<(i32, u32, u32)> {
    let none = libc::ucred { pid: 0, uid: 0, gid: 0 };
    // SAFETY: the struct holds integers only.
    let found = unsafe { get(fd, libc::SOL_SOCKET, libc::SO_PEERCRED, none)? };
    Ok((found.pid, found.uid, found.gid))
}

/// `SO_PEERPIDFD` (unix(7)), close-on-exec.
pub(crate) fn peer_pidfd(fd: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    // SAFETY: the option's value is an int.
    let number: libc::c_int = unsafe { get(fd, libc::SOL_SOCKET, SO_PEERPIDFD, -1)? };
    // SAFETY: the kernel has just opened it for us, and nobody else has seen its number.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// From asm-generic/socket.h; libc lacks it.
const SO_PEERPIDFD: libc::c_int = 77;

/// `SO_INCOMING_CPU` (socket(7)): of several sockets at one address, this one is for what arrives on that CPU.
pub(crate) fn set_incoming_cpu(fd: &impl AsFd, cpu: usize) -> rustix::io::Result<()> {
    let cpu = libc::c_int::try_from(cpu).map_err(|_| Errno::INVAL)?;
    set_int(fd.as_fd(), libc::SOL_SOCKET, libc::SO_INCOMING_CPU, cpu)
}

/// The value of an option whose type is `T`.
///
/// # Safety
/// Any bytes must be a value of `T`.
unsafe fn get<T>(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    option: libc::c_int,
    mut value: T,
) -> rustix::io::Result<T> {
    let mut length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `value`, which is that long, and its length to `length`.
    let result =
        unsafe { libc::getsockopt(fd.as_raw_fd(), level, option, (&raw mut value).cast(), &raw mut length) };
    match result {
        0 => Ok(value),
        _ => errno(Err(std::io::Error::last_os_error())),
    }
}

/// `TCP_FASTOPEN_CONNECT` (tcp(7)).
pub(crate) fn set_fast_open_connect(fd: &impl AsFd) -> rustix::io::Result<()> {
    set_flag(fd.as_fd(), libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT)
}

/// `IP_BIND_ADDRESS_NO_PORT` (ip(7)); for IPv6 sockets as well.
pub(crate) fn set_bind_address_no_port(fd: &impl AsFd) -> rustix::io::Result<()> {
    set_flag(fd.as_fd(), libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT)
}

fn set_flag(fd: BorrowedFd<'_>, level: libc::c_int, option: libc::c_int) -> rustix::io::Result<()> {
    set_int(fd, level, option, 1)
}

/// Sets an option whose value is an int.
pub(crate) fn set_int(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> rustix::io::Result<()> {
    // SAFETY: an int holds no pointer that the kernel could follow.
    unsafe { set(fd, level, option, &value) }
}

/// The value of an option that is an int.
pub(crate) fn get_int(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    option: libc::c_int,
) -> rustix::io::Result<libc::c_int> {
    // SAFETY: any bytes are an int.
    unsafe { get(fd, level, option, 0) }
}

/// Sets an option whose type is `T`.
///
/// # Safety
/// The option must be of that type, or hold no pointers.
pub(super) unsafe fn set<T>(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    option: libc::c_int,
    value: &T,
) -> rustix::io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes from `value`, which is that long.
    let result =
        unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, (&raw const *value).cast(), length) };
    match result {
        0 => Ok(()),
        _ => errno(Err(std::io::Error::last_os_error())),
    }
}
