//! Ours: `Server`, a dial for each conn, and `copy_both`.

use std::{io, net::SocketAddrV4};

use crate::serving;

pub(crate) fn serve(to: SocketAddrV4) -> io::Result<()> {
    let to = to.to_string();
    serving::serve(serving::ALONE, move |near| {
        let to = to.clone();
        async move {
            let far = landline::dial("tcp", &to).await?;
            landline::copy_both(&near, &far).await
        }
    })
}
