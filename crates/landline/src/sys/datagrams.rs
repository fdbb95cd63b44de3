//! Receiving several datagrams with one system call (recvmmsg(2)).

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;

/// Receives what has arrived, up to one datagram for each buffer, without waiting, and returns the received part of
/// each buffer that got one. What does not fit its buffer is cut off.
///
/// `EAGAIN` if nothing has arrived. An error that comes up behind a datagram is lost, or comes with the next call.
pub(crate) fn receive_datagrams<const N: usize, const SIZE: usize>(
    fd: impl AsFd,
    buffers: &mut [[MaybeUninit<u8>; SIZE]; N],
) -> rustix::io::Result<impl Iterator<Item = &[u8]>> {
    let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: SIZE }; N];
    // SAFETY: a zeroed mmsghdr is one without address, data and control message.
    let mut headers: [libc::mmsghdr; N] = unsafe { std::mem::zeroed() };
    for ((header, vector), buffer) in headers.iter_mut().zip(&mut vectors).zip(buffers.iter_mut()) {
        vector.iov_base = buffer.as_mut_ptr().cast();
        header.msg_hdr.msg_iov = vector;
        header.msg_hdr.msg_iovlen = 1;
    }
    // SAFETY: each of the N headers points to one vector, and it to a buffer of its length; all outlive the call.
    let received = unsafe {
        libc::recvmmsg(
            fd.as_fd().as_raw_fd(),
            headers.as_mut_ptr(),
            N as libc::c_uint,
            libc::MSG_DONTWAIT,
            std::ptr::null_mut(),
        )
    };
    let Ok(received) = usize::try_from(received) else {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO));
    };
    Ok(buffers.iter().zip(headers).take(received).map(|(buffer, header)| {
        let length = (header.msg_len as usize).min(SIZE);
        // SAFETY: the kernel has written `msg_len` bytes to the buffer, and never more than it holds.
        unsafe { std::slice::from_raw_parts(buffer.as_ptr().cast::<u8>(), length) }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn takes_what_is_there_and_cuts_what_is_too_long() {
        let (one, two) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        two.connect(one.local_addr().unwrap()).unwrap();
        let receive = || {
            let mut buffers = [[MaybeUninit::uninit(); 4]; 2];
            receive_datagrams(&one, &mut buffers).map(|parts| parts.map(<[u8]>::to_vec).collect::<Vec<_>>())
        };
        assert_eq!(receive(), Err(Errno::AGAIN));
        for datagram in ["a", "", "12345"] {
            two.send(datagram.as_bytes()).unwrap();
        }
        assert_eq!(receive(), Ok(vec![b"a".to_vec(), vec![]]));
        assert_eq!(receive(), Ok(vec![b"1234".to_vec()]));
        drop(one);
        two.send(b"x").unwrap();
        let mut buffers = [[MaybeUninit::uninit(); 4]; 2];
        assert_eq!(receive_datagrams(&two, &mut buffers).map(Iterator::count), Err(Errno::CONNREFUSED));
    }
}
