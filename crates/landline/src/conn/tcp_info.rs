//! What the kernel knows of a TCP conn.

use std::time::Duration;

/// A snapshot of a TCP conn (`TCP_INFO`, tcp(7), `struct tcp_info` of linux/tcp.h). Counts are since the conn began.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpInfo {
    /// Where it is in its life.
    pub state: TcpState,
    /// Retransmissions of the oldest unacknowledged segment.
    pub retransmits: u8,
    /// The retransmission timeout.
    pub rto: Duration,
    /// Smoothed round-trip time.
    pub rtt: Duration,
    /// Its mean deviation.
    pub rtt_variance: Duration,
    /// The lowest round-trip time seen.
    pub min_rtt: Duration,
    /// Largest segment sent, in bytes.
    pub send_mss: u32,
    /// Largest segment received, in bytes.
    pub recv_mss: u32,
    /// Segments sent and not acknowledged.
    pub unacked: u32,
    /// Segments thought lost.
    pub lost: u32,
    /// Segments retransmitted over the conn's life.
    pub total_retransmits: u32,
    /// Congestion window in segments.
    pub congestion_window: u32,
    /// Slow-start threshold in segments.
    pub slow_start_threshold: u32,
    /// Path MTU in bytes.
    pub path_mtu: u32,
    /// Bytes acknowledged by the peer.
    pub bytes_acked: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Bytes sent, retransmissions included.
    pub bytes_sent: u64,
    /// Bytes retransmitted.
    pub bytes_retransmitted: u64,
    /// Bytes written and not yet sent.
    pub unsent_bytes: u32,
    /// The most recent delivery rate, in bytes a second.
    pub delivery_rate: u64,
    /// Time since data was last sent.
    pub last_data_sent: Duration,
    /// Time since data was last received.
    pub last_data_received: Duration,
}

/// The states of RFC 9293 section 3.3.2, as Linux numbers them (net/tcp_states.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs)] // Named as in the RFC.
pub enum TcpState {
    Established,
    SynSent,
    SynReceived,
    FinWait1,
    FinWait2,
    TimeWait,
    Closed,
    CloseWait,
    LastAck,
    Listen,
    Closing,
    /// A number this version does not know.
    Unknown(u8),
}

impl From<u8> for TcpState {
    fn from(number: u8) -> TcpState {
        match number {
            1 => TcpState::Established,
            2 => TcpState::SynSent,
            3 | 12 => TcpState::SynReceived,
            4 => TcpState::FinWait1,
            5 => TcpState::FinWait2,
            6 => TcpState::TimeWait,
            7 => TcpState::Closed,
            8 => TcpState::CloseWait,
            9 => TcpState::LastAck,
            10 => TcpState::Listen,
            11 => TcpState::Closing,
            other => TcpState::Unknown(other),
        }
    }
}

impl TcpInfo {
    pub(crate) fn from_raw(raw: &libc::tcp_info) -> TcpInfo {
        let micros = |value: u32| Duration::from_micros(u64::from(value));
        let millis = |value: u32| Duration::from_millis(u64::from(value));
        TcpInfo {
            state: TcpState::from(raw.tcpi_state),
            retransmits: raw.tcpi_retransmits,
            rto: micros(raw.tcpi_rto),
            rtt: micros(raw.tcpi_rtt),
            rtt_variance: micros(raw.tcpi_rttvar),
            min_rtt: micros(raw.tcpi_min_rtt),
            send_mss: raw.tcpi_snd_mss,
            recv_mss: raw.tcpi_rcv_mss,
            unacked: raw.tcpi_unacked,
            lost: raw.tcpi_lost,
            total_retransmits: raw.tcpi_total_retrans,
            congestion_window: raw.tcpi_snd_cwnd,
            slow_start_threshold: raw.tcpi_snd_ssthresh,
            path_mtu: raw.tcpi_pmtu,
            bytes_acked: raw.tcpi_bytes_acked,
            bytes_received: raw.tcpi_bytes_received,
            bytes_sent: raw.tcpi_bytes_sent,
            bytes_retransmitted: raw.tcpi_bytes_retrans,
            unsent_bytes: raw.tcpi_notsent_bytes,
            delivery_rate: raw.tcpi_delivery_rate,
            last_data_sent: millis(raw.tcpi_last_data_sent),
            last_data_received: millis(raw.tcpi_last_data_recv),
        }
    }
}
