//! What any connection must do, and network peers that misbehave on purpose.
