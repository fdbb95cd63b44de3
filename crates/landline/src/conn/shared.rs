//! What conns have in common, written once. Each macro makes methods of a conn with the given field, whose methods of
//! the same names do the work and fail with a [`Cause`](crate::Cause), and a method `named` that makes it an
//! [`Error`](crate::Error).

/// Reading and writing.
macro_rules! read_write_methods {
    ($field:ident) => {
        /// Reads what has arrived, up to the size of `buffer`, waiting for at least one byte. `Ok(0)` is the end of
        /// the stream, or an empty buffer.
        #[inline]
        pub fn read<'a>(&'a self, buffer: &'a mut [u8]) -> impl Future<Output = Result<usize>> {
            $crate::conn::Named::new(self, Operation::Read, self.$field.read(buffer))
        }

        /// Reads what has arrived into a buffer of the thread's, which is borrowed only when there is something to read:
        /// a conn that waits here holds no buffer. Empty at the end of the stream.
        #[inline]
        pub fn read_pooled(&self) -> impl Future<Output = Result<$crate::PooledBuf>> {
            $crate::conn::Named::new(self, Operation::Read, self.$field.read_pooled())
        }

        /// Reads into several buffers, in order.
        pub async fn read_vectored(&self, buffers: &mut [std::io::IoSliceMut<'_>]) -> Result<usize> {
            self.named(Operation::Read, self.$field.read_vectored(buffers).await)
        }

        /// Writes some of `buffer`, waiting until at least one byte has been taken; returns how many were.
        #[inline]
        pub fn write<'a>(&'a self, buffer: &'a [u8]) -> impl Future<Output = Result<usize>> {
            $crate::conn::Named::new(self, Operation::Write, self.$field.write(buffer))
        }

        /// Writes all of `buffer`. After an error or a cancel, an unknown part has been written.
        #[inline]
        pub fn write_all<'a>(&'a self, buffer: &'a [u8]) -> impl Future<Output = Result<()>> {
            $crate::conn::Named::new(self, Operation::Write, self.$field.write_all(buffer))
        }

        /// Writes some of the buffers' bytes, in order; of more than 1,024 buffers the first 1,024 (`IOV_MAX`) are
        /// tried.
        pub async fn write_vectored(&self, buffers: &[std::io::IoSlice<'_>]) -> Result<usize> {
            self.named(Operation::Write, self.$field.write_vectored(buffers).await)
        }

        /// Writes all bytes of any number of buffers, with as few system calls as the kernel allows. The slices are
        /// advanced as they are written. After an error or a cancel, an unknown part has been written.
        pub async fn write_all_vectored(&self, buffers: &mut [std::io::IoSlice<'_>]) -> Result<()> {
            self.named(Operation::Write, self.$field.write_all_vectored(buffers).await)
        }

        $crate::conn::shared::readiness_methods!($field);
    };
}

/// Waiting without reading or writing.
macro_rules! readiness_methods {
    ($field:ident) => {
        /// Waits until there is something to read, the end of the stream included, without borrowing a buffer.
        pub async fn readable(&self) -> Result<()> {
            self.named(Operation::Read, self.$field.readable().await)
        }

        /// Waits until something can be written.
        pub async fn writable(&self) -> Result<()> {
            self.named(Operation::Write, self.$field.writable().await)
        }
    };
}

/// Ending one direction.
macro_rules! half_close_methods {
    ($field:ident) => {
        /// Ends the reading side: reads return what has arrived, then `Ok(0)`.
        pub fn close_read(&self) -> Result<()> {
            self.named(Operation::Close, self.$field.close_read())
        }

        /// Ends the writing side: the peer reads what was written, then the end of the stream.
        pub fn close_write(&self) -> Result<()> {
            self.named(Operation::Close, self.$field.close_write())
        }

        /// Two halves that borrow the conn.
        pub fn split(&self) -> ($crate::ReadHalf<'_, Self>, $crate::WriteHalf<'_, Self>) {
            $crate::conn::halves::split_borrowed(self)
        }

        /// Two halves that own the conn together and can go to different tasks.
        pub fn into_split(self) -> ($crate::OwnedReadHalf<Self>, $crate::OwnedWriteHalf<Self>) {
            $crate::conn::halves::split_owned(self)
        }
    };
}

/// Deadlines and a bound context.
macro_rules! limit_methods {
    ($field:ident) => {
        /// Sets, moves or (with `None`) removes the moment after which reads and writes fail with a timeout. It holds
        /// for calls that already wait, in any task; a moment that has passed fails them at once. Later reads and
        /// writes fail too until it is moved. The conn stays open.
        pub fn set_deadline(&self, deadline: impl Into<Option<tokio::time::Instant>>) {
            let deadline = deadline.into();
            self.$field.set_read_deadline(deadline);
            self.$field.set_write_deadline(deadline);
        }

        /// [`set_deadline`](Self::set_deadline) for reads.
        pub fn set_read_deadline(&self, deadline: impl Into<Option<tokio::time::Instant>>) {
            self.$field.set_read_deadline(deadline.into());
        }

        /// [`set_deadline`](Self::set_deadline) for writes.
        pub fn set_write_deadline(&self, deadline: impl Into<Option<tokio::time::Instant>>) {
            self.$field.set_write_deadline(deadline.into());
        }

        /// Ties the conn's I/O to a context: when it is cancelled, waiting and later calls fail with
        /// [`Cause::Canceled`](crate::Cause) and its cause; when its deadline passes, with a timeout. Deadlines of
        /// the conn's own hold besides. Binding to another context replaces the first; to the background, unties.
        pub fn bind_context(&self, context: &$crate::Context) {
            self.$field.bind_context(context);
        }
    };
}

/// The kernel's buffers.
macro_rules! buffer_methods {
    ($field:ident) => {
        /// The size of the receive buffer in bytes, as the kernel counts it: twice what was asked for (socket(7)).
        pub fn recv_buffer_size(&self) -> Result<usize> {
            self.option("getsockopt SO_RCVBUF", |fd| rustix::net::sockopt::socket_recv_buffer_size(fd))
        }

        /// Asks for a receive buffer of `bytes`; the kernel bounds it by `net.core.rmem_max`.
        pub fn set_recv_buffer_size(&self, bytes: usize) -> Result<()> {
            self.option("setsockopt SO_RCVBUF", |fd| {
                rustix::net::sockopt::set_socket_recv_buffer_size(fd, bytes)
            })
        }

        /// The size of the send buffer in bytes, as the kernel counts it.
        pub fn send_buffer_size(&self) -> Result<usize> {
            self.option("getsockopt SO_SNDBUF", |fd| rustix::net::sockopt::socket_send_buffer_size(fd))
        }

        /// Asks for a send buffer of `bytes`; the kernel bounds it by `net.core.wmem_max`.
        pub fn set_send_buffer_size(&self, bytes: usize) -> Result<()> {
            self.option("setsockopt SO_SNDBUF", |fd| {
                rustix::net::sockopt::set_socket_send_buffer_size(fd, bytes)
            })
        }

        fn option<T>(
            &self,
            call: &'static str,
            operation: impl FnOnce(std::os::fd::BorrowedFd<'_>) -> rustix::io::Result<T>,
        ) -> Result<T> {
            self.named(Operation::Set, self.$field.with_fd(call, operation))
        }
    };
}

pub(crate) use {buffer_methods, half_close_methods, limit_methods, read_write_methods, readiness_methods};
